"""The one place that turns queries and keys into attention weights.

For query i and key j of a head::

    s[i, j] = q[i] · k[j], changed by each of the call's terms in turn
    a[i, j] = exp(s[i, j]) / (sum_j exp(s[i, j]) + exp(sink))

The terms are those of `attnlab.capture.terms`: scale, softcap, bias, mask and so on, as the
model applies them. The sink belongs to models that have one (gpt-oss): their rows sum to
less than one. Everything is computed in float32, whatever the model's type. A query that
may attend to no key at all (padding) has no weights: its row is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.capture.terms import (
    Bias,
    Causal,
    Fill,
    Floor,
    Mask,
    Scale,
    Softcap,
    Term,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.records import Record

CHUNK_BYTES = 8 << 20
"""Weights computed at once; a head of 4,096 tokens alone has 64 MiB."""


@dataclass(frozen=True)
class Portion:
    """Which part of a call: an item, some heads (a slice without step) and some queries."""

    item: int
    heads: slice
    queries: slice | list[int]

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Cut it from (items, heads, queries, …); axes of size 1 serve all."""
        own = tensor[self.item if tensor.shape[0] > 1 else 0]
        if own.shape[0] > 1:
            own = own[self.heads]
        return own[:, self.queries] if own.shape[1] > 1 else own


def weights(
    record: Record, heads: slice, queries: slice | list[int], item: int = 0
) -> torch.Tensor:
    """Exact attention weights of some heads and queries.

    Parameters
    ----------
    record
        The attention call.
    heads
        Which heads; a slice without step.
    queries
        Which queries: a slice without step, or indices.
    item
        Which item of the batch.

    Returns
    -------
    torch.Tensor
        Shape (heads, queries, keys), float32, on the record's device; NaN in the rows of
        queries that may attend to no key.
    """
    portion = Portion(item, heads, queries)
    if record.weights is not None:
        return record.weights[item, heads][:, queries].float()
    *_, (_, scores) = steps(record, portion)
    return softmax(record, portion, scores)


def steps(record: Record, portion: Portion) -> Iterator[tuple[Term | None, torch.Tensor]]:
    """Scores before the softmax, as each term leaves them; first q·k itself, with no term.

    The tensor that is handed out is changed in place by the next step.

    Yields
    ------
    tuple of (term, scores)
        Scores have the shape (heads, queries, keys), float32; -inf where a key is hidden.
    """
    assert record.query is not None
    assert record.key is not None
    device = record.query.device
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        group = record.heads // record.groups
        query = record.query[portion.item, portion.heads][:, portion.queries].float()
        owners = [head // group for head in range(record.heads)[portion.heads]]
        key = record.key[portion.item][torch.tensor(owners, device=device)].float()
        scores = query @ key.transpose(1, 2)
    yield None, scores
    for term in record.terms:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            scores = apply(term, scores, portion, record.queries)
        yield term, scores


def apply(term: Term, scores: torch.Tensor, portion: Portion, total: int) -> torch.Tensor:
    """Change scores of a portion as one term does, in place; `total` is the call's queries."""
    match term:
        case Scale(factor):
            return scores.mul_(factor if isinstance(factor, float) else portion.of(factor).float())
        case Softcap(limit):
            return scores.div_(limit).tanh_().mul_(limit)
        case Bias(tensor):
            return scores.add_(portion.of(tensor).float())
        case Mask(tensor):
            mask = portion.of(tensor)
            if not mask.is_floating_point():
                return scores.masked_fill_(~mask.bool(), -torch.inf)
            # Half of the type's lowest: masks are made of it, sometimes added up.
            lowest = torch.finfo(mask.dtype).min / 2
            return scores.add_(mask.float()).masked_fill_(mask <= lowest, -torch.inf)
        case Fill(where, score):
            return scores.masked_fill_(portion.of(where), score)
        case Floor(score):
            return scores.clamp_(min=score)
        case Causal(offset):
            keys, places = _places(scores, portion, offset, total)
            return scores.masked_fill_(keys > places, -torch.inf)
        case Window(size, offset):
            keys, places = _places(scores, portion, offset, total)
            return scores.masked_fill_(keys <= places - size, -torch.inf)


def softmax(record: Record, portion: Portion, scores: torch.Tensor) -> torch.Tensor:
    """Turn finished scores of a portion into weights."""
    with torch.no_grad(), torch.autocast(scores.device.type, enabled=False):
        if record.sinks is None:
            return torch.softmax(scores, dim=-1)  # a row of -inf gives NaN
        sink = record.sinks[portion.heads].float()[:, None, None]
        sink = sink.expand(-1, scores.shape[1], 1)
        result = torch.softmax(torch.cat([scores, sink], dim=-1), dim=-1)[..., :-1]
        undefined = (scores == -torch.inf).all(dim=-1, keepdim=True)
        return result.masked_fill(undefined, torch.nan)


def chunks(record: Record, head: int, item: int = 0) -> Iterator[tuple[slice, torch.Tensor]]:
    """Weights of one head in portions of queries, each of at most `CHUNK_BYTES`.

    Yields
    ------
    tuple of (queries, weights)
        Weights have the shape (queries, keys).
    """
    step = max(1, CHUNK_BYTES // (4 * record.keys))
    for start in range(0, record.queries, step):
        portion = slice(start, min(start + step, record.queries))
        yield portion, weights(record, slice(head, head + 1), portion, item)[0]


def _places(
    scores: torch.Tensor, portion: Portion, offset: int, total: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of the keys, (1, 1, keys), and of the queries among them, (1, queries, 1)."""
    own = portion.queries
    rows = list(range(total)[own]) if isinstance(own, slice) else own
    places = torch.tensor(rows, device=scores.device) + offset
    return torch.arange(scores.shape[-1], device=scores.device)[None, None], places[None, :, None]
