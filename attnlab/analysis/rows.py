"""Statistics of every row of a site, from which the scores of heads are computed.

The matrix of a site is never in memory as a whole: weights are read for some heads and queries
at a time, in portions of at most `attnlab.traces.weights.CHUNK_BYTES`; only the statistics of
rows are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from attnlab.traces.cancellation import stop_if
from attnlab.traces.weights import neutral_modes, reachable_keys, rows_per_chunk, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.analysis.axis import Axis
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.traces.cancellation import Cancelled


def portions(
    record: AttentionRecord, item: int, least: int, cancelled: Cancelled
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Weights of one batch item in portions of heads and queries.

    Parameters
    ----------
    record
        The attention call.
    item
        Index into the batch of the call.
    least
        Minimum number of keys of each portion, if the call has that many.
    cancelled
        Called before each portion.

    Yields
    ------
    tuple of (heads, queries, weights)
        Weights have the shape (heads, queries, keys), float32, on the record's device; NaN
        in the rows of queries that attend to no key. In causal attention, keys after all
        queries of the portion are omitted, which saves half of the work.

    Raises
    ------
    CancelledError
        If `cancelled` returned true.
    """
    across, down = _steps(record)
    for head in range(0, record.heads, across):
        heads = slice(head, min(head + across, record.heads))
        for query in range(0, record.queries, down):
            stop_if(cancelled)
            queries = slice(query, min(query + down, record.queries))
            keys = max(reachable_keys(record, queries), min(least, record.keys))
            yield heads, queries, weights(record, heads, queries, item, keys)


def count(record: AttentionRecord) -> int:
    """Count the portions of a call."""
    across, down = _steps(record)
    return -(-record.heads // across) * -(-record.queries // down)


def _steps(record: AttentionRecord) -> tuple[int, int]:
    """Numbers of heads, and of queries of each head, that are read at once."""
    across = min(record.heads, rows_per_chunk(record.keys))
    return across, max(1, rows_per_chunk(record.keys) // across)


@dataclass(eq=False)
class RowStatistics:
    """Statistics of every row of a site, for one batch item, on the CPU.

    All are float64 of shape (heads, queries) unless noted. Sums within a row are in float32,
    the precision of the weights; sums over rows are in float64. Statistics that compare
    positions are zero if queries and keys are not the same sequence.

    Attributes
    ----------
    counted
        Bool: whether the row is included in means. Padding and rows without a key are not.
    entropy
        ``-sum_j a[i, j] ln a[i, j]``, in nats.
    largest
        ``max_j a[i, j]``.
    total
        ``sum_j a[i, j]``: less than 1 if the model has a learned sink.
    first
        Weight of the first key that is not padding.
    itself, previous
        ``a[i, i]`` and ``a[i, i - 1]``.
    distance, square
        ``sum_j a[i, j] |i - j|`` and ``sum_j a[i, j] (i - j)^2``, in positions.
    duplicate, induction
        ``a[i, p]`` and ``a[i, p + 1]``, summed over earlier positions p with the same token
        as i.
    received
        Shape (heads, keys): ``sum_i a[i, j]`` over counted rows i >= j.
    """

    counted: torch.Tensor
    received: torch.Tensor
    entropy: torch.Tensor
    largest: torch.Tensor
    total: torch.Tensor
    first: torch.Tensor
    itself: torch.Tensor
    previous: torch.Tensor
    distance: torch.Tensor
    square: torch.Tensor
    duplicate: torch.Tensor
    induction: torch.Tensor

    @classmethod
    def read(
        cls,
        record: AttentionRecord,
        item: int,
        queries: Axis,
        keys: Axis,
        cancelled: Cancelled,
    ) -> RowStatistics:
        """Read the weights of a batch item once.

        `queries` and `keys` are the same object if they are one sequence.

        Raises
        ------
        CancelledError
            If `cancelled` returned true.
        """
        shape = (record.heads, record.queries)
        counted = torch.zeros(shape, dtype=torch.bool, device="cpu")
        received = torch.zeros(record.heads, record.keys, dtype=torch.float64, device="cpu")
        numbers = {name: torch.zeros(shape, dtype=torch.float64, device="cpu") for name in NUMBERS}
        rows = cls(counted, received, **numbers)
        for heads, part, matrix in portions(record, item, keys.first + 1, cancelled):
            with neutral_modes(matrix.device):
                rows._add(matrix, heads, part, queries, keys)
        return rows

    def _add(
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
            numbers |= _by_position(matrix, part, keys)
            if not counted.all():
                matrix = matrix.masked_fill(~counted.to(matrix.device)[..., None], 0.0)
            received = matrix.tril(part.start).sum(-2).cpu().double()
            self.received[heads, : received.shape[-1]] += received
        for name, values in numbers.items():
            rows: torch.Tensor = getattr(self, name)
            rows[heads, part] = values.cpu().double().masked_fill(~counted, 0.0)


NUMBERS = [
    field.name for field in fields(RowStatistics) if field.name not in ("counted", "received")
]


def _entropy(matrix: torch.Tensor) -> torch.Tensor:
    """Entropy of rows, in nats; twice as fast as `torch.special.entr`, which is slow for zeros."""
    tiny = torch.finfo(matrix.dtype).tiny
    return matrix.clamp_min(tiny).log_().mul_(matrix).sum(-1).neg_()


def _by_position(matrix: torch.Tensor, part: slice, axis: Axis) -> dict[str, torch.Tensor]:
    """Compute the statistics that compare positions: each of shape (heads, queries)."""
    positions = torch.arange(matrix.shape[-1], device=matrix.device)
    apart = (positions[part, None] - positions[None]).abs()
    same = axis.same(part)[:, : matrix.shape[-1]].to(matrix.device)
    after = torch.nn.functional.pad(same[:, :-1], (1, 0))
    # One product for all four statistics: the matrix is copied by queries and read once.
    patterns = torch.stack([apart, apart.square(), same, after], dim=-1).to(matrix.dtype)
    sums = torch.bmm(matrix.transpose(0, 1).contiguous(), patterns).permute(2, 1, 0)
    before = (positions[part] - 1).clamp(min=0)  # the first query has no previous position
    previous = matrix.gather(-1, before.expand(len(matrix), -1)[..., None])[..., 0]
    return {
        "itself": matrix.diagonal(part.start, -2, -1),
        "previous": previous * (positions[part] > 0),
        **dict(zip(("distance", "square", "duplicate", "induction"), sums, strict=True)),
    }
