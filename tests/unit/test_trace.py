"""What can be asked of a trace, and what a kernel keeps of traces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import FAMILIES, bert, llama, record, t5, trace

from attnlab.capture.call import Call
from attnlab.capture.records import Record
from attnlab.traces import thumbnails as pictures
from attnlab.traces import weights as formula
from attnlab.traces.certificate import certify
from attnlab.traces.errors import NoSuchHeadError, NoSuchQueryError, NoSuchSiteError
from attnlab.traces.store import Store, budget
from attnlab.traces.thumbnails import CancelledError, bins, pooled
from attnlab.traces.trace import Trace


def recorded(family=None):
    family = family or llama()
    _, told = record(family.model(), family.inputs)
    return trace(told[0])


def plain(queries=5, keys=5, heads=2, **terms):
    """A record of random numbers."""
    torch.manual_seed(0)
    return Record(
        name="attention",
        kind="encoder",
        layer=0,
        query=torch.randn(heads, queries, 4),
        key=torch.randn(heads, keys, 4),
        value=torch.randn(heads, keys, 4),
        scale=0.5,
        **terms,
    )


def made_of(*records):
    tokens = [None] * records[0].queries
    return trace(Call("Model", list(records), tokens, None, None, 1.0))


# --- weights ------------------------------------------------------------------------------


def reference(item):
    """The formula in numpy, in double precision."""
    scores = np.einsum("hqd,hkd->hqk", item.query.double(), item.key.double()) * item.scale
    if item.softcap is not None:
        scores = item.softcap * np.tanh(scores / item.softcap)
    i, j = np.indices(scores.shape[1:])
    place = i + item.offset
    if item.causal:
        scores = np.where(j > place, -np.inf, scores)
    if item.window is not None:
        scores = np.where(j <= place - item.window, -np.inf, scores)
    exponentials = np.exp(scores)
    sink = 0 if item.sinks is None else np.exp(item.sinks.double().numpy())[:, None, None]
    with np.errstate(invalid="ignore"):
        return exponentials / (exponentials.sum(-1, keepdims=True) + sink)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"softcap": 0.7},
        {"causal": True},
        {"causal": True, "window": 2},
        {"causal": True, "offset": 3, "window": 4},
        {"sinks": torch.tensor([0.5, -1.0])},
        {"causal": True, "softcap": 2.0, "sinks": torch.tensor([3.0, 1.0])},
    ],
    ids=str,
)
def test_weights_follow_the_formula(terms):
    item = plain(queries=5, keys=5 + terms.get("offset", 0), **terms)
    own = formula.weights(item, slice(0, 2), slice(0, 5)).numpy()
    np.testing.assert_allclose(own, reference(item), rtol=0, atol=1e-6)


def test_a_query_without_any_key_has_no_weights_even_beside_a_sink():
    mask = torch.ones(1, 5, 5, dtype=torch.bool)
    mask[0, 2] = False
    for sinks in (None, torch.zeros(2)):
        own = formula.weights(plain(mask=mask, sinks=sinks), slice(0, 2), slice(0, 5))
        assert own.isnan().all(-1).tolist() == [[False, False, True, False, False]] * 2


@pytest.mark.parametrize("lowest", [torch.finfo(torch.float32).min, -torch.inf, -3e38])
def test_additive_masks_forbid_as_boolean_ones_do(lowest):
    allowed = torch.tensor([True, True, False, True, False])
    boolean = formula.weights(plain(mask=allowed[None, None]), slice(0, 2), slice(0, 5))
    added = torch.zeros(5).masked_fill(~allowed, lowest)[None, None]
    assert torch.equal(formula.weights(plain(mask=added), slice(0, 2), slice(0, 5)), boolean)
    assert not boolean[..., ~allowed].any()


def test_weights_do_not_depend_on_the_surroundings():
    item = plain()
    expected = formula.weights(item, slice(0, 2), slice(0, 5))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = formula.weights(item, slice(0, 2), slice(0, 5))
    assert own.dtype == torch.float32
    assert torch.equal(own, expected)


def test_a_head_computed_in_portions_is_the_head(monkeypatch):
    whole = recorded().head(1, 3)
    monkeypatch.setattr(formula, "CHUNK_BYTES", 4 * 9 * 2)
    np.testing.assert_allclose(recorded().head(1, 3), whole, rtol=0, atol=1e-6)


# --- certificate --------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_falsified_records_are_not_certified(name):
    for site in recorded(FAMILIES[name]()).sites:
        item = site.record
        assert certify(item).exact
        for changed in (
            {"scale": item.scale * 1.1},
            {"query": item.query.roll(1, dims=0)},
            {"key": item.key.roll(1, dims=1)},
            {"causal": True, "offset": -1},
        ):
            verdict = certify(dataclasses.replace(item, **changed))
            assert not verdict.exact, changed
            assert "differs" in verdict.reason or "no key" in verdict.reason


def test_a_record_without_the_kernels_output_is_not_certified():
    verdict = certify(plain(doubt="dropout was active"))
    assert not verdict.exact
    assert "dropout was active" in verdict.reason


def test_a_record_of_padding_only_is_not_certified():
    nothing = torch.zeros(1, 5, 5, dtype=torch.bool)
    verdict = certify(plain(mask=nothing, rows=(0, 1), output=torch.zeros(2, 2, 4)))
    assert not verdict.exact


# --- thumbnails ---------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
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
@settings(max_examples=150, deadline=None)
def test_pooling_equals_a_plain_reference(length, size, seed):
    matrix = np.random.default_rng(seed).random((3, length), dtype=np.float32)
    expected = np.stack([matrix[:, list(part)].max(axis=1) for part in bins(length, size)], axis=1)
    own = pooled(torch.from_numpy(matrix), bins(length, size), -1)
    assert np.array_equal(own.numpy(), expected)


@given(
    queries=st.integers(1, 12),
    keys=st.integers(1, 12),
    size=st.integers(1, 14),
    room=st.integers(1, 2000),
)
@settings(max_examples=60, deadline=None)
def test_thumbnails_equal_max_pooled_heads(queries, keys, size, room):
    own = made_of(plain(queries, keys, heads=3))
    shape = (min(size, queries), min(size, keys))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "CHUNK_BYTES", room)
        drawn = own.thumbnails(size)
    assert drawn.shape == (3, *shape)
    for head in range(3):
        weights = own.head(0, head)
        for row in range(shape[0]):
            for column in range(shape[1]):
                part = weights[
                    np.ix_(
                        [i for i in range(queries) if i * shape[0] // queries == row],
                        [j for j in range(keys) if j * shape[1] // keys == column],
                    )
                ]
                # Portions round differently in the last bit: one step of 255 at most.
                assert abs(int(drawn[head, row, column]) - part.max() * 255) <= 0.5001


def test_thumbnails_of_sites_of_different_lengths_share_one_shape():
    own = recorded(t5())
    drawn = own.thumbnails(48)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (4 * 6, 9, 9)
    head = own.head(2, 0)  # the decoder's: 5 by 5
    repeated = head[np.ix_([j * 5 // 9 for j in range(9)], [j * 5 // 9 for j in range(9)])]
    assert np.abs(drawn[8].astype(float) - repeated * 255).max() <= 0.5001


def test_thumbnails_stop_when_they_are_not_wanted_any_more():
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(CancelledError):
        recorded(t5()).thumbnails(8, cancelled)
    assert len(asked) == 3


def test_a_thumbnail_without_a_pixel_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        recorded().thumbnails(0)


# --- asking -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda t: t.head(2, 0), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.head(-1, 0), NoSuchSiteError, "sites 0 to 1"),
        (lambda t: t.head(0, 4), NoSuchHeadError, "heads 0 to 3"),
        (lambda t: t.head(0, -1), NoSuchHeadError, "heads 0 to 3"),
        (lambda t: t.row(0, 9), NoSuchQueryError, "queries 0 to 8"),
        (lambda t: t.row(5, 0), NoSuchSiteError, "sites 0 to 1"),
    ],
)
def test_what_a_trace_does_not_have_is_an_index_error_that_says_what_it_has(ask, error, message):
    with pytest.raises(error, match=message) as caught:
        ask(recorded())
    assert isinstance(caught.value, IndexError)


def test_a_trace_computes_nothing_until_it_is_asked(monkeypatch):
    def forbidden(*_):
        raise AssertionError("computed")

    family = bert()
    _, told = record(family.model(), family.inputs)
    monkeypatch.setattr("attnlab.traces.certificate.weights", forbidden)
    trace(told[0])


# --- the store ----------------------------------------------------------------------------


def test_a_mask_shared_by_all_layers_is_counted_once():
    own = recorded(bert())
    masks = {site.record.mask.data_ptr() for site in own.sites}
    assert len(masks) == 1
    apart = sum(t.nbytes for site in own.sites for t in site.record.tensors)
    assert own.nbytes == apart - own.sites[0].record.mask.nbytes


def stored(name, cell="a", execution=1, floats=0):
    item = plain(queries=1, keys=1) if not floats else plain(queries=floats // 8, keys=1)
    call = Call("Model", [item], [], None, None, 1.0)
    return Trace.from_call(call, id=name, cell=cell, execution=execution, index=0)


def test_all_calls_of_one_run_are_kept_and_those_of_the_run_before_dropped():
    store = Store()
    assert store.add(stored("1", execution=1)) == []
    assert store.add(stored("2", execution=1)) == []
    assert store.add(stored("other", cell="b", execution=2)) == []
    assert store.add(stored("3", execution=3)) == ["1", "2"]
    assert [item.id for item in store.traces] == ["other", "3"]
    assert store.get("1") is None


def test_the_oldest_go_when_the_budget_is_exceeded_but_never_the_newest():
    size = stored("x", floats=800).nbytes
    store = Store(limit_bytes=2 * size)
    gone = [store.add(stored(name, cell=name, floats=800)) for name in "abcd"]
    assert gone == [[], [], ["a"], ["b"]]
    assert store.nbytes == 2 * size
    small = Store(limit_bytes=1)
    small.add(stored("alone"))
    assert [item.id for item in small.traces] == ["alone"]


def test_a_cell_can_be_forgotten():
    store = Store()
    store.add(stored("1"))
    store.add(stored("2", cell="b"))
    assert store.forget("a") == ["1"]
    assert store.clear() == ["2"]
    assert store.nbytes == 0


@pytest.mark.parametrize(
    ("given_", "expected"),
    [("", 1 << 30), ("1000", 1000), ("512M", 512 << 20), ("2 GiB", 2 << 30), ("3kb", 3 << 10)],
)
def test_the_budget_is_read_from_the_environment(monkeypatch, given_, expected):
    monkeypatch.setenv("ATTNLAB_MEMORY", given_)
    assert Store().limit_bytes == expected


def test_a_budget_that_is_no_number_is_an_error_that_says_what_it_is():
    with pytest.raises(ValueError, match="ATTNLAB_MEMORY is 'much'"):
        budget("much")
