"""Resizes a matrix of weights to any number of pixels, by maximum or mean."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

from attnlab.capture.record.memory import allow

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pooling = Literal["max", "mean"]

FEW = 4
"""Up to this many rows per pixel, the n-th rows of all pixels are pooled in one operation."""


def bins(length: int, size: int) -> list[range]:
    """List the positions that each of `size` pixels shows.

    With at least as many positions as pixels, each position ``i`` is in exactly one pixel,
    ``i * size // length``. With fewer positions, pixel ``j`` repeats position
    ``j * length // size``.
    """
    if length < size:
        return [range(at, at + 1) for at in (pixel * length // size for pixel in range(size))]
    bounds = [-(-pixel * length // size) for pixel in range(size + 1)]
    return [range(*pair) for pair in pairwise(bounds)]


def blocks(length: int, side: int) -> list[range]:
    """List the positions of each pixel: `side` per pixel, possibly fewer in the last one."""
    return [range(start, min(start + side, length)) for start in range(0, length, side)]


class Pool:
    """Pools a matrix that is added in portions of rows; NaN weights are ignored.

    Parameters
    ----------
    down, across
        Rows and columns of the matrix that each pixel shows, in ascending order.
    pooling
        ``max`` or ``mean``.
    """

    def __init__(self, down: list[range], across: list[range], pooling: Pooling = "max") -> None:
        self.down, self.across, self.pooling = down, across, pooling
        self._pixels: torch.Tensor | None = None
        self._counts: torch.Tensor | None = None

    def add(self, start: int, matrix: torch.Tensor) -> None:
        """Add the rows from `start` on, shape (…, rows, columns); modifies `matrix`.

        With ``max`` pooling, the columns of the last pixels may be omitted; these pixels are not
        updated.
        """
        stop = start + matrix.shape[-2]
        overlapping = [
            pixel for pixel, part in enumerate(self.down) if part.start < stop and part.stop > start
        ]
        if not overlapping:
            return
        covered = slice(overlapping[0], overlapping[-1] + 1)
        rows = [
            range(max(part.start, start) - start, min(part.stop, stop) - start)
            for part in self.down[covered]
        ]
        if self.pooling == "max":
            pixels = self._pooled(_without_nan(matrix, -torch.inf), rows)
            shape = (*pixels.shape[:-2], len(self.down), len(self.across))
            if self._pixels is None:
                self._pixels = pixels.new_full(shape, -torch.inf)
            updated = self._pixels[..., covered, : pixels.shape[-1]]
            torch.maximum(updated, pixels, out=updated)
            return
        counts = self._pooled(matrix.isnan().logical_not_().to(matrix.dtype), rows)
        pixels = self._pooled(_without_nan(matrix, 0.0), rows)
        self._pixels = _blank(self._pixels, pixels, len(self.down), 0.0)
        self._counts = _blank(self._counts, counts, len(self.down), 0.0)
        self._pixels[..., covered, :] += pixels
        self._counts[..., covered, :] += counts

    @property
    def pixels(self) -> torch.Tensor:
        """The pixels, computed from all rows added so far.

        Shape (…, len(down), len(across)); NaN where all weights of a pixel are NaN.
        """
        assert self._pixels is not None
        if self._counts is not None:
            return self._pixels / self._counts
        return self._pixels.masked_fill(self._pixels == -torch.inf, torch.nan)

    def _pooled(self, matrix: torch.Tensor, rows: list[range]) -> torch.Tensor:
        # Rows are pooled first: this reads memory in order and leaves a small matrix to pool.
        columns = [part for part in self.across if part.stop <= matrix.shape[-1]]
        return pooled(_by_rows(matrix, rows, self.pooling), columns, self.pooling)


def tile_pool(queries: range, keys: range, shape: tuple[int, int], pooling: Pooling) -> Pool:
    """Create the pool for a part of a head that is shown with this number of pixels.

    Raises
    ------
    ValueError
        If `shape` has no pixels, or `pooling` is invalid.
    MemoryError
        If the pixels exceed the budget.
    """
    if min(shape) < 1:
        raise ValueError(f"a tile has at least 1 × 1 pixels, not {shape[0]} × {shape[1]}")
    if pooling not in get_args(Pooling):
        raise ValueError(f"pooling must be 'max' or 'mean', not {pooling!r}")
    allow(4 * shape[0] * shape[1], "tiles of this shape", "ask for smaller ones")
    return Pool(bins(len(queries), shape[0]), bins(len(keys), shape[1]), pooling)


def block_pool(queries: range, keys: range, side: int) -> Pool:
    """Create the pool for a part of a head that is shown in blocks of `side` × `side` weights.

    Raises
    ------
    ValueError
        If `side` is less than 1.
    MemoryError
        If the maxima of the blocks exceed the budget.
    """
    if side < 1:
        raise ValueError(f"a block has at least 1 × 1 weights, not {side} × {side}")
    down, across = blocks(len(queries), side), blocks(len(keys), side)
    allow(4 * len(down) * len(across), "blocks of this side", "ask for a part, or larger ones")
    return Pool(down, across)


def pooled(matrix: torch.Tensor, parts: list[range], pooling: Pooling = "max") -> torch.Tensor:
    """Pool the last axis: the maximum over each of `parts`, or the sum for mean pooling."""
    positions = _positions(parts, matrix.device)
    longest = len(positions)
    if longest == 1 and len(parts) == matrix.shape[-1]:
        return matrix  # each pixel is one weight
    # All parts are padded to the same length, so that one operation pools all of them.
    padded = matrix.index_select(-1, positions.flatten())
    padded = padded.view(*matrix.shape[:-1], *positions.shape)
    if pooling == "max":
        return padded.amax(-2)  # a repeated position does not change the maximum
    lengths = torch.tensor([len(part) for part in parts], device=matrix.device)
    beyond = torch.arange(longest, device=matrix.device)[:, None] >= lengths
    return padded.masked_fill_(beyond, 0.0).sum(-2)


def _by_rows(matrix: torch.Tensor, parts: list[range], pooling: Pooling) -> torch.Tensor:
    """Pool the second to last axis, without copying the matrix."""
    longest = max(map(len, parts))
    if longest == 1 and [part.start for part in parts] == list(range(matrix.shape[-2])):
        return matrix
    if longest == 1 or (pooling == "max" and longest <= FEW):
        # The first rows of all parts, then the second ones, and so on.
        first, *others = _positions(parts, matrix.device)
        result = matrix.index_select(-2, first)
        for rows in others:
            torch.maximum(result, matrix.index_select(-2, rows), out=result)
        return result
    slices = (matrix.narrow(-2, part.start, len(part)) for part in parts)
    if pooling == "max":
        return torch.stack([rows.amax(-2) for rows in slices], dim=-2)
    return torch.stack([rows.sum(-2) for rows in slices], dim=-2)


def _positions(parts: list[range], device: torch.device) -> torch.Tensor:
    """Positions as an array (longest part, parts); shorter parts repeat their last position."""
    return torch.from_numpy(_position_array(tuple(parts))).to(device)


@lru_cache(maxsize=64)
def _position_array(parts: tuple[range, ...]) -> NDArray[np.int64]:
    # Cached, because creating the array is slow and all heads of a model use the same one.
    longest = max(map(len, parts))
    return np.array(
        [[min(part.start + at, part.stop - 1) for part in parts] for at in range(longest)]
    )


def _without_nan(matrix: torch.Tensor, replacement: float) -> torch.Tensor:
    return matrix.nan_to_num_(replacement, posinf=torch.inf, neginf=-torch.inf)


def _blank(
    pixels: torch.Tensor | None, like: torch.Tensor, rows: int, value: float
) -> torch.Tensor:
    if pixels is not None:
        return pixels
    return like.new_full((*like.shape[:-2], rows, like.shape[-1]), value)
