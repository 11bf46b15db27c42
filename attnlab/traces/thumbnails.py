"""Small images of whole heads: weights pooled by maximum.

The maximum keeps a single large weight in a long text visible; the mean would hide it. For long
texts there is a faster, sampled form that reads only some queries of each row of pixels, with all
their keys. Its pixels are never larger than the exact ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.memory import allow
from attnlab.traces.cancellation import Cancelled, stop_if
from attnlab.traces.cancellation import CancelledError as CancelledError
from attnlab.traces.pooling import Pool, bins
from attnlab.traces.weights import neutral_modes, reachable_keys, rows_per_chunk, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord

SAMPLES = 2
"""Number of queries that are sampled for each row of pixels; the last one is included."""

AT_ONCE = 1 << 24
"""Up to this total number of weights (about 50 ms), sampling saves no time."""


def shape(records: Sequence[AttentionRecord], size: int) -> tuple[int, int]:
    """Rows and columns of all images: at most `size`, and at most the longest text."""
    return (
        min(size, max(record.queries for record in records)),
        min(size, max(record.keys for record in records)),
    )


def samples(records: Sequence[AttentionRecord], size: int) -> bool:
    """Whether sampling is faster for images of this size; otherwise sampled images are exact."""
    rows = shape(records, size)[0]
    total = sum(record.heads * record.queries * record.keys for record in records)
    return total > AT_ONCE and any(record.queries > SAMPLES * rows for record in records)


def portions(records: Sequence[AttentionRecord], size: int, sampled: bool = False) -> int:
    """Return the number of calls of `cancelled` by `thumbnails`."""
    rows = shape(records, size)[0]
    use_samples = sampled and samples(records, size)
    total = 0
    for record in records:
        queries = len(_sample(bins(record.queries, rows))[0]) if use_samples else record.queries
        heads, at_once = _steps(record, queries)
        total += -(-record.heads // heads) * -(-queries // at_once)
    return total


def thumbnails(
    records: Sequence[AttentionRecord],
    size: int,
    cancelled: Cancelled,
    items: list[int],
    sampled: bool = False,
) -> NDArray[np.uint8]:
    """Max-pooled weights of all heads of all records, in order, for one item of each.

    Returns
    -------
    numpy.ndarray
        Shape (heads of all records, *shape), u8: weights scaled by 255 and rounded; NaN is 0.

    Raises
    ------
    ValueError
        If `size` is less than 1.
    MemoryError
        If the images exceed the budget.
    CancelledError
        If `cancelled` returned true; it is called before each portion of about 8 MiB.
    """
    if size < 1:
        raise ValueError(f"a thumbnail has a side of at least 1 pixel, not {size}")
    rows, columns = shape(records, size)
    heads = sum(record.heads for record in records)
    allow(heads * rows * columns, "thumbnails of this size", "ask for smaller")
    use_samples = sampled and samples(records, size)
    result = torch.zeros((heads, rows, columns), dtype=torch.uint8, device="cpu")
    first = 0
    for record, item in zip(records, items, strict=True):
        images = result[first : first + record.heads]
        with neutral_modes(record.tensors[0].device):
            _draw(record, item, bins(record.queries, rows), cancelled, use_samples, images)
        first += record.heads
    return result.numpy()


def _draw(
    record: AttentionRecord,
    item: int,
    down: list[range],
    cancelled: Cancelled,
    use_samples: bool,
    result: torch.Tensor,
) -> None:
    """Compute the images of one record, as many heads at once as fit in a portion."""
    queries: Sequence[int] = range(record.queries)
    if use_samples:
        queries, down = _sample(down)
    across = bins(record.keys, result.shape[-1])
    step, at_once = _steps(record, len(queries))
    for start in range(0, record.heads, step):
        heads = slice(start, min(start + step, record.heads))
        pool = Pool(down, across)
        for at in range(0, len(queries), at_once):
            stop_if(cancelled)
            part = queries[at : at + at_once]
            selected = slice(part.start, part.stop) if isinstance(part, range) else list(part)
            # Rounded up to whole pixels, so that all keys that these queries reach are included.
            reachable = reachable_keys(record, selected)
            keys = next(pixel.stop for pixel in across if pixel.stop >= reachable)
            pool.add(at, weights(record, heads, selected, item, keys))
        result[heads] = _bytes(pool.pixels).cpu()


def _steps(record: AttentionRecord, queries: int) -> tuple[int, int]:
    """Return how many heads are read at once, and how many queries of each of them."""
    rows = rows_per_chunk(record.keys)
    heads = max(1, min(record.heads, rows // queries))
    return heads, rows // heads


def _sample(down: list[range]) -> tuple[list[int], list[range]]:
    """Choose evenly spaced queries of each row of pixels, and list their ranges in the choice.

    The last query is included, because it attends to the most keys in causal attention.
    """
    queries: list[int] = []
    parts = []
    for part in down:
        count = min(len(part), SAMPLES)
        parts.append(range(len(queries), len(queries) + count))
        queries += [part.start + (at + 1) * len(part) // count - 1 for at in range(count)]
    return queries, parts


def _bytes(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.nan_to_num(0.0).clamp_(0, 1) * 255).round_().to(torch.uint8)
