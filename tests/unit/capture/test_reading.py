"""The terms of an attention call are read according to its function."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask
from transformers.integrations.flash_attention import flash_attention_forward
from transformers.integrations.flex_attention import flex_attention_forward

from attnlab.capture.reading import interface
from attnlab.capture.reading.attention_recorder import AttentionRecorder
from attnlab.capture.reading.errors import UnreadableError
from attnlab.traces.certificate import certify
from attnlab.traces.weights import weights


class Attention(torch.nn.Module):
    is_causal = True


def eager_attention_forward(*_, **__):
    raise AssertionError("never called")


def tensors(queries=4, keys=4, heads=2, width=8):
    torch.manual_seed(0)
    query = torch.randn(2, heads, queries, width)
    return query, torch.randn(2, heads, keys, width), torch.randn(2, heads, keys, width)


def read(function, mask, output, qkv, module=None, **more):
    recorder = AttentionRecorder(torch.nn.Module())
    recorder.kept.batch = 2
    args = (module or Attention(), *qkv, mask)
    interface.note(recorder, function, eager_attention_forward, args, more, (output, None))
    return recorder.records()[0]


def attended(qkv, allowed, scale=8**-0.5):
    """Return a kernel's output if `allowed` is True, as (batch, queries, heads, width)."""
    query, key, value = qkv
    scores = (query @ key.transpose(-1, -2)) * scale
    rows = torch.softmax(scores.masked_fill(~allowed, -torch.inf), dim=-1)
    return (rows @ value).transpose(1, 2)


def test_flash_aligns_the_last_query_with_the_last_key_and_keeps_its_window():
    qkv = tensors(queries=3, keys=7)
    place, key = torch.arange(3)[:, None] + 4, torch.arange(7)[None]
    allowed = (key <= place) & (key > place - 3)
    record = read(flash_attention_forward, None, attended(qkv, allowed), qkv, sliding_window=3)
    assert certify(record).exact
    assert ((weights(record, slice(0, 2), slice(0, 3)) > 0) == allowed).all()


def test_flash_reads_a_matrix_of_padding():
    qkv = tensors()
    padding = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])
    allowed = torch.ones(4, 4).tril().bool() & padding.bool()[:, None, None, :]
    record = read(flash_attention_forward, padding, attended(qkv, allowed), qkv)
    assert certify(record).exact
    assert weights(record, slice(0, 2), slice(0, 1)).isnan().all()
    assert not weights(record, slice(0, 2), slice(0, 1), item=1).isnan().any()


def test_flex_attention_is_read_through_its_block_mask():
    qkv = tensors()
    mask = create_block_mask(lambda b, h, q, k: (q >= k) & (q - k < 2), 2, None, 4, 4, device="cpu")
    allowed = torch.ones(4, 4).tril().bool() & torch.ones(4, 4).triu(-1).bool()
    record = read(flex_attention_forward, mask, attended(qkv, allowed), qkv)
    assert certify(record).exact
    assert ((weights(record, slice(0, 2), slice(0, 4)) > 0) == allowed).all()


def test_eager_functions_see_all_keys_where_they_get_no_mask():
    qkv = tensors()
    everything = torch.ones(4, 4, dtype=torch.bool)
    record = read(eager_attention_forward, None, attended(qkv, everything), qkv)
    assert certify(record).exact


def test_a_single_query_of_a_causal_module_sees_all_keys():
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    qkv = tensors(queries=1, keys=6)
    query, key, value = qkv
    output, _ = sdpa_attention_forward(Attention(), query, key, value, None)
    record = read(sdpa_attention_forward, None, output, qkv)
    assert certify(record).exact
    assert record.kind == "decoder"


def test_sdpa_without_a_mask_is_causal_from_the_first_key():
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    qkv = tensors(queries=3, keys=5)
    query, key, value = qkv
    output, _ = sdpa_attention_forward(Attention(), query, key, value, None)
    record = read(sdpa_attention_forward, None, output, qkv)
    assert certify(record).exact
    assert not weights(record, slice(0, 2), slice(0, 3))[:, :, 3:].any()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cache": object()}, "paged cache"),
        ({"query": torch.zeros(2, 4, 8)}, "3 axes"),
        ({"key": torch.zeros(2, 3, 4, 8)}, "not a multiple"),
        ({"value": torch.zeros(2, 2, 4, 8, device="meta")}, "meta device"),
        ({"attention_mask": "all"}, "mask is a str"),
    ],
)
def test_calls_that_the_formula_does_not_cover_are_refused_with_a_reason(change, reason):
    query, key, value = tensors()
    given = {"module": Attention(), "query": query, "key": key, "value": value} | change
    with pytest.raises(UnreadableError, match=reason):
        interface.note(
            AttentionRecorder(torch.nn.Module()),
            flash_attention_forward,
            eager_attention_forward,
            (),
            given,
            (query, None),
        )


def test_calls_under_a_function_transformation_are_refused():
    query, key, value = tensors()

    def one(query):
        interface.note(
            AttentionRecorder(torch.nn.Module()),
            flash_attention_forward,
            eager_attention_forward,
            (Attention(), query, key, value, None),
            {},
            (query, None),
        )
        return query

    with pytest.raises(UnreadableError, match=r"torch\.func|axes"):
        torch.func.vmap(one)(query[None])


def test_sparse_attention_sees_only_the_selected_keys():
    qkv = tensors()
    selected = torch.tensor([[[0, 0], [0, 1], [1, 2], [0, 3]], [[0, 0], [1, 0], [2, 0], [3, 2]]])
    allowed = torch.zeros(2, 4, 4, dtype=torch.bool).scatter(-1, selected, True)[:, None]
    module = Attention()
    module.is_causal = False
    record = read(
        flash_attention_forward, None, attended(qkv, allowed), qkv, module, indices=selected
    )
    assert certify(record).exact
    for item in (0, 1):
        actual = weights(record, slice(0, 2), slice(0, 4), item)
        assert ((actual > 0) == allowed[item]).all()


def test_records_are_copies_of_the_whole_batch():
    qkv = tensors()
    everything = torch.ones(4, 4, dtype=torch.bool)
    record = read(eager_attention_forward, None, attended(qkv, everything), qkv)
    expected = qkv[0].clone()
    qkv[0].zero_()
    assert torch.equal(record.query, expected)


def test_each_item_of_a_batch_has_different_weights():
    qkv = tensors()
    everything = torch.ones(4, 4, dtype=torch.bool)
    record = read(eager_attention_forward, None, attended(qkv, everything), qkv)
    expected = torch.softmax(qkv[0] @ qkv[1].mT * 8**-0.5, -1)
    for item in (0, 1):
        actual = weights(record, slice(0, 2), slice(0, 4), item)
        assert (actual - expected[item]).abs().max() < 1e-6
