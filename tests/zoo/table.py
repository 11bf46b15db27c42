"""The page of the documentation that says which models can be read, and how well."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from tests.zoo.comparison import Finding

PAGE = Path(__file__).parents[2] / "docs" / "models.md"

INTRODUCTION = """\
# Which models attnlab reads

This page is written by `python -m tests.zoo`; do not edit it by hand.

attnlab knows no model by name. It sees attention where PyTorch and transformers compute it:

- **interface**: the model calls its attention through the interface of transformers
  (version 5.20 or newer). Queries, keys and every mask are seen as they are used.
- **tap**: the model, or a module of plain PyTorch, multiplies queries by keys and takes a
  softmax in its own code. The operations around the softmax are seen and traced back.
- **replayed**: a fused path of PyTorch hides its attention, so the model is run a second time,
  after its own result is there, without that path.
- **output_attentions**: a last resort. What the model itself says of its attention is shown,
  and cannot be checked.

Each row is a tiny model with random parameters: {configurations} configurations, of
{families} families of transformers and of plain PyTorch. Its result is bit by bit the same with
attnlab and without. Its weights are compared with those of an independent copy that shares no
code with attnlab, for each item, head and row of each site.

- **q and k**: whether queries and keys are kept, or weights only. Some views need them.
- **sites**: how often the model attends.
- **largest error**: the largest difference of any weight to the independent copy's.
- **certificate**: the error that attnlab itself measures at each call: how far recorded
  weights times values are from the output that the model went on with, relative to it.
"""

REFUSED = """
## What cannot be read in full

attnlab says so in the panel, with the reason, in place of showing something else.

| family | model class | shown | why |
|---|---|---|---|
"""

HEAD = """
| family | model class | way | q and k | sites | largest error | certificate |
|---|---|---|---|---|---|---|
"""


def page(findings: Iterable[Finding]) -> str:
    """Write the page of all findings."""
    findings = list(findings)
    read = [item for item in findings if item.specimen.expected.reading == "qk"]
    rest = [item for item in findings if item.specimen.expected.reading != "qk"]
    families = {item.specimen.family for item in findings if item.specimen.path != "plain"}
    introduction = INTRODUCTION.format(configurations=len(findings), families=len(families))
    return "".join(
        [introduction, HEAD, *map(_row, read), REFUSED, *map(_rest, rest)],
    )


def ways(text: str) -> dict[str, str]:
    """Read the ways of the families out of a page."""
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {f"{cells[0]} | {cells[1]}": cells[2] for cells in rows if cells[0] != "| family"}


def _row(finding: Finding) -> str:
    specimen = finding.specimen
    kept = "yes" if finding.reading == "qk" else "weights only"
    cells = [
        specimen.name,
        f"`{specimen.model}`",
        ", ".join(finding.tiers) or "refused",
        kept if finding.sites else "no",
        str(len(finding.sites)),
        _digits(finding.error),
        _digits(finding.certificate_error),
    ]
    return f"| {' | '.join(cells)} |\n"


def _rest(finding: Finding) -> str:
    specimen = finding.specimen
    shown = {
        "weights": "weights",
        "part": "the other layers",
        "pieces": "pieces",
        "output_attentions": "what the model says",
        "refused": "nothing",
    }[specimen.expected.reading]
    cells = [specimen.name, f"`{specimen.model}`", shown, specimen.expected.reason]
    return f"| {' | '.join(cells)} |\n"


def _digits(error: float) -> str:
    return "–" if math.isnan(error) else f"{error:.0e}"
