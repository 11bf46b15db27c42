"""All reads of a call agree with a direct computation in double precision."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attnlab.capture.record.terms import Causal, Scale
from attnlab.traces import thumbnails as pictures
from attnlab.traces import tiles
from attnlab.traces import weights as formula
from tests.unit.attention_calls import (
    expected_scores,
    expected_weights,
    plain,
    records,
    site_of,
    trace_of,
)

CLOSE: dict[str, Any] = {"rtol": 0, "atol": 2e-5}

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread: these products are too small for several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def portioned(data):
    """Allow portions of any size, down to a single row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formula, "CHUNK_BYTES", data.draw(st.sampled_from([1, 90, 200, 8 << 20])))
        yield patch


def choose(data, record):
    numbers = (record.items, record.heads, record.queries, record.keys)
    return [data.draw(st.integers(0, n - 1)) for n in numbers]


def part_of(data, length):
    start = data.draw(st.integers(0, length - 1))
    return range(start, data.draw(st.integers(start + 1, length)))


def untouched(record):
    return [tensor.clone() for tensor in record.tensors]


# --- weights and rows ---------------------------------------------------------------------


@given(records(), st.data())
@quick
def test_weights_and_rows_are_those_of_the_definition(record, data):
    item, head, query, _ = choose(data, record)
    expected, before = expected_weights(record, item), untouched(record)
    with portioned(data):
        site = site_of(record).weights(head, item)
        row = site_of(record).row(query, item)
    assert site.dtype == row.dtype == np.float32
    np.testing.assert_allclose(site, expected[head], **CLOSE)
    np.testing.assert_allclose(row, expected[:, query], **CLOSE)
    site[:], row[:] = 7, 7
    for tensor, was in zip(record.tensors, before, strict=True):
        assert torch.equal(tensor.nan_to_num(), was.nan_to_num())


# --- tiles --------------------------------------------------------------------------------


def expected_tile(weights, shape, pooling):
    """Pool by the definition of pixels, one pixel at a time."""

    def places(length, size, pixel):
        if length < size:
            return [pixel * length // size]
        return [at for at in range(length) if at * size // length == pixel]

    result = np.full(shape, np.nan)
    for row, column in np.ndindex(*shape):
        actual = weights[
            np.ix_(
                places(weights.shape[0], shape[0], row), places(weights.shape[1], shape[1], column)
            )
        ]
        actual = actual[~np.isnan(actual)]
        if len(actual):
            result[row, column] = actual.max() if pooling == "max" else actual.mean()
    return result


@given(records(), st.data())
@quick
def test_tiles_show_their_part_at_any_zoom(record, data):
    site = site_of(record)
    item, head, _, _ = choose(data, record)
    expected = expected_weights(record, item)[head]
    with portioned(data):
        for _ in range(3):  # the second and third find rows of the first
            queries, keys = part_of(data, record.queries), part_of(data, record.keys)
            shape = (data.draw(st.integers(1, 13)), data.draw(st.integers(1, 13)))
            pooling = data.draw(st.sampled_from(["max", "mean"]))
            actual = site.tile(head, queries, keys, shape, pooling, item)
            part = expected[queries.start : queries.stop, keys.start : keys.stop]
            assert actual.dtype == np.float32
            np.testing.assert_allclose(actual, expected_tile(part, shape, pooling), **CLOSE)


@given(records(), st.data())
@quick
def test_blocks_of_parts_that_fit_together_are_blocks_of_the_whole(record, data):
    site = site_of(record)
    item, head, _, _ = choose(data, record)
    expected = expected_weights(record, item)[head]
    side = data.draw(st.integers(1, 4))
    step = side * data.draw(st.integers(1, 3))
    rows, columns = (
        [range(at, min(at + step, count)) for at in range(0, count, step)]
        for count in (record.queries, record.keys)
    )
    with portioned(data):
        parts = [[site.blocks(head, *part, side, item) for part in product([row], columns)]
                 for row in rows]  # fmt: skip
    actual = np.block(parts)
    down, across = (
        [range(at, min(at + side, count)) for at in range(0, count, side)]
        for count in (record.queries, record.keys)
    )
    assert actual.shape == (len(down), len(across))
    for (y, row), (x, column) in product(enumerate(down), enumerate(across)):
        block = expected[row.start : row.stop, column.start : column.stop]
        highest = np.nan if np.isnan(block).all() else np.nanmax(block)
        np.testing.assert_allclose(actual[y, x], highest, **CLOSE)


def test_a_block_has_at_least_one_weight_of_the_site():
    site = site_of(plain(4, 4))
    with pytest.raises(ValueError, match="at least 1 × 1"):
        site.blocks(0, range(4), range(4), 0)
    with pytest.raises(IndexError, match="not a valid part of the keys"):
        site.blocks(0, range(4), range(5), 2)


def test_a_query_without_any_key_has_no_tile_even_with_a_learned_sink():
    for sinks in (None, torch.zeros(2)):
        site = site_of(plain(4, sinks=sinks, terms=[Causal(-1)]))  # the first sees nothing
        for keys in (range(3), range(4)):
            actual = site.tile(0, range(4), keys, (4, 1))
            assert np.isnan(actual[:, 0]).tolist() == [True, False, False, False]


def test_rows_of_a_head_are_computed_once_for_all_its_tiles(monkeypatch):
    computed = []
    true = formula.divisors

    def counting(record, portion, scores):
        computed.append(len(portion.queries))
        return true(record, portion, scores)

    monkeypatch.setattr(tiles, "divisors", counting)
    site = site_of(plain(20, 20))
    site.tile(0, range(0, 10), range(0, 5), (4, 4))
    site.tile(0, range(5, 15), range(10, 15), (4, 4))
    site.tile(0, range(0, 15), range(3, 8), (4, 4))
    assert computed == [10, 5]
    site.tile(0, range(0, 20), range(0, 20), (4, 4))  # of whole rows nothing is kept
    assert sum(computed) == 15


def test_rows_are_kept_of_a_few_heads_alone():
    record = plain(6, 6, heads=20)
    site = site_of(record)
    for head in range(20):
        site.tile(head, range(6), range(3), (6, 3))
    assert len(site._divisors._rows) == tiles.HEADS


# --- thumbnails ---------------------------------------------------------------------------


@given(records(), st.integers(1, 14), st.data())
@quick
def test_thumbnails_are_pooled_by_their_maximum_and_sampled_ones_are_never_more(record, size, data):
    item = data.draw(st.integers(0, record.items - 1))
    recording = trace_of(record)
    with portioned(data) as patch:
        exact = recording.thumbnails(size, item=item)
        patch.setattr(pictures, "AT_ONCE", 0)
        patch.setattr(pictures, "SAMPLES", 2)
        sampled, differs = (
            recording.thumbnails(size, item=item, sampled=True),
            recording.samples(size),
        )
    shape = (min(size, record.queries), min(size, record.keys))
    assert exact.shape == sampled.shape == (record.heads, *shape)
    for head, weights in enumerate(expected_weights(record, item)):
        pixels = np.nan_to_num(expected_tile(weights, shape, "max")) * 255
        assert np.abs(exact[head] - pixels).max() <= 0.51
    assert (sampled.astype(int) <= exact.astype(int) + 1).all()  # portions round differently
    if not differs:
        assert np.abs(sampled.astype(int) - exact).max() <= 1


def test_sampled_thumbnails_read_a_few_queries_of_each_pixel_with_all_their_keys():
    record = plain(64, 64, heads=1, terms=[Scale(0.0)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "AT_ONCE", 0)
        recording = trace_of(record)
        assert recording.samples(8)
        assert not recording.samples(32)  # two queries a pixel: all of them are read
        read = []
        true = formula.weights

        def reading(record, heads, queries, item, keys):
            read.append(queries)
            return true(record, heads, queries, item, keys)

        patch.setattr(pictures, "weights", reading)
        drawn = recording.thumbnails(8, sampled=True)
    assert read == [[8 * pixel + at for pixel in range(8) for at in (3, 7)]]
    assert (drawn == round(255 / 64)).all()


def test_short_texts_are_not_sampled():
    assert not trace_of(plain(64, 64)).samples(8)


# --- top-k weights --------------------------------------------------------------------------------


@given(records(), st.data())
@quick
def test_the_topk_weights_and_their_remainder_match_the_weights(record, data):
    site = site_of(record)
    item, head, _, _ = choose(data, record)
    k = data.draw(st.integers(1, 13))
    by = data.draw(st.sampled_from(["query", "key"]))
    weights = expected_weights(record, item)[head]
    lines = weights if by == "query" else weights.T
    with portioned(data):
        edges = site.topk(k, by, head=head, item=item)
    count = min(k, lines.shape[1])
    assert edges.indices.shape == edges.weights.shape == (len(lines), count)
    assert (edges.indices.dtype, edges.weights.dtype, edges.rest.dtype) == (
        np.int64,
        np.float32,
        np.float32,
    )
    for line, indices, heaviest, rest in zip(
        lines, edges.indices, edges.weights, edges.rest, strict=True
    ):
        known = line[~np.isnan(line)]
        shown = min(count, len(known))
        assert (indices[shown:] == -1).all()
        assert np.isnan(heaviest[shown:]).all()
        np.testing.assert_allclose(heaviest[:shown], np.sort(known)[::-1][:shown], **CLOSE)
        np.testing.assert_allclose(heaviest[:shown], line[indices[:shown]], **CLOSE)
        assert len(set(indices[:shown])) == shown
        if len(known):
            np.testing.assert_allclose(rest, np.sort(known)[::-1][shown:].sum(), rtol=0, atol=1e-4)
        else:
            assert np.isnan(rest)


def test_the_remainder_includes_keys_but_not_the_learned_sink():
    site = site_of(plain(6, 6, sinks=torch.tensor([1.0, 2.0])))
    edges = site.topk(2, head=1)
    sums = site.weights(1).sum(1)
    assert (sums < 0.9).all()
    np.testing.assert_allclose(edges.weights.sum(1) + edges.rest, sums, atol=1e-6)
    np.testing.assert_allclose(site.topk(99, head=1).rest, 0)


# --- neuron -------------------------------------------------------------------------------


@given(records(seen=True), st.data())
@quick
def test_a_neuron_adds_up_to_the_weights(record, data):
    item, head, query, _ = choose(data, record)
    site = site_of(record).neuron(query, head, item)
    assert site.q.shape == (record.query.shape[3],)
    assert site.k.shape == site.products.shape == (record.keys, record.query.shape[3])
    group = head // (record.heads // record.groups)
    assert np.array_equal(site.q, record.query[item, head, query].float(), equal_nan=True)
    assert np.array_equal(site.k, record.key[item, group].float(), equal_nan=True)
    np.testing.assert_allclose(site.products.sum(1), site.steps[0][1], **CLOSE)
    names = [type(term).__name__.lower() for term in record.terms]
    assert [name for name, _ in site.steps] == ["q·k", *names]
    for (_, scores), expected in zip(site.steps, expected_scores(record, item), strict=True):
        low = np.finfo(np.float32).min  # what is lower than any float32 shows as the lowest
        expected = np.where(np.isfinite(expected), expected.clip(low), expected)[head, query]
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(site.weights, site_of(record).row(query, item)[head], atol=1e-6)
    with np.errstate(all="ignore"):
        last = site.steps[-1][1].astype(float)
        highest = last.max()
        shift = highest if site.sink is None else max(highest, site.sink)
        powers = np.exp(last - shift)
        total = powers.sum() + (0 if site.sink is None else np.exp(site.sink - shift))
    if np.isfinite(highest):
        np.testing.assert_allclose(site.weights, powers / total, atol=1e-5)
    else:
        assert np.isnan(site.weights).all()
    if record.sinks is None:
        assert site.sink is None
        assert site.sink_weight is None
    else:
        assert site.sink == float(record.sinks[head])
        whole = 1 if np.isfinite(highest) else np.nan
        np.testing.assert_allclose(site.weights.sum() + site.sink_weight, whole, atol=1e-5)


def test_reads_are_the_same_in_inference_mode_and_after_it():
    with torch.inference_mode():
        record = plain(12, 12, terms=[Scale(0.5), Causal()])
        site = site_of(record)
        inside = site.tile(0, range(3), range(5), (3, 5))
    outside = site.tile(0, range(12), range(5), (12, 5))
    np.testing.assert_allclose(outside[:3], inside, atol=1e-7)
    np.testing.assert_allclose(site.weights(0)[:, :5], outside, atol=1e-6)
    # In torch 2.9, resetting the default device removes it.
    with torch.device("meta"):
        assert np.array_equal(site.weights(0), site.weights(0))
        assert site.row(1).shape == (2, 12)
        assert trace_of(record).thumbnails(4).any()
        assert site.tile(1, range(3), range(5), (2, 2)).any()
        assert site.topk(2, head=0).rest.any()
        assert site.topk(2, "key", head=0).rest.any()
        assert site.neuron(3, 0).weights.any()
