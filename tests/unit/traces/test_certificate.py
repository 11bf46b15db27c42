"""Weights are certified if and only if they give the model's output."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from attnlab.capture.record.terms import Causal, Mask, Scale
from attnlab.traces.certificate import certify
from attnlab.traces.weights import weights
from tests.unit.attention_calls import plain
from tests.unit.tiny_models import FAMILIES, record, trace

ROWS = (0, 2, 4)


def certified(record, change=lambda output: output):
    """The same record with the output of a kernel, optionally modified."""
    outputs = [
        (weights(record, slice(0, record.heads), list(ROWS), item) @ record.value[item].float())
        for item in range(record.items)
    ]
    output = torch.stack(outputs).transpose(1, 2).to(record.value.dtype)
    return dataclasses.replace(record, rows=ROWS, output=change(output))


@pytest.mark.parametrize("name", FAMILIES)
def test_recorded_calls_are_certified_and_falsified_ones_are_not(name):
    family = FAMILIES[name]()
    _, outcomes = record(family.model(), family.inputs)
    for site in trace(outcomes[0]).sites:
        own_record = site.record
        assert own_record.query is not None
        assert own_record.key is not None
        assert certify(own_record).exact
        for changed in (
            {"terms": (*own_record.terms, Scale(1.1))},
            {"terms": (*own_record.terms, Causal(-1))},
            {"query": own_record.query.roll(1, dims=1)},
            {"key": own_record.key.roll(1, dims=2)},
        ):
            verdict = certify(dataclasses.replace(own_record, **changed))
            assert not verdict.exact, changed
            assert "difference" in verdict.reason or "any key" in verdict.reason


def test_the_error_is_relative_to_the_largest_value():
    exact = certify(certified(plain()))
    assert exact.exact
    assert exact.error < 1e-6
    assert exact.reason == ""
    unit = float(plain().value.abs().max())
    off = certify(certified(plain(), lambda output: output + 0.01 * unit))
    assert not off.exact
    assert off.error == pytest.approx(0.01, rel=1e-3)
    assert "the difference is 0.01 of the largest value" in off.reason


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_rounding_in_the_models_dtype_is_not_an_error(dtype):
    record = plain(**{name: getattr(plain(), name).to(dtype) for name in ("query", "key", "value")})
    assert certify(certified(record)).exact


def test_every_item_is_compared():
    def last(output):
        output[1] += 1
        return output

    assert certify(certified(plain(items=2))).exact
    assert not certify(certified(plain(items=2), last)).exact


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_an_output_with_nan_is_not_certified_in_any_item(number):
    for item in (0, 1):

        def broken(output, item=item):
            output[item, 1] = number
            return output

        verdict = certify(certified(plain(items=2), broken))
        assert not verdict.exact
        assert verdict.error == torch.inf


def test_grouped_values_are_compared_head_by_head():
    record = plain(heads=4)
    record = dataclasses.replace(record, key=record.key[:, :2], value=record.value[:, :2])
    output = weights(record, slice(0, 4), list(ROWS)) @ record.value[0][[0, 0, 1, 1]]
    record = dataclasses.replace(record, rows=ROWS, output=output.transpose(0, 1)[None])
    assert certify(record).exact
    assert not certify(dataclasses.replace(record, value=record.value.flip(1))).exact


def test_a_record_without_the_kernels_output_is_not_certified():
    verdict = certify(plain(doubt="dropout was active"))
    assert not verdict.exact
    assert verdict.error != verdict.error
    assert "dropout was active" in verdict.reason
    assert "its values were not recorded" in certify(plain(value=None)).reason


def test_a_record_of_padding_only_is_not_certified():
    nothing = Mask(torch.zeros(1, 1, 5, 5, dtype=torch.bool))
    verdict = certify(plain(terms=[nothing], rows=(0, 1), output=torch.zeros(1, 2, 2, 4)))
    assert not verdict.exact
    assert "attends to any key" in verdict.reason


def test_a_doubt_remains_even_if_the_comparison_passes():
    verdict = certify(certified(plain(doubt="it was recorded in a second pass")))
    assert not verdict.exact
    assert verdict.error < 1e-6
    assert verdict.reason == "it was recorded in a second pass"
