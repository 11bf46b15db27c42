"""Reads of a trace by layers, heads and kinds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.traces import thumbnails as pictures
from attnlab.traces.cancellation import CancelledError
from attnlab.traces.errors import (
    AmbiguousLayerError,
    NoSuchHeadError,
    NoSuchItemError,
    NoSuchLayerError,
    NoSuchPartError,
    NoSuchQueryError,
    NoSuchSiteError,
    NotSeenError,
)
from attnlab.traces.pooling import bins, pooled
from tests.unit.attention_calls import plain, site_of, trace_of
from tests.unit.tiny_models import bert, llama, record, t5, trace


def recorded(family=None):
    family = family or llama()
    _, outcomes = record(family.model(), family.inputs)
    return trace(outcomes[0])


def called(*places, **more):
    """A trace of calls at positions in a model: pairs of a layer and its kind or stack."""
    return trace_of(*(dataclasses.replace(plain(**more), **place) for place in places))


def weights_alone(**more):
    weights = torch.rand(1, 2, 5, 5).softmax(-1)
    return plain(query=None, key=None, value=None, weights=weights, method="tap", **more)


# --- finding ------------------------------------------------------------------------------


def test_weights_are_found_by_layer_and_head():
    recording = recorded()
    for layer in (0, 1):
        assert recording.site(layer) is recording.sites[layer]
        assert np.array_equal(recording.weights(layer, 3), recording.head(layer, 3))


def test_a_layer_of_several_kinds_is_found_by_its_kind():
    recording = recorded(t5())
    with pytest.raises(AmbiguousLayerError, match=r"'encoder', 'decoder' and 'cross'.*kind="):
        recording.site(1)
    assert {recording.site(1, kind).kind for kind in ("encoder", "decoder", "cross")} == {
        *("encoder", "decoder", "cross")
    }
    assert recording.weights(1, 0, "cross").shape == (5, 9)


def test_a_layer_of_several_stacks_is_found_by_its_stack():
    recording = called({"stack": "text.#", "layer": 1}, {"stack": "vision.#", "layer": 1})
    with pytest.raises(AmbiguousLayerError, match=r"'text.#' and 'vision.#', e.g. stack='text.#'"):
        recording.weights(1, 0)
    assert recording.site(1, stack="vision.#") is recording.sites[1]
    assert recording.weights(1, 0, stack="vision.#").shape == (5, 5)


def test_the_error_names_the_argument_that_finds_every_attention_call():
    recording = called(
        {"stack": "vision.#", "layer": 0, "kind": "encoder"},
        {"stack": "pool.#", "layer": 0, "kind": "cross"},
        {"stack": "text.#", "layer": 0, "kind": "encoder"},
    )
    with pytest.raises(AmbiguousLayerError, match=r"stacks 'vision.#', 'pool.#' and 'text.#'"):
        recording.site(0)


def test_a_layer_that_was_called_several_times_is_found_among_the_sites():
    recording = called({"layer": 0}, {"layer": 2}, {"layer": 2})
    with pytest.raises(AmbiguousLayerError, match=r"the sites 1, 2, e\.g\. trace\.sites\[1\]"):
        recording.site(2)


def test_a_missing_layer_is_an_error_that_lists_the_layers():
    recording = called({"layer": 3}, {"layer": 7, "kind": "cross"})
    with pytest.raises(
        NoSuchLayerError, match=r"this trace has no layer 1: .* layers 3; cross '#' .* 7$"
    ):
        recording.site(1)
    with pytest.raises(NoSuchLayerError, match="no layer 3 of the kind 'cross': it has"):
        recording.site(3, "cross")
    with pytest.raises(NoSuchLayerError, match=r"no layer 3 in the stack 'h\.#': it has"):
        recording.site(3, stack="h.#")
    assert issubclass(NoSuchLayerError, IndexError)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda t: t.head(2, 0), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.head(-1, 0), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.head(0, 4), NoSuchHeadError, "heads 0 to 3"),
        (lambda t: t.head(0, -1), NoSuchHeadError, "heads 0 to 3"),
        (
            lambda t: t.head(0, 0, 1),
            NoSuchItemError,
            "this trace has no batch item 1, only items 0 to 0",
        ),
        (lambda t: t.row(0, 9), NoSuchQueryError, "queries 0 to 8"),
        (lambda t: t.row(5, 0), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.tile(5, 0, range(1), range(1), (1, 1)), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.weights(0, 9), NoSuchHeadError, "site 0 has no head 9"),
        (lambda t: t.weights(0, 0, item=2), NoSuchItemError, "items 0 to 0"),
        (lambda t: t.thumbnails(3, item=-1), NoSuchItemError, "items 0 to 0"),
        (lambda t: t.sites[1].weights(7), NoSuchHeadError, "site 1 has no head 7"),
        (
            lambda t: t.sites[1].row(7, 1),
            NoSuchItemError,
            "site 1 has no batch item 1, only items 0 to 0",
        ),
        (lambda t: t.sites[1].topk(1, head=4), NoSuchHeadError, "heads 0 to 3"),
        (lambda t: t.sites[1].neuron(9, 0), NoSuchQueryError, "queries 0 to 8"),
        (lambda t: t.sites[1].neuron(0, 4), NoSuchHeadError, "heads 0 to 3"),
        (
            lambda t: t.sites[1].tile(0, range(0, 10), range(3), (1, 1)),
            NoSuchPartError,
            r"range\(0, 10\) is not a valid part of the queries of site 1: .* within range\(0, 9\)",
        ),
        (
            lambda t: t.sites[1].tile(0, range(3), range(0, 8, 2), (1, 1)),
            NoSuchPartError,
            "part of the keys",
        ),
        (
            lambda t: t.sites[1].tile(0, range(3, 3), range(3), (1, 1)),
            NoSuchPartError,
            "non-empty range",
        ),
    ],
)
def test_an_invalid_index_is_an_error_that_gives_the_valid_range(ask, error, message):
    with pytest.raises(error, match=message) as caught:
        ask(recorded())
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.tile(0, range(2), range(2), (0, 2)), "at least 1 × 1 pixels, not 0 × 2"),
        (lambda s: s.tile(0, range(2), range(2), (2, 2), "sum"), "'max' or 'mean', not 'sum'"),
        (lambda s: s.topk(0, head=0), "k of at least 1, not 0"),
        (lambda s: s.topk(1, "row", head=0), "by must be 'query' or 'key', not 'row'"),
    ],
)
def test_meaningless_arguments_are_a_value_error(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(site_of(plain()))


def test_the_items_of_a_tower_belong_to_those_of_the_batch():
    recording = trace_of(plain(items=2), plain(items=6), items=2)
    assert np.array_equal(recording.head(1, 0, 1), recording.sites[1].weights(0, 3))
    assert np.array_equal(recording.row(1, 2, 1), recording.sites[1].row(2, 3))
    part = (range(2), range(3), (2, 3))
    assert np.array_equal(
        recording.tile(1, 0, *part, item=1), recording.sites[1].tile(0, *part, item=3)
    )
    assert not np.array_equal(recording.thumbnails(5, item=0), recording.thumbnails(5, item=1))


def test_unrecorded_queries_and_keys_are_not_shown_step_by_step():
    site = site_of(weights_alone(terms=[]), 4)
    with pytest.raises(
        NotSeenError,
        match=r"site 4 were not recorded \(capture method: tap\).*only its weights are known",
    ):
        site.neuron(0, 0)
    with pytest.raises(NotSeenError, match="the terms scale are known"):
        site_of(weights_alone()).neuron(0, 0)


# --- thumbnails ---------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_every_position_falls_into_the_pixel_that_the_documentation_names(length, size):
    parts = bins(length, size)
    assert len(parts) == size
    if length >= size:
        for position in range(length):
            assert position in parts[position * size // length]
        assert sum(len(part) for part in parts) == length
    else:
        assert [list(part) for part in parts] == [[j * length // size] for j in range(size)]


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_pooling_equals_a_plain_reference(length, size, seed):
    matrix = np.random.default_rng(seed).random((3, length), dtype=np.float32)
    parts = bins(length, size)
    maxima = np.stack([matrix[:, list(part)].max(axis=1) for part in parts], axis=1)
    sums = np.stack([matrix[:, list(part)].sum(axis=1) for part in parts], axis=1)
    actual = torch.from_numpy(matrix)
    assert np.array_equal(pooled(actual, parts).numpy(), maxima)
    np.testing.assert_allclose(pooled(actual, parts, "mean").numpy(), sums, rtol=1e-5)


def test_thumbnails_of_sites_of_different_lengths_share_one_shape():
    recording = recorded(t5())
    drawn = recording.thumbnails(48)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (4 * 6, 9, 9)
    head = recording.head(2, 0)  # the decoder's: 5 by 5
    repeated = head[np.ix_([j * 5 // 9 for j in range(9)], [j * 5 // 9 for j in range(9)])]
    assert np.abs(drawn[8].astype(float) - repeated * 255).max() <= 0.5001


@pytest.mark.parametrize("sampled", [False, True])
def test_thumbnails_stop_when_they_are_cancelled(monkeypatch, sampled):
    monkeypatch.setattr(pictures, "AT_ONCE", 0)
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(CancelledError):
        recorded(t5()).thumbnails(2, cancelled, sampled=sampled)
    assert len(asked) == 3


def test_a_thumbnail_without_a_pixel_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        recorded().thumbnails(0)


def test_weights_beyond_one_do_not_wrap_around():
    record = plain(2, heads=1, query=None, key=None, value=None, weights=torch.zeros(1, 1, 2, 2))
    record.weights[0, 0] = torch.tensor([[1.5, -0.5], [0.5, torch.nan]])
    assert trace_of(record).thumbnails(2).tolist() == [[[255, 0], [128, 0]]]


# --- descriptions ------------------------------------------------------------------------------


def test_a_trace_computes_nothing_until_it_is_asked(monkeypatch):
    def forbidden(*_):
        raise AssertionError("computed")

    family = bert()
    _, outcomes = record(family.model(), family.inputs)
    monkeypatch.setattr("attnlab.traces.certificate.weights", forbidden)
    recording = trace(outcomes[0])
    assert "exact" not in repr(recording)
    assert "exact" not in repr(recording.sites)


def test_a_trace_describes_its_contents():
    recording = recorded()
    outcomes = repr(recording)
    assert outcomes.startswith("<Trace of LlamaForCausalLM: 9 tokens, 1 item; 2 layers × 4 heads")
    assert "(decoder model.layers.#.self_attn); captured by interface (2); " in outcomes
    assert outcomes.endswith("KiB>")
    assert repr(recording.sites[1]) == (
        "<Site 1: decoder layer 1, 4 heads in 2 groups, 9 × 9, captured by interface>"
    )
    assert recording.sites[1].certificate.exact
    assert recording.sites[0].checked is None
    assert "; 1 of 1 checked sites are exact; " in repr(recording)
    assert repr(recording.sites[1]).endswith("interface, exact>")


def test_the_stacks_of_a_trace_are_distinguished():
    outcomes = repr(recorded(t5()))
    assert "9 source" in outcomes
    assert "5 target" in outcomes
    assert outcomes.count("2 layers × 4 heads (") == 3
    several = called({"layer": 2}, {"layer": 2}, {"layer": 3, "method": "tap"})
    assert "2 layers × 2 heads in 3 calls (encoder #); captured by interface (2), tap (1)" in repr(
        several
    )
