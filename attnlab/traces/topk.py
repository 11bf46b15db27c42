"""The largest weights of a head, by query or by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from attnlab.capture.record.memory import allow
from attnlab.traces.cancellation import Cancelled, never
from attnlab.traces.weights import chunks, neutral_modes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord


@dataclass(frozen=True, eq=False)
class TopWeights:
    """The largest weights of each query, or of each key, and the sum of all others.

    ``weights.sum(1) + rest`` is the total weight that a query gives, or that a key receives.
    If the model has a sink, the total of a query is less than 1: the difference is the
    weight of the learned sink, which is not part of `rest`.

    Attributes
    ----------
    indices
        Shape (n, k), int64: keys for each query, or queries for each key, in descending order
        of weight; the order of equal weights is undefined. -1 where there is no weight: the row
        of a query that attends to no key is NaN, and such a query is not listed for any key.
    weights
        Shape (n, k), float32; NaN where the index is -1.
    rest
        Shape (n,), float32: the sum of the other weights; NaN if there are no weights.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    rest: NDArray[np.float32]


def largest(
    record: AttentionRecord,
    head: int,
    k: int,
    by: Literal["query", "key"] = "query",
    item: int = 0,
    cancelled: Cancelled = never,
) -> TopWeights:
    """Find the `k` largest weights of each query or key, or all of them if there are fewer.

    Raises
    ------
    ValueError
        If `k` is less than 1, or `by` is invalid.
    MemoryError
        If they exceed the budget.
    """
    if k < 1:
        raise ValueError(f"topk needs k of at least 1, not {k}")
    if by not in ("query", "key"):
        raise ValueError(f"by must be 'query' or 'key', not {by!r}")
    axes = record.queries, record.keys
    length, most = axes if by == "query" else reversed(axes)
    allow(12 * length * min(k, most), f"the largest weights ({k} each)", "ask for fewer")
    find = by_query if by == "query" else by_key
    return find(record, head, k, item, cancelled)


def by_query(
    record: AttentionRecord, head: int, k: int, item: int = 0, cancelled: Cancelled = never
) -> TopWeights:
    """Find the `k` largest weights of each query, or all of them if there are fewer."""
    k = min(k, record.keys)
    indices = torch.empty((record.queries, k), dtype=torch.int64, device="cpu")
    largest = torch.empty((record.queries, k), dtype=torch.float32, device="cpu")
    rest = torch.empty(record.queries, dtype=torch.float32, device="cpu")
    for queries, matrix in chunks(record, head, item, cancelled):
        with neutral_modes(matrix.device):
            empty = matrix.isnan().all(dim=1)
            weights, keys = _comparable(matrix).topk(k, dim=1)
            indices[queries], largest[queries] = keys.cpu(), weights.cpu()
            # Removing the top weights instead of subtracting them avoids rounding errors.
            remaining = _sum(matrix.scatter_(1, keys, 0.0), dim=1)
            rest[queries] = remaining.masked_fill_(empty, torch.nan).cpu()
    return _top_weights(indices, largest, rest)


def by_key(
    record: AttentionRecord, head: int, k: int, item: int = 0, cancelled: Cancelled = never
) -> TopWeights:
    """Find the `k` largest weights of each key, or all of them if there are fewer."""
    k = min(k, record.queries)
    device = record.tensors[0].device
    with neutral_modes(device):
        indices = torch.full((k, record.keys), -1, dtype=torch.int64, device=device)
        largest = torch.full((k, record.keys), -torch.inf, dtype=torch.float32, device=device)
        rest = torch.zeros(record.keys, dtype=torch.float32, device=device)
        empty = torch.ones(record.keys, dtype=torch.bool, device=device)
    for queries, matrix in chunks(record, head, item, cancelled):
        with neutral_modes(device):
            empty &= matrix.isnan().all(dim=0)
            weights, found = _comparable(matrix).topk(min(k, len(matrix)), dim=0)
            rest += _sum(matrix.scatter_(0, found, 0.0), dim=0)
            # Merge with earlier portions; weights that are no longer among the top go to the rest.
            candidates = torch.cat([largest, weights])
            candidate_indices = torch.cat([indices, found + queries.start])
            largest, order = candidates.topk(k, dim=0)
            indices = candidate_indices.gather(0, order)
            rest += _sum(candidates.scatter_(0, order, 0.0), dim=0)
    with neutral_modes(device):
        rest = rest.masked_fill(empty, torch.nan)
    return _top_weights(indices.T.cpu(), largest.T.cpu(), rest.cpu())


# NaN weights are never among the largest, and never part of a sum.


def _comparable(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.nan_to_num_(-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _sum(matrix: torch.Tensor, dim: int) -> torch.Tensor:
    return matrix.nan_to_num_(posinf=torch.inf, neginf=0.0).sum(dim=dim)


def _top_weights(indices: torch.Tensor, weights: torch.Tensor, rest: torch.Tensor) -> TopWeights:
    with neutral_modes(weights.device):
        missing = weights == -torch.inf
        return TopWeights(
            indices.masked_fill(missing, -1).contiguous().numpy(),
            weights.masked_fill(missing, torch.nan).contiguous().numpy(),
            rest.numpy(),
        )
