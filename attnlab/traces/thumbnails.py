"""Small pictures of whole heads: weights pooled by their maximum.

Every weight counts: a single strong key in a long text stays visible, which sampling or
averaging would lose.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from attnlab.traces.weights import CHUNK_BYTES, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.records import Record


class CancelledError(Exception):
    """The pictures are not wanted any more."""


def bins(length: int, size: int) -> list[range]:
    """Positions that each of `size` pixels shows.

    With at least as many positions as pixels, position ``i`` is in pixel
    ``i * size // length``: each in exactly one. With fewer, pixel ``j`` repeats position
    ``j * length // size``.
    """
    if length < size:
        return [range(at, at + 1) for at in (pixel * length // size for pixel in range(size))]
    edges = [-(-pixel * length // size) for pixel in range(size + 1)]
    return [range(*edge) for edge in pairwise(edges)]


def pooled(matrix: torch.Tensor, parts: list[range], axis: int) -> torch.Tensor:
    """Maximum over each of `parts` along an axis, without a copy of the matrix."""
    return torch.stack(
        [matrix.narrow(axis, part.start, len(part)).amax(axis) for part in parts], dim=axis
    )


def thumbnails(
    records: list[Record],
    shape: tuple[int, int],
    cancelled: Callable[[], bool],
    items: list[int],
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
    heads = sum(record.heads for record in records)
    result = torch.zeros((heads, *shape), dtype=torch.uint8)
    first = 0
    for record, item in zip(records, items, strict=True):
        for part, row, pixels in _portions(record, shape, item):
            if cancelled():
                raise CancelledError
            result[first + part.start : first + part.stop, row] = pixels.cpu()
        first += record.heads
    return result.numpy()


def _portions(
    record: Record, shape: tuple[int, int], item: int
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Pixels of one record, as many at a time as memory allows: (heads, pixel rows, pixels)."""
    across = bins(record.keys, shape[1])
    down = bins(record.queries, shape[0])
    room = max(1, CHUNK_BYTES // (4 * record.keys))  # rows of weights at once
    step = max(1, min(record.heads, room // record.queries))
    for start in range(0, record.heads, step):
        heads = slice(start, min(start + step, record.heads))
        for band in _bands(down, room // step):
            yield heads, band, _bytes(_tall(record, heads, down[band], across, room, item))


def _bands(parts: list[range], room: int) -> Iterator[slice]:
    """Neighbouring pixels whose positions together are at most `room`, or a single pixel."""
    start = 0
    for pixel in range(1, len(parts) + 1):
        if pixel == len(parts) or parts[pixel].stop - parts[start].start > room:
            yield slice(start, pixel)
            start = pixel


def _tall(
    record: Record, heads: slice, down: list[range], across: list[range], room: int, item: int
) -> torch.Tensor:
    """Pixels of some rows: (heads, len(down), len(across)), of weights or 0 for NaN."""
    first, last = down[0].start, down[-1].stop
    if len(down) > 1:
        matrix = weights(record, heads, slice(first, last), item).nan_to_num_(0.0)
        own = [range(part.start - first, part.stop - first) for part in down]
        return pooled(pooled(matrix, own, -2), across, -1)
    # One pixel of a long text may hold more rows than there is room for.
    pieces = [
        weights(record, heads, slice(at, min(at + room, last)), item).nan_to_num_(0.0).amax(1)
        for at in range(first, last, room)
    ]
    return pooled(torch.stack(pieces).amax(0)[:, None], across, -1)


def _bytes(matrix: torch.Tensor) -> torch.Tensor:
    return (matrix * 255).round().to(torch.uint8)
