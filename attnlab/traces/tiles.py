"""Parts of a head at any zoom.

A weight needs the whole row of its scores. What it needs of it are two numbers, which are
kept for the heads that were looked at last: a tile then costs no more than it shows.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnlab.traces.cancellation import Cancelled, never, stop_if
from attnlab.traces.weights import Portion, divisors, kept, room, scores, surroundings, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from attnlab.capture.records import Record
    from attnlab.traces.pooling import Pool

HEADS = 8
"""Heads of a site whose rows are kept: 9 bytes for each of their queries."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Divisors of one head's rows, each of shape (queries,); those that are `known`."""

    shift: torch.Tensor
    total: torch.Tensor
    known: NDArray[np.bool_]


class KeptRows:
    """Divisors of the rows of a call's heads that were looked at last.

    Every method may be called from any thread.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int], Rows] = OrderedDict()
        self._lock = RLock()

    def of(self, record: Record, head: int, item: int) -> Rows:
        """Find a head's rows; none of them known where it is looked at for the first time."""
        with self._lock:
            own = self._held.pop((head, item), None) or _unknown(record)
            self._held[head, item] = own
            if len(self._held) > HEADS:
                self._held.popitem(last=False)
            return own


def _unknown(record: Record) -> Rows:
    device = record.tensors[0].device
    with surroundings(device):
        shift, total = torch.zeros((2, record.queries), dtype=torch.float32, device=device)
        return Rows(shift, total, np.zeros(record.queries, dtype=np.bool_))


def tile(
    record: Record,
    rows: KeptRows,
    head: int,
    queries: range,
    keys: range,
    pool: Pool,
    item: int = 0,
    cancelled: Cancelled = never,
) -> torch.Tensor:
    """Weights of a part of a head, taken into a pool of that part.

    Returns
    -------
    torch.Tensor
        The pool's pixels, float32, on the record's device; NaN where one shows no weight.

    Raises
    ------
    CancelledError
        When `cancelled` said so.
    """
    for start, matrix in _portions(record, rows, head, queries, keys, item, cancelled):
        with surroundings(matrix.device):
            pool.add(start, matrix)
    with surroundings(record.tensors[0].device):
        return pool.pixels


def _portions(
    record: Record,
    rows: KeptRows,
    head: int,
    queries: range,
    keys: range,
    item: int,
    cancelled: Cancelled,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Weights of the part, some queries at a time, with the first one's place in the part."""
    heads, columns = slice(head, head + 1), slice(keys.start, keys.stop)
    whole = len(keys) == record.keys
    held = rows.of(record, head, item) if record.weights is None and not whole else None
    if held is not None:
        _complete(record, held, head, queries, item, cancelled)
    step = room(len(keys))
    for start in range(0, len(queries), step):
        stop_if(cancelled)
        part = queries[start : start + step]
        own = slice(part.start, part.stop)
        if held is not None:
            matrix = scores(record, Portion(item, heads, own, columns))[0]
            with surroundings(matrix.device):
                matrix.sub_(held.shift[own, None]).exp_().div_(held.total[own, None])
        elif record.weights is not None:
            matrix = kept(record.weights, Portion(item, heads, own, columns))[0]
        else:
            matrix = weights(record, heads, own, item)[0]
        yield start, matrix


def _complete(
    record: Record, held: Rows, head: int, queries: range, item: int, cancelled: Cancelled
) -> None:
    """Compute the divisors of those rows that are not known yet."""
    known = held.known[queries.start : queries.stop]
    missing: list[int] = (queries.start + np.flatnonzero(~known)).tolist()
    step = room(record.keys)
    for start in range(0, len(missing), step):
        stop_if(cancelled)
        part = missing[start : start + step]
        portion = Portion(item, slice(head, head + 1), part)
        with surroundings(held.shift.device):
            shift, total = divisors(record, portion, scores(record, portion))
            held.shift[part], held.total[part] = shift[0, :, 0], total[0, :, 0]
        # Only now: another thread may be reading.
        held.known[part] = True
