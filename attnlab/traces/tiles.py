"""Parts of a head at any zoom.

A weight depends on the other scores of its row only through two numbers, the softmax divisors.
These are cached for the heads that were read last, so that a tile needs only its own scores.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnlab.traces.cancellation import Cancelled, never, stop_if
from attnlab.traces.weights import (
    Portion,
    divisors,
    neutral_modes,
    recorded_weights,
    rows_per_chunk,
    scores,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.traces.pooling import Pool

HEADS = 8
"""Number of heads per site whose divisors are cached, in 9 bytes per query."""


@dataclass(frozen=True, eq=False)
class RowDivisors:
    """Softmax divisors of the rows of one head, shape (queries,); valid where `known` is true."""

    shift: torch.Tensor
    total: torch.Tensor
    known: NDArray[np.bool_]


class DivisorCache:
    """Softmax divisors of the heads of a call that were read last.

    Every method may be called from any thread.
    """

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[int, int], RowDivisors] = OrderedDict()
        self._lock = RLock()

    def of(self, record: AttentionRecord, head: int, item: int) -> RowDivisors:
        """Return the divisors of a head; none are known when it is read for the first time."""
        with self._lock:
            rows = self._rows.pop((head, item), None) or _unknown(record)
            self._rows[head, item] = rows
            if len(self._rows) > HEADS:
                self._rows.popitem(last=False)
            return rows


def _unknown(record: AttentionRecord) -> RowDivisors:
    device = record.tensors[0].device
    with neutral_modes(device):
        shift, total = torch.zeros((2, record.queries), dtype=torch.float32, device=device)
        return RowDivisors(shift, total, np.zeros(record.queries, dtype=np.bool_))


def tile(
    record: AttentionRecord,
    rows: DivisorCache,
    head: int,
    queries: range,
    keys: range,
    pool: Pool,
    item: int = 0,
    cancelled: Cancelled = never,
) -> NDArray[np.float32]:
    """Compute the weights of a part of a head, and add them to a pool for this part.

    Returns
    -------
    numpy.ndarray
        Pixels of the pool, float32; NaN where a pixel has no weight.

    Raises
    ------
    CancelledError
        If `cancelled` returned true.
    """
    for start, matrix in _portions(record, rows, head, queries, keys, item, cancelled):
        with neutral_modes(matrix.device):
            pool.add(start, matrix)
    with neutral_modes(record.tensors[0].device):
        pixels = pool.pixels
    return pixels.cpu().numpy()


def _portions(
    record: AttentionRecord,
    rows: DivisorCache,
    head: int,
    queries: range,
    keys: range,
    item: int,
    cancelled: Cancelled,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the weights of the part in portions of queries, with their offsets in the part."""
    heads, columns = slice(head, head + 1), slice(keys.start, keys.stop)
    all_keys = len(keys) == record.keys
    cached = rows.of(record, head, item) if record.weights is None and not all_keys else None
    if cached is not None:
        _complete(record, cached, head, queries, item, cancelled)
    step = rows_per_chunk(len(keys))
    for start in range(0, len(queries), step):
        stop_if(cancelled)
        part = queries[start : start + step]
        selected = slice(part.start, part.stop)
        if cached is not None:
            matrix = scores(record, Portion(item, heads, selected, columns))[0]
            with neutral_modes(matrix.device):
                matrix.sub_(cached.shift[selected, None]).exp_().div_(cached.total[selected, None])
        elif record.weights is not None:
            matrix = recorded_weights(record.weights, Portion(item, heads, selected, columns))[0]
        else:
            matrix = weights(record, heads, selected, item)[0]
        yield start, matrix


def _complete(
    record: AttentionRecord,
    rows: RowDivisors,
    head: int,
    queries: range,
    item: int,
    cancelled: Cancelled,
) -> None:
    """Compute the divisors of the rows that are not known yet."""
    known = rows.known[queries.start : queries.stop]
    missing: list[int] = (queries.start + np.flatnonzero(~known)).tolist()
    step = rows_per_chunk(record.keys)
    for start in range(0, len(missing), step):
        stop_if(cancelled)
        part = missing[start : start + step]
        portion = Portion(item, slice(head, head + 1), part)
        with neutral_modes(rows.shift.device):
            shift, total = divisors(record, portion, scores(record, portion))
            rows.shift[part], rows.total[part] = shift[0, :, 0], total[0, :, 0]
        # Set last, because another thread may be reading.
        rows.known[part] = True
