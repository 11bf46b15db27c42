"""What the scores of heads follow from: a few numbers of every row, read off in portions.

The matrix of a site is never whole in memory: weights come some heads and queries at a
time, in portions of `attnlab.traces.weights.CHUNK_BYTES` at most; only rows are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from attnlab.traces.cancellation import stop_if
from attnlab.traces.weights import reach, room, surroundings, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.analysis.axis import Axis
    from attnlab.capture.records import Record
    from attnlab.traces.cancellation import Cancelled


def portions(
    record: Record, item: int, least: int, cancelled: Cancelled
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Weights of one item in portions of heads and queries.

    Parameters
    ----------
    record
        The attention call.
    item
        Which item of the call's own batch.
    least
        How many keys every portion has at least, where the call has as many.
    cancelled
        Asked before each portion.

    Yields
    ------
    tuple of (heads, queries, weights)
        Weights have the shape (heads, queries, keys), float32, on the record's device; NaN
        in the rows of queries without any key. Keys that come after all of the portion's
        queries in causal attention are left out: half of the work.

    Raises
    ------
    CancelledError
        When `cancelled` said so.
    """
    across, down = _steps(record)
    for head in range(0, record.heads, across):
        heads = slice(head, min(head + across, record.heads))
        for query in range(0, record.queries, down):
            stop_if(cancelled)
            queries = slice(query, min(query + down, record.queries))
            keys = max(reach(record, queries), min(least, record.keys))
            yield heads, queries, weights(record, heads, queries, item, keys)


def count(record: Record) -> int:
    """How many portions a call has."""
    across, down = _steps(record)
    return -(-record.heads // across) * -(-record.queries // down)


def _steps(record: Record) -> tuple[int, int]:
    """How many heads, and how many queries of each, are read at once."""
    across = min(record.heads, room(record.keys))
    return across, max(1, room(record.keys) // across)


@dataclass(eq=False)
class Rows:
    """Numbers of every row of a site, of one item, on the CPU.

    All are float64 of shape (heads, queries) unless said otherwise; within a row they are
    summed in float32, the weights' own precision, over rows in float64. Those that compare
    positions are zero where queries and keys are not one sequence.

    Attributes
    ----------
    counted
        Bool: whether the row takes part in means. Padding and rows without a key do not.
    entropy
        ``-sum_j a[i, j] ln a[i, j]``, in nats.
    largest
        ``max_j a[i, j]``.
    total
        ``sum_j a[i, j]``: less than 1 where the model has a sink.
    first
        Weight of the first key that is no padding.
    own, previous
        ``a[i, i]`` and ``a[i, i - 1]``.
    distance, square
        ``sum_j a[i, j] |i - j|`` and ``sum_j a[i, j] (i - j)^2``, in positions.
    duplicate, induction
        ``a[i, p]`` and ``a[i, p + 1]``, summed over earlier positions p that hold the same
        token as i.
    received
        Shape (heads, keys): ``sum_i a[i, j]`` over counted rows i >= j.
    """

    counted: torch.Tensor
    received: torch.Tensor
    entropy: torch.Tensor
    largest: torch.Tensor
    total: torch.Tensor
    first: torch.Tensor
    own: torch.Tensor
    previous: torch.Tensor
    distance: torch.Tensor
    square: torch.Tensor
    duplicate: torch.Tensor
    induction: torch.Tensor

    @classmethod
    def read(
        cls,
        record: Record,
        item: int,
        queries: Axis,
        keys: Axis,
        cancelled: Cancelled,
    ) -> Rows:
        """Read the weights of an item once; `queries` is `keys` where they are one sequence.

        Raises
        ------
        CancelledError
            When `cancelled` said so.
        """
        shape = (record.heads, record.queries)
        counted = torch.zeros(shape, dtype=torch.bool, device="cpu")
        received = torch.zeros(record.heads, record.keys, dtype=torch.float64, device="cpu")
        numbers = {name: torch.zeros(shape, dtype=torch.float64, device="cpu") for name in NUMBERS}
        own = cls(counted, received, **numbers)
        for heads, part, matrix in portions(record, item, keys.first + 1, cancelled):
            with surroundings(matrix.device):
                own._portion(matrix, heads, part, queries, keys)
        return own

    def _portion(
        self, matrix: torch.Tensor, heads: slice, part: slice, queries: Axis, keys: Axis
    ) -> None:
        numbers = {
            "entropy": _entropy(matrix),
            "largest": matrix.amax(-1),
            "total": matrix.sum(-1),
            "first": matrix[..., keys.first],
        }
        counted = ~numbers["total"].isnan().cpu() & queries.counted[part]
        self.counted[heads, part] = counted
        if queries is keys:
            numbers |= _placed(matrix, part, keys)
            if not counted.all():
                matrix = matrix.masked_fill(~counted.to(matrix.device)[..., None], 0.0)
            received = matrix.tril(part.start).sum(-2).cpu().double()
            self.received[heads, : received.shape[-1]] += received
        for name, values in numbers.items():
            own: torch.Tensor = getattr(self, name)
            own[heads, part] = values.cpu().double().masked_fill(~counted, 0.0)


NUMBERS = [own.name for own in fields(Rows) if own.name not in ("counted", "received")]


def _entropy(matrix: torch.Tensor) -> torch.Tensor:
    """Entropy of rows, in nats: twice as fast as `torch.special.entr`, which waits at zeros."""
    tiny = torch.finfo(matrix.dtype).tiny
    return matrix.clamp_min(tiny).log_().mul_(matrix).sum(-1).neg_()


def _placed(matrix: torch.Tensor, part: slice, axis: Axis) -> dict[str, torch.Tensor]:
    """Compute the numbers that compare positions: each of shape (heads, queries)."""
    places = torch.arange(matrix.shape[-1], device=matrix.device)
    apart = (places[part, None] - places[None]).abs()
    same = axis.same(part)[:, : matrix.shape[-1]].to(matrix.device)
    after = torch.nn.functional.pad(same[:, :-1], (1, 0))
    # One product for all four: the matrix is read once, after its copy by queries.
    patterns = torch.stack([apart, apart.square(), same, after], dim=-1).to(matrix.dtype)
    sums = torch.bmm(matrix.transpose(0, 1).contiguous(), patterns).permute(2, 1, 0)
    before = (places[part] - 1).clamp(min=0)  # the first query has none, and gets zero
    previous = matrix.gather(-1, before.expand(len(matrix), -1)[..., None])[..., 0]
    return {
        "own": matrix.diagonal(part.start, -2, -1),
        "previous": previous * (places[part] > 0),
        **dict(zip(("distance", "square", "duplicate", "induction"), sums, strict=True)),
    }
