"""The heaviest weights of a head, as lines from queries to keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.cancellation import Cancelled, never
from attnlab.traces.weights import chunks, surroundings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.records import Record


@dataclass(frozen=True, eq=False)
class Edges:
    """The heaviest weights of each query, or of each key, and what they leave out.

    ``weights.sum(1) + rest`` is all that a query gives to the keys, or that a key is given.
    Where the model has a sink, the first is less than 1, and what is missing went to the
    sink: it is not in `rest`.

    Attributes
    ----------
    indices
        Shape (n, k), int64: keys for each query, or queries for each key, heaviest first;
        equal weights in no order. -1 where there is no weight: a query without any key
        (its row is NaN) has no edges, and gives none to any key.
    weights
        Shape (n, k), float32; NaN where the index is -1.
    rest
        Shape (n,), float32: the sum of the weights that are left out; NaN where there is
        no weight at all.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    rest: NDArray[np.float32]


def by_query(
    record: Record, head: int, k: int, item: int = 0, cancelled: Cancelled = never
) -> Edges:
    """Find the `k` heaviest keys of each query; fewer where there are fewer keys."""
    k = min(k, record.keys)
    indices = torch.empty((record.queries, k), dtype=torch.int64, device="cpu")
    heaviest = torch.empty((record.queries, k), dtype=torch.float32, device="cpu")
    rest = torch.empty(record.queries, dtype=torch.float32, device="cpu")
    for queries, matrix in chunks(record, head, item, cancelled):
        with surroundings(matrix.device):
            empty = matrix.isnan().all(dim=1)
            weights, places = _comparable(matrix).topk(k, dim=1)
            indices[queries], heaviest[queries] = places.cpu(), weights.cpu()
            # What is shown is taken out, not subtracted: no rounding of a large sum is left.
            left = _sum(matrix.scatter_(1, places, 0.0), dim=1)
            rest[queries] = left.masked_fill_(empty, torch.nan).cpu()
    return _edges(indices, heaviest, rest)


def by_key(record: Record, head: int, k: int, item: int = 0, cancelled: Cancelled = never) -> Edges:
    """Find the `k` heaviest queries of each key; fewer where there are fewer queries."""
    k = min(k, record.queries)
    device = record.tensors[0].device
    with surroundings(device):
        indices = torch.full((k, record.keys), -1, dtype=torch.int64, device=device)
        heaviest = torch.full((k, record.keys), -torch.inf, dtype=torch.float32, device=device)
        rest = torch.zeros(record.keys, dtype=torch.float32, device=device)
        empty = torch.ones(record.keys, dtype=torch.bool, device=device)
    for queries, matrix in chunks(record, head, item, cancelled):
        with surroundings(device):
            empty &= matrix.isnan().all(dim=0)
            weights, places = _comparable(matrix).topk(min(k, len(matrix)), dim=0)
            rest += _sum(matrix.scatter_(0, places, 0.0), dim=0)
            # The best of these and of those before; what is beaten joins the rest.
            both = torch.cat([heaviest, weights])
            found = torch.cat([indices, places + queries.start])
            heaviest, order = both.topk(k, dim=0)
            indices = found.gather(0, order)
            rest += _sum(both.scatter_(0, order, 0.0), dim=0)
    with surroundings(device):
        rest = rest.masked_fill(empty, torch.nan)
    return _edges(indices.T.cpu(), heaviest.T.cpu(), rest.cpu())


# A weight that is NaN takes part as -inf: it is never the heaviest, and is not summed.


def _comparable(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.nan_to_num_(-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _sum(matrix: torch.Tensor, dim: int) -> torch.Tensor:
    return matrix.nan_to_num_(posinf=torch.inf, neginf=0.0).sum(dim=dim)


def _edges(indices: torch.Tensor, weights: torch.Tensor, rest: torch.Tensor) -> Edges:
    with surroundings(weights.device):
        nothing = weights == -torch.inf
        return Edges(
            indices.masked_fill(nothing, -1).contiguous().numpy(),
            weights.masked_fill(nothing, torch.nan).contiguous().numpy(),
            rest.numpy(),
        )
