"""Small pictures of whole heads: weights pooled by their maximum.

Every weight counts: a single strong key in a long text stays visible, which averaging
would lose. For long texts there is a quick form that reads only some queries of each
pixel, with all their keys; its pixels are never more than the exact ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.traces.cancellation import Cancelled, stop_if
from attnlab.traces.cancellation import CancelledError as CancelledError
from attnlab.traces.pooling import Pool, bins
from attnlab.traces.weights import reach, room, surroundings, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.records import Record

SAMPLES = 2
"""Queries that are read of each row of pixels when sampled, the last among them."""

AT_ONCE = 1 << 24
"""So many weights in all are read about as quickly as a sample of them (some 50 ms)."""


def shape(records: Sequence[Record], size: int) -> tuple[int, int]:
    """Rows and columns of all pictures: no more than `size`, and than the longest text."""
    return (
        min(size, max(record.queries for record in records)),
        min(size, max(record.keys for record in records)),
    )


def samples(records: Sequence[Record], size: int) -> bool:
    """Whether pictures of this size are quicker sampled; else sampled ones are the exact ones."""
    rows = shape(records, size)[0]
    total = sum(record.heads * record.queries * record.keys for record in records)
    return total > AT_ONCE and any(record.queries > SAMPLES * rows for record in records)


def portions(records: Sequence[Record], size: int, sampled: bool = False) -> int:
    """How often drawing asks whether it is cancelled."""
    rows = shape(records, size)[0]
    few = sampled and samples(records, size)
    total = 0
    for record in records:
        queries = len(_sample(bins(record.queries, rows))[0]) if few else record.queries
        heads, at_once = _steps(record, queries)
        total += -(-record.heads // heads) * -(-queries // at_once)
    return total


def thumbnails(
    records: Sequence[Record],
    size: int,
    cancelled: Cancelled,
    items: list[int],
    sampled: bool = False,
) -> NDArray[np.uint8]:
    """Max-pooled weights of all heads of all records, in order; one item of each.

    Returns
    -------
    numpy.ndarray
        Shape (heads of all records, *shape), u8: weights scaled by 255 and rounded; NaN is 0.

    Raises
    ------
    CancelledError
        As soon as `cancelled` says so; it is asked before each portion of about 8 MiB.
    """
    rows, columns = shape(records, size)
    few = sampled and samples(records, size)
    heads = sum(record.heads for record in records)
    result = torch.zeros((heads, rows, columns), dtype=torch.uint8, device="cpu")
    first = 0
    for record, item in zip(records, items, strict=True):
        own = result[first : first + record.heads]
        with surroundings(record.tensors[0].device):
            _draw(record, item, bins(record.queries, rows), cancelled, few, own)
        first += record.heads
    return result.numpy()


def _draw(
    record: Record,
    item: int,
    down: list[range],
    cancelled: Cancelled,
    few: bool,
    result: torch.Tensor,
) -> None:
    """Draw the heads of one record, as many at a time as memory allows."""
    queries: Sequence[int] = range(record.queries)
    if few:
        queries, down = _sample(down)
    across = bins(record.keys, result.shape[-1])
    step, at_once = _steps(record, len(queries))
    for start in range(0, record.heads, step):
        heads = slice(start, min(start + step, record.heads))
        pool = Pool(down, across)
        for at in range(0, len(queries), at_once):
            stop_if(cancelled)
            part = queries[at : at + at_once]
            own = slice(part.start, part.stop) if isinstance(part, range) else list(part)
            # Whole pixels: no key that these queries reach is left out.
            last = reach(record, own)
            keys = next(part.stop for part in across if part.stop >= last)
            pool.add(at, weights(record, heads, own, item, keys))
        result[heads] = _bytes(pool.pixels).cpu()


def _steps(record: Record, queries: int) -> tuple[int, int]:
    """How many heads, and how many queries of each, are read at once."""
    most = room(record.keys)  # rows of weights
    heads = max(1, min(record.heads, most // queries))
    return heads, most // heads


def _sample(down: list[range]) -> tuple[list[int], list[range]]:
    """Choose some queries of each pixel, evenly and with the last; their places in the choice.

    The last query of a pixel sees most where a query sees only what precedes it.
    """
    queries: list[int] = []
    places = []
    for part in down:
        count = min(len(part), SAMPLES)
        places.append(range(len(queries), len(queries) + count))
        queries += [part.start + (at + 1) * len(part) // count - 1 for at in range(count)]
    return queries, places


def _bytes(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.nan_to_num(0.0).clamp_(0, 1) * 255).round_().to(torch.uint8)
