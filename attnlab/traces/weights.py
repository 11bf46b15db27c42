"""The one place that turns queries and keys into attention weights.

For query i and key j of a head::

    s[i, j] = q[i] · k[j], changed by each of the call's terms in turn
    a[i, j] = exp(s[i, j]) / (sum_j exp(s[i, j]) + exp(sink))

The terms are those of `attnlab.capture.terms`: scale, softcap, bias, mask and so on, as the
model applies them. The sink belongs to models that have one (gpt-oss): their rows sum to
less than one. Everything is computed in float32, whatever the model's type. A query that
may attend to no key at all (padding), or whose scores are not all numbers, has no weights:
its row is NaN.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
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
from attnlab.traces.cancellation import Cancelled, never, stop_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.records import Record

CHUNK_BYTES = 8 << 20
"""Weights computed at once; a head of 4,096 tokens alone has 64 MiB."""

HIGHEST = torch.finfo(torch.float32).max


@dataclass(frozen=True)
class Portion:
    """Which part of a call: an item, and some heads, queries and keys; slices without step."""

    item: int
    heads: slice
    queries: slice | list[int]
    keys: slice = field(default_factory=lambda: slice(None))

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Cut it from (items, heads, queries, keys); axes of size 1 serve all."""
        own = tensor[self.item if tensor.shape[0] > 1 else 0]
        if own.shape[0] > 1:
            own = own[self.heads]
        if own.shape[1] > 1:
            own = own[:, self.queries]
        return own[..., self.keys] if own.shape[2] > 1 else own


def room(keys: int) -> int:
    """How many rows of weights on so many keys are computed at once."""
    return max(1, CHUNK_BYTES // (4 * keys))


def reach(record: Record, queries: slice | list[int]) -> int:
    """How many keys, from the first, some queries can attend to, as far as the terms tell."""
    keys = record.keys
    stop = queries.stop if isinstance(queries, slice) else max(queries) + 1
    for term in record.terms:
        if isinstance(term, Causal):
            keys = min(keys, max(1, stop + term.offset))
        elif isinstance(term, Fill | Floor):
            keys = record.keys  # it may give a hidden key a score again
    return keys


def weights(
    record: Record,
    heads: slice,
    queries: slice | list[int],
    item: int = 0,
    keys: int | None = None,
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
    keys
        How many keys, from the first: all, or at least as many as these queries `reach`.

    Returns
    -------
    torch.Tensor
        Shape (heads, queries, keys), float32, on the record's device; NaN in the rows of
        queries that may attend to no key. It is the caller's own, to be changed at will.
    """
    portion = Portion(item, heads, queries, slice(keys))
    if record.weights is not None:
        return kept(record.weights, portion)
    assert record.query is not None
    with surroundings(record.query.device):
        return softmax(record, portion, scores(record, portion))


def kept(tensor: torch.Tensor, portion: Portion) -> torch.Tensor:
    """Copy a portion of weights that were recorded themselves."""
    with surroundings(tensor.device):
        return portion.of(tensor).to(torch.float32, copy=True)


def scores(record: Record, portion: Portion) -> torch.Tensor:
    """Finished scores of a portion: (heads, queries, keys), float32."""
    *_, (_, finished) = steps(record, portion)
    return finished


def steps(record: Record, portion: Portion) -> Iterator[tuple[Term | None, torch.Tensor]]:
    """Scores before the softmax, as each term leaves them; first q·k itself, with no term.

    The tensor that is handed out is changed in place by the next step.

    Yields
    ------
    tuple of (term, scores)
        Scores have the shape (heads, queries, keys), float32; -inf where a key is hidden.
    """
    assert record.query is not None
    device = record.query.device
    with surroundings(device):
        own = _products(record, portion)
    yield None, own
    for term in record.terms:
        with surroundings(device):
            own = apply(term, own, portion, record)
        yield term, own


def _products(record: Record, portion: Portion) -> torch.Tensor:
    """Products q·k; a group of heads at a time, whose keys alone are in float32 then."""
    assert record.query is not None
    assert record.key is not None
    query = record.query[portion.item, portion.heads][:, portion.queries].float()
    key = record.key[portion.item][:, portion.keys]
    heads, queries, width = query.shape
    size = record.heads // record.groups
    own = query.new_empty((heads, queries, key.shape[1]))
    first = portion.heads.indices(record.heads)[0]
    start = 0
    while start < heads:
        group, within = divmod(first + start, size)
        stop = min(heads, start + size - within)
        torch.mm(
            query[start:stop].reshape(-1, width),
            key[group].float().T,
            out=own[start:stop].view(-1, key.shape[1]),
        )
        start = stop
    return own


def apply(term: Term, scores: torch.Tensor, portion: Portion, record: Record) -> torch.Tensor:
    """Change scores of a portion as one term does, in place."""
    match term:
        case Scale(factor):
            return scores.mul_(portion.of(factor).float() if torch.is_tensor(factor) else factor)
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
            return scores.masked_fill_(portion.of(where), _single(score))
        case Floor(score):
            return scores.clamp_(min=_single(score))
        case Causal(offset):
            keys, places = _places(portion, record, offset, scores.device)
            return scores.masked_fill_(keys > places, -torch.inf)
        case Window(size, offset):
            keys, places = _places(portion, record, offset, scores.device)
            return scores.masked_fill_(keys <= places - size, -torch.inf)


def _single(score: float) -> float:
    """Bring double precision's lowest number to float32's: a finite one stays finite."""
    return score if abs(score) == torch.inf else max(-HIGHEST, min(HIGHEST, score))


def _places(
    portion: Portion, record: Record, offset: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of the keys, (1, 1, keys), and of the queries among them, (1, queries, 1)."""
    keys = torch.arange(record.keys, device=device)[portion.keys]
    queries = torch.arange(record.queries, device=device)[portion.queries] + offset
    return keys[None, None], queries[None, :, None]


def softmax(record: Record, portion: Portion, scores: torch.Tensor) -> torch.Tensor:
    """Turn finished scores of a portion, of all its keys, into weights."""
    with surroundings(scores.device):
        if record.sinks is None:
            return torch.softmax(scores, dim=-1)  # a row of -inf gives NaN
        shift, total = divisors(record, portion, scores)
        return scores.sub(shift).exp_().div_(total)


def divisors(
    record: Record, portion: Portion, scores: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers that turn a score of a row into a weight: ``exp(score - shift) / total``.

    Parameters
    ----------
    scores
        Finished scores of a portion, of all its keys.

    Returns
    -------
    tuple of (shift, total)
        Each of shape (heads, queries, 1), float32; `total` is NaN where a row has no weights.
    """
    with surroundings(scores.device):
        highest = scores.amax(dim=-1, keepdim=True)
        if record.sinks is None:
            return highest, scores.sub(highest).exp_().sum(dim=-1, keepdim=True)
        sink = record.sinks[portion.heads].float()[:, None, None]
        shift = torch.maximum(highest, sink)
        total = scores.sub(shift).exp_().sum(dim=-1, keepdim=True) + (sink - shift).exp()
        return shift, total.masked_fill_(highest == -torch.inf, torch.nan)


def chunks(
    record: Record, head: int, item: int = 0, cancelled: Cancelled = never
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Weights of one head in portions of queries, each of at most `CHUNK_BYTES`.

    Yields
    ------
    tuple of (queries, weights)
        Weights have the shape (queries, keys).

    Raises
    ------
    CancelledError
        When `cancelled` said so; it is asked before each portion.
    """
    step = room(record.keys)
    for start in range(0, record.queries, step):
        stop_if(cancelled)
        portion = slice(start, min(start + step, record.queries))
        yield portion, weights(record, slice(head, head + 1), portion, item)[0]


def surroundings(device: torch.device) -> AbstractContextManager[None]:
    """Compute alike wherever a person asks: no gradients, no autocast, no inference mode."""
    # Entering takes as long as a few operations on the weights of a short text.
    differs = (
        torch.is_grad_enabled()
        or torch.is_inference_mode_enabled()
        or torch.is_autocast_enabled(device.type)
    )
    return _plain(device) if differs else nullcontext()


@contextmanager
def _plain(device: torch.device) -> Iterator[None]:
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        yield
