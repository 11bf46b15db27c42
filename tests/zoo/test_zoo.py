"""Every model of the zoo is read exactly, and says the same while it is watched.

``ATTNLAB_ZOO=whole`` runs all; without it, every second model that calls attention through
the interface is left out: they all take the same way.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from typing import Any

import pytest
import torch
import transformers

from tests.zoo.comparison import Finding, compare
from tests.zoo.multihead import MULTIHEAD
from tests.zoo.plain import PLAIN
from tests.zoo.scores import WAYS
from tests.zoo.specimen import Specimen
from tests.zoo.table import PAGE, page, ways
from tests.zoo.zoo import ZOO, half

WHOLE = os.environ.get("ATTNLAB_ZOO") == "whole"
WITH_TRUTH = [item for item in ZOO if item.expected.reading not in ("refused", "pieces")]
FOUND: dict[str, Finding] = {}


def named(specimens: list[Specimen]) -> list:
    """Specimens as parameters; those that this transformers does not have say so."""
    return [
        pytest.param(
            specimen,
            id=specimen.name,
            marks=[pytest.mark.skip(reason=specimen.absent)] if specimen.absent else [],
        )
        for specimen in specimens
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("specimen", named(ZOO if WHOLE else half()))
def test_a_model_is_read_exactly_and_not_changed(specimen):
    finding = FOUND[specimen.name] = compare(specimen)
    assert not finding.faults(), "\n".join([specimen.name, *finding.faults()])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("specimen", named(WITH_TRUTH if WHOLE else WITH_TRUTH[::4]))
def test_the_truth_is_peaked_so_that_an_error_would_show(specimen):
    truth = specimen.truth
    assert truth
    for weights in truth:
        assert weights.ndim == 4
        sums = weights.sum(-1)
        assert (sums <= 1 + (1e-5 if specimen.tolerance < 1e-3 else 1e-2)).all()
        assert (weights >= 0).all()
    peaks = [weights.amax(-1) * weights.shape[-1] for weights in truth]
    assert max(float(peak.mean()) for peak in peaks) > 1.3


def test_the_zoo_is_large_and_what_it_cannot_read_is_named_with_its_reason():
    transformers = [specimen for specimen in ZOO if specimen.path != "plain"]
    assert len(transformers) >= 120
    assert len({specimen.family for specimen in transformers}) >= 90
    expected = Counter(specimen.expected.reading for specimen in transformers)
    assert expected["qk"] >= 112
    assert expected.total() - expected["qk"] - expected["weights"] <= 5
    assert all(item.expected.reason for item in ZOO if item.expected.reading != "qk")


def test_names_are_unique_and_families_are_those_of_the_configurations():
    assert max(Counter(specimen.name for specimen in ZOO).values()) == 1
    for specimen in ZOO[::8]:
        if specimen.path != "plain" and not specimen.absent:
            model: Any = specimen.make(None)
            assert model.config.model_type == specimen.family


def test_a_specimen_is_made_with_the_same_parameters_each_time():
    for specimen in [item for item in ZOO if not item.absent][::16]:
        one, other = (specimen.make(None).state_dict() for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_that_this_transformers_lacks_is_listed_as_not_run():
    missing = dataclasses.replace(ZOO[0], model="ModelOfAnotherRelease")
    [mark] = named([missing])[0].marks
    assert mark.name == "skip"
    assert mark.kwargs["reason"] == (
        f"transformers {transformers.__version__} has no ModelOfAnotherRelease"
    )
    assert not named([ZOO[0]])[0].marks


@pytest.mark.skipif(not WHOLE, reason="needs the findings of the whole zoo: ATTNLAB_ZOO=whole")
def test_the_committed_table_is_that_of_this_run():
    assert ways(PAGE.read_text(encoding="utf-8")) == ways(
        page(FOUND.get(item.name) or compare(item) for item in ZOO)
    )


@pytest.mark.parametrize("specimen", named([item for item in PLAIN if item.variant in WAYS]))
def test_the_reference_arithmetic_reproduces_the_output_of_a_layer(specimen):
    model = specimen.make(None)
    layer, x = model.layers[0], specimen.inputs(model)["x"]
    with torch.no_grad():
        assert torch.allclose(layer(x, x), layer.truth(x, x)[0], atol=1e-5)


@pytest.mark.parametrize("specimen", named([item for item in MULTIHEAD if "asked" in item.variant]))
def test_the_arithmetic_of_a_multihead_layer_gives_the_weights_it_returns(specimen):
    model = specimen.make(None)
    inputs = specimen.inputs(model)
    x = inputs.pop("x")
    seen = inputs.pop("memory", x)
    with torch.no_grad():
        _, returned = model.layers[0](x, seen, seen, average_attn_weights=False, **inputs)
    assert torch.allclose(returned, specimen.truth[0], atol=1e-5)
