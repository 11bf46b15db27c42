"""Attention as people write it by hand: many ways to the same weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS, WIDTH = 4, 8
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def future(scores: Tensor) -> Tensor:
    """Where a key comes after its query."""
    return torch.ones(scores.shape[-2:]).bool().triu(1)


def distance(q: Tensor, k: Tensor) -> Tensor:
    """A bias by distance, of another slope in each head, as ALiBi has."""
    queries, keys = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])
    return -(queries - keys).abs() * 2.0 ** -torch.arange(1.0, HEADS + 1)[:, None, None]


@dataclass(frozen=True)
class Way:
    """A way to compute attention, and the scores from which its weights follow."""

    attend: Attend
    """Of queries, keys and values (items, heads, tokens, width), the output in the same axes."""
    scores: Callable[[Tensor, Tensor], Tensor]
    """Scores by the definition, masked and biased; the truth."""
    groups: int = HEADS
    """How many heads the keys and values have."""
    apart: bool = False
    """Whether each head is a call of its own."""


def plainly(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.mT / math.sqrt(q.shape[-1])


def causally(q: Tensor, k: Tensor) -> Tensor:
    scores = plainly(q, k)
    return scores.masked_fill(future(scores), -math.inf)


def by_distance(q: Tensor, k: Tensor) -> Tensor:
    return plainly(q, k) + distance(q, k)


def unscaled(q: Tensor, k: Tensor) -> Tensor:
    return 0.5 * (q @ k.mT)


def capped(q: Tensor, k: Tensor) -> Tensor:
    return 2.0 * torch.tanh(plainly(q, k) / 2.0)


def repeated(q: Tensor, k: Tensor) -> Tensor:
    return plainly(q, k.repeat_interleave(HEADS // k.shape[1], 1))


# --- the fused function ---------------------------------------------------------------------


def fused(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v)


def fused_causal(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def fused_boolean(q, k, v):
    allowed = ~future(q[..., :1] @ k[..., :1].mT)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)


def fused_bias(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=distance(q, k)[None])


def fused_scale(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, scale=0.5)


def fused_grouped(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)


# --- by hand --------------------------------------------------------------------------------


def operators(q, k, v):
    return (q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))).softmax(dim=-1) @ v


def scaled_before(q, k, v):
    weights = torch.softmax(torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(2, 3)), -1)
    return torch.matmul(functional.dropout(weights, 0.1, training=False), v)


def einsums(q, k, v):
    scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bhqk,bhkd->bhqd", functional.softmax(scores, dim=-1), v)


def tokens_first(q, k, v):
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k).div(math.sqrt(q.shape[-1]))
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v).transpose(1, 2)


def grouped_einsum(q, k, v):
    items, heads, queries, width = q.shape
    q = q.reshape(items, k.shape[1], heads // k.shape[1], queries, width)
    scores = torch.einsum("bgrqd,bgkd->bgrqk", q, k) * width**-0.5
    return torch.einsum("bgrqk,bgkd->bgrqd", scores.softmax(-1), v).reshape(
        items, heads, queries, width
    )


def grouped_repeat(q, k, v):
    k, v = (part.repeat_interleave(HEADS // part.shape[1], 1) for part in (k, v))
    return operators(q, k, v)


def folded(q, k, v):
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
    return torch.bmm(functional.softmax(scores, dim=-1), v).unflatten(0, (-1, HEADS))


def folded_with_bias(q, k, v):
    bias = distance(q, k).repeat(q.shape[0], 1, 1)
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    scores = torch.baddbmm(bias, q, k.mT, alpha=q.shape[-1] ** -0.5)
    return torch.bmm(functional.softmax(scores, dim=-1), v).unflatten(0, (-1, HEADS))


def in_place(q, k, v):
    scores = torch.matmul(q, k.mT)
    scores /= math.sqrt(q.shape[-1])
    scores += distance(q, k)
    return functional.softmax(scores, dim=-1) @ v


def filled(q, k, v):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    return scores.masked_fill(future(scores), float("-inf")).softmax(-1) @ v


def filled_in_place(q, k, v):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    scores.masked_fill_(future(scores), torch.finfo(scores.dtype).min)
    return nn.Softmax(dim=-1)(scores) @ v


def chosen(q, k, v):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    scores = torch.where(future(scores), torch.finfo(scores.dtype).min, scores)
    return functional.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype) @ v


def added(q, k, v):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    return (scores + future(scores) * torch.finfo(scores.dtype).min).softmax(-1) @ v


def softly_capped(q, k, v):
    return (2.0 * torch.tanh(q @ k.mT / math.sqrt(q.shape[-1]) / 2.0)).softmax(-1) @ v


def keys_first(q, k, v):
    scores = k @ q.mT / math.sqrt(q.shape[-1])
    return scores.softmax(dim=-2).mT @ v


def a_head_at_a_time(q, k, v):
    heads = [operators(q[:, head], k[:, head], v[:, head]) for head in range(q.shape[1])]
    return torch.stack(heads, 1)


WAYS: dict[str, Way] = {
    "fused": Way(fused, plainly),
    "fused, causal": Way(fused_causal, causally),
    "fused, boolean mask": Way(fused_boolean, causally),
    "fused, mask of numbers": Way(fused_bias, by_distance),
    "fused, own scale": Way(fused_scale, unscaled),
    "fused, grouped heads": Way(fused_grouped, repeated, 2),
    "operators": Way(operators, plainly),
    "scaled before, dropout": Way(scaled_before, plainly),
    "einsum": Way(einsums, plainly),
    "einsum, tokens before heads": Way(tokens_first, plainly),
    "einsum of five axes, grouped heads": Way(grouped_einsum, repeated, 2),
    "repeated keys": Way(grouped_repeat, repeated, 2),
    "bmm, folded heads": Way(folded, plainly),
    "baddbmm, bias": Way(folded_with_bias, by_distance),
    "in place": Way(in_place, by_distance),
    "masked_fill": Way(filled, causally),
    "masked_fill_, softmax module": Way(filled_in_place, causally),
    "where": Way(chosen, causally),
    "mask added": Way(added, causally),
    "softcap": Way(softly_capped, capped),
    "softmax over the first axis": Way(keys_first, plainly),
    "a head at a time": Way(a_head_at_a_time, plainly, apart=True),
}
