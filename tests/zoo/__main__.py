"""Write the documentation's page of models: ``python -m tests.zoo``."""

from __future__ import annotations

import sys
import warnings

import transformers

from tests.zoo.comparison import compare
from tests.zoo.table import PAGE, page
from tests.zoo.zoo import ZOO

# Sizes this small draw many remarks that say nothing here.
transformers.logging.set_verbosity_error()
warnings.simplefilter("ignore")

findings = [compare(specimen) for specimen in ZOO]
for finding in findings:
    for fault in finding.faults():
        sys.stderr.write(f"{finding.specimen.name}: {fault}\n")
PAGE.write_text(page(findings), encoding="utf-8")
