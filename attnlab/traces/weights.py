"""Computes attention weights from queries and keys; the only module that does so.

For query i and key j of a head::

    s[i, j] = q[i] · k[j], changed by each of the call's terms in turn
    a[i, j] = exp(s[i, j]) / (sum_j exp(s[i, j]) + exp(sink))

The terms are those of `attnlab.capture.record.terms` (scale, softcap, bias, mask and so on), in
the order in which the model applies them. Rows sum to 1, except in models with learned sinks (e.g.
gpt-oss), where they sum to less than 1. All computations are in float32, regardless of the
model's dtype. The row of a query that attends to no key (padding), or that has a NaN score, is
NaN.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.terms import (
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

    from attnlab.capture.record.attention_record import AttentionRecord

CHUNK_BYTES = 8 << 20
"""Size of the weights that are computed at once; a head of 4,096 tokens takes 64 MiB."""

HIGHEST = torch.finfo(torch.float32).max


@dataclass(frozen=True)
class Portion:
    """A part of a call: one batch item, and some heads, queries and keys. Slices have step 1."""

    item: int
    heads: slice
    queries: slice | list[int]
    keys: slice = field(default_factory=lambda: slice(None))

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Select this part of a tensor of shape (items, heads, queries, keys).

        Axes of size 1 are broadcast.
        """
        part = tensor[self.item if tensor.shape[0] > 1 else 0]
        if part.shape[0] > 1:
            part = part[self.heads]
        if part.shape[1] > 1:
            part = part[:, self.queries]
        return part[..., self.keys] if part.shape[2] > 1 else part


def rows_per_chunk(keys: int) -> int:
    """Return how many rows of `keys` weights are computed at once."""
    return max(1, CHUNK_BYTES // (4 * keys))


def reachable_keys(record: AttentionRecord, queries: slice | list[int]) -> int:
    """Upper bound, from the terms, for the number of leading keys that queries can attend to."""
    keys = record.keys
    stop = queries.stop if isinstance(queries, slice) else max(queries) + 1
    for term in record.terms:
        if isinstance(term, Causal):
            keys = min(keys, max(1, stop + term.offset))
        elif isinstance(term, Fill | Floor):
            keys = record.keys  # it may give a masked key a finite score
    return keys


def weights(
    record: AttentionRecord,
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
        A slice without step.
    queries
        A slice without step, or indices.
    item
        Index of the batch item.
    keys
        Number of leading keys, at least `reachable_keys` for these queries; None for all keys.

    Returns
    -------
    torch.Tensor
        Shape (heads, queries, keys), float32, on the record's device; NaN in the rows of
        queries that attend to no key. The caller may modify it.
    """
    portion = Portion(item, heads, queries, slice(keys))
    if record.weights is not None:
        return recorded_weights(record.weights, portion)
    assert record.query is not None
    with neutral_modes(record.query.device):
        return softmax(record, portion, scores(record, portion))


def recorded_weights(tensor: torch.Tensor, portion: Portion) -> torch.Tensor:
    """Copy a portion of weights that were recorded directly."""
    with neutral_modes(tensor.device):
        return portion.of(tensor).to(torch.float32, copy=True)


def scores(record: AttentionRecord, portion: Portion) -> torch.Tensor:
    """Compute the final scores of a portion: (heads, queries, keys), float32."""
    *_, (_, final_scores) = steps(record, portion)
    return final_scores


def steps(record: AttentionRecord, portion: Portion) -> Iterator[tuple[Term | None, torch.Tensor]]:
    """Yield the scores after each term; the first are q·k, with None as the term.

    Each step modifies the tensor of the previous step in place.

    Yields
    ------
    tuple of (term, scores)
        Scores have the shape (heads, queries, keys), float32; -inf where a key is masked.
    """
    assert record.query is not None
    device = record.query.device
    with neutral_modes(device):
        scores = _products(record, portion)
    yield None, scores
    for term in record.terms:
        with neutral_modes(device):
            scores = apply(term, scores, portion, record)
        yield term, scores


def _products(record: AttentionRecord, portion: Portion) -> torch.Tensor:
    """Products q·k of all queries with the keys that each attended to."""
    assert record.key is not None
    if not record.earlier:
        return _products_with(record.key, record, portion)
    queries = (
        range(record.queries)[portion.queries]
        if isinstance(portion.queries, slice)
        else (portion.queries)
    )
    # Consecutive queries with the same keys are computed together.
    groups: list[tuple[torch.Tensor, list[int]]] = []
    for query in queries:
        key, _ = record.keys_of(query)
        assert key is not None
        if not groups or groups[-1][0] is not key:
            groups.append((key, []))
        groups[-1][1].append(query)
    parts = [
        _products_with(key, record, replace(portion, queries=members)) for key, members in groups
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _products_with(keys: torch.Tensor, record: AttentionRecord, portion: Portion) -> torch.Tensor:
    """Products q·k, one group of heads at a time: only its keys are copied to float32."""
    assert record.query is not None
    query = record.query[portion.item, portion.heads][:, portion.queries].float()
    key = keys[portion.item][:, portion.keys]
    heads, queries, width = query.shape
    group_size = record.heads // record.groups
    products = query.new_empty((heads, queries, key.shape[1]))
    first = portion.heads.indices(record.heads)[0]
    start = 0
    while start < heads:
        group, within = divmod(first + start, group_size)
        stop = min(heads, start + group_size - within)
        torch.mm(
            query[start:stop].reshape(-1, width),
            key[group].float().T,
            out=products[start:stop].view(-1, key.shape[1]),
        )
        start = stop
    return products


def apply(
    term: Term, scores: torch.Tensor, portion: Portion, record: AttentionRecord
) -> torch.Tensor:
    """Apply one term to the scores of a portion, in place."""
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
            # Masks hide a key by the lowest value; half of it, as some models add other values.
            lowest = torch.finfo(mask.dtype).min / 2
            return scores.add_(mask.float()).masked_fill_(mask <= lowest, -torch.inf)
        case Fill(where, score):
            return scores.masked_fill_(portion.of(where), _single(score))
        case Floor(score):
            return scores.clamp_(min=_single(score))
        case Causal(offset):
            keys, queries = _positions(portion, record, offset, scores.device)
            return scores.masked_fill_(keys > queries, -torch.inf)
        case Window(size, offset):
            keys, queries = _positions(portion, record, offset, scores.device)
            return scores.masked_fill_(keys <= queries - size, -torch.inf)


def _single(score: float) -> float:
    """Clamp a score to the range of float32, so that finite scores stay finite."""
    return score if abs(score) == torch.inf else max(-HIGHEST, min(HIGHEST, score))


def _positions(
    portion: Portion, record: AttentionRecord, offset: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions of keys, (1, 1, keys), and of queries on the same axis, (1, queries, 1)."""
    keys = torch.arange(record.keys, device=device)[portion.keys]
    queries = torch.arange(record.queries, device=device)[portion.queries] + offset
    return keys[None, None], queries[None, :, None]


def softmax(record: AttentionRecord, portion: Portion, scores: torch.Tensor) -> torch.Tensor:
    """Compute weights from the final scores of a portion that contains all keys."""
    with neutral_modes(scores.device):
        if record.sinks is None:
            return torch.softmax(scores, dim=-1)  # a row of -inf gives NaN
        shift, total = divisors(record, portion, scores)
        return scores.sub(shift).exp_().div_(total)


def divisors(
    record: AttentionRecord, portion: Portion, scores: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the numbers that turn a row's scores into weights, ``exp(score - shift) / total``.

    Parameters
    ----------
    scores
        Final scores of a portion that contains all keys.

    Returns
    -------
    tuple of (shift, total)
        Each of shape (heads, queries, 1), float32; `total` is NaN if the row has no weights.
    """
    with neutral_modes(scores.device):
        highest = scores.amax(dim=-1, keepdim=True)
        if record.sinks is None:
            return highest, scores.sub(highest).exp_().sum(dim=-1, keepdim=True)
        sink = record.sinks[portion.heads].float()[:, None, None]
        shift = torch.maximum(highest, sink)
        total = scores.sub(shift).exp_().sum(dim=-1, keepdim=True) + (sink - shift).exp()
        return shift, total.masked_fill_(highest == -torch.inf, torch.nan)


def chunks(
    record: AttentionRecord, head: int, item: int = 0, cancelled: Cancelled = never
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the weights of one head in portions of queries, each of at most `CHUNK_BYTES`.

    Yields
    ------
    tuple of (queries, weights)
        Weights have the shape (queries, keys).

    Raises
    ------
    CancelledError
        If `cancelled` returned true; it is called before each portion.
    """
    step = rows_per_chunk(record.keys)
    for start in range(0, record.queries, step):
        stop_if(cancelled)
        portion = slice(start, min(start + step, record.queries))
        yield portion, weights(record, slice(head, head + 1), portion, item)[0]


def neutral_modes(device: torch.device) -> AbstractContextManager[None]:
    """Return a context without gradients, autocast and inference mode, whatever the caller uses."""
    # Entering the context costs as much as a few operations on the weights of a short text.
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
