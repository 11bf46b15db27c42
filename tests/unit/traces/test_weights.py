"""The definition of the weights in cases that are easy to get wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.terms import Bias, Causal, Fill, Floor, Mask, Scale, Softcap, Window
from attnlab.traces import weights as formula
from attnlab.traces.cancellation import CancelledError
from tests.unit.attention_calls import plain, site_of


def weights(record):
    return formula.weights(record, slice(0, record.heads), slice(0, record.queries))


def test_a_query_without_any_key_has_no_weights_even_with_a_learned_sink():
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool)
    mask[0, 0, 2] = False
    for sinks in (None, torch.zeros(2)):
        actual = weights(plain(terms=[Scale(0.5), Mask(mask)], sinks=sinks))
        assert actual.isnan().all(-1).tolist() == [[False, False, True, False, False]] * 2


@pytest.mark.parametrize("lowest", [torch.finfo(torch.float32).min, -torch.inf, -3e38])
def test_additive_masks_forbid_as_boolean_ones_do(lowest):
    allowed = torch.tensor([True, True, False, True, False])[None, None, None]
    boolean = weights(plain(terms=[Mask(allowed)]))
    added = torch.zeros(allowed.shape).masked_fill(~allowed, lowest)
    assert torch.equal(weights(plain(terms=[Mask(added)])), boolean)
    assert not boolean[..., ~allowed[0, 0, 0]].any()


def test_the_lowest_number_of_double_precision_fills_as_a_finite_one():
    # A row that is filled completely is uniform, as in the model.
    everywhere = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    actual = weights(plain(terms=[Fill(everywhere, torch.finfo(torch.float64).min)]))
    assert torch.equal(actual, torch.full((2, 5, 5), 0.2))
    actual = weights(plain(terms=[Mask(~everywhere), Floor(torch.finfo(torch.float64).min)]))
    assert torch.equal(actual, torch.full((2, 5, 5), 0.2))


def test_terms_are_applied_in_their_order():
    cap, bias = Softcap(0.5), Bias(torch.arange(5.0)[None, None, None])
    before = weights(plain(terms=[bias, cap]))
    after = weights(plain(terms=[cap, bias]))
    assert before.std() < 0.1
    assert (after[..., 4] > after[..., 0]).all()


def test_positions_count_from_the_offset():
    hidden = weights(plain(3, 7, terms=[Causal(2), Window(3, 2)])) == 0
    assert [[int(k) for k in (~row).nonzero()] for row in hidden[0]] == [
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
    ]


def test_weights_do_not_depend_on_the_surroundings():
    item = plain()
    expected = weights(item)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = weights(item)
    assert actual.dtype == torch.float32
    assert torch.equal(actual, expected)
    item.query.requires_grad_()
    assert not weights(item).requires_grad


def test_some_heads_and_queries_are_a_part_of_the_whole():
    mask = torch.rand(2, 6, 9, 9) > 0.3
    record = plain(9, heads=6, items=2, terms=[Scale(torch.rand(1, 6, 1, 1)), Mask(mask)])
    grouped = AttentionRecord(**{**vars(record), "key": record.key[:, :2]})
    whole = formula.weights(grouped, slice(0, 6), slice(0, 9), 1)
    for heads in (slice(0, 1), slice(2, 5), slice(1, 6), slice(3, 6)):
        for queries in (slice(4, 9), [8, 0, 3]):
            actual = formula.weights(grouped, heads, queries, 1)
            torch.testing.assert_close(actual, whole[heads][:, queries], rtol=0, atol=1e-6)


def test_recorded_weights_are_returned_as_copies():
    kept = torch.rand(1, 2, 4, 4)
    record = plain(4, query=None, key=None, value=None, terms=[], weights=kept.clone())
    formula.weights(record, slice(0, 2), slice(0, 4)).zero_()
    site_of(record).row(0)[:] = 0
    assert torch.equal(record.weights, kept)


def test_portions_are_small_and_cover_the_head():
    record = plain(64, 512, heads=1)
    whole = weights(record)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formula, "CHUNK_BYTES", 4 * 512 * 10)
        parts = list(formula.chunks(record, 0))
    assert [len(part) for _, part in parts] == [10] * 6 + [4]
    torch.testing.assert_close(torch.cat([part for _, part in parts]), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "read",
    [
        lambda site, stop: site.weights(0, cancelled=stop),
        lambda site, stop: site.row(0, cancelled=stop),
        lambda site, stop: site.tile(0, range(9), range(9), (2, 2), cancelled=stop),
        lambda site, stop: site.tile(0, range(9), range(3), (2, 2), cancelled=stop),
        lambda site, stop: site.topk(2, head=0, cancelled=stop),
        lambda site, stop: site.topk(2, "key", head=0, cancelled=stop),
    ],
)
def test_a_read_stops_when_it_is_cancelled(read):
    with pytest.raises(CancelledError):
        read(site_of(plain(9)), lambda: True)
    assert np.size(read(site_of(plain(9)), lambda: False))
