"""Shows a matrix in fewer or more pixels than it has weights, by maximum or mean."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pooling = Literal["max", "mean"]

FEW = 4
"""So many rows a pixel are pooled by fewer and larger operations than one for each pixel."""


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


def blocks(length: int, side: int) -> list[range]:
    """Positions that each pixel shows where all show `side` of them, but for the last."""
    return [range(start, min(start + side, length)) for start in range(0, length, side)]


class Pool:
    """Pools a matrix that comes in portions of rows; weights that are NaN count for nothing.

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
        """Take in rows from `start` on, shape (…, rows, columns); changes `matrix`.

        Columns may end early, at the end of a pixel: those that are left out count for
        nothing in a maximum.
        """
        stop = start + matrix.shape[-2]
        touched = [
            pixel for pixel, part in enumerate(self.down) if part.start < stop and part.stop > start
        ]
        if not touched:
            return
        own = slice(touched[0], touched[-1] + 1)
        rows = [
            range(max(part.start, start) - start, min(part.stop, stop) - start)
            for part in self.down[own]
        ]
        if self.pooling == "max":
            pixels = self._pooled(_without_nan(matrix, -torch.inf), rows)
            shape = (*pixels.shape[:-2], len(self.down), len(self.across))
            if self._pixels is None:
                self._pixels = pixels.new_full(shape, -torch.inf)
            seen = self._pixels[..., own, : pixels.shape[-1]]
            torch.maximum(seen, pixels, out=seen)
            return
        counts = self._pooled(matrix.isnan().logical_not_().to(matrix.dtype), rows)
        pixels = self._pooled(_without_nan(matrix, 0.0), rows)
        self._pixels = _blank(self._pixels, pixels, len(self.down), 0.0)
        self._counts = _blank(self._counts, counts, len(self.down), 0.0)
        self._pixels[..., own, :] += pixels
        self._counts[..., own, :] += counts

    @property
    def pixels(self) -> torch.Tensor:
        """What has come so far: shape (…, len(down), len(across)); NaN where all is NaN."""
        assert self._pixels is not None
        if self._counts is not None:
            return self._pixels / self._counts
        return self._pixels.masked_fill(self._pixels == -torch.inf, torch.nan)

    def _pooled(self, matrix: torch.Tensor, rows: list[range]) -> torch.Tensor:
        # Rows first: whole rows are read in the order of memory, and few are left.
        columns = [part for part in self.across if part.stop <= matrix.shape[-1]]
        return pooled(_by_rows(matrix, rows, self.pooling), columns, self.pooling)


def pooled(matrix: torch.Tensor, parts: list[range], pooling: Pooling = "max") -> torch.Tensor:
    """Pool the last axis: maxima over each of `parts`, or sums for the mean."""
    places = _places(parts, matrix.device)
    longest = len(places)
    if longest == 1 and len(parts) == matrix.shape[-1]:
        return matrix  # each pixel is one weight
    # All parts brought to one length, so that it is one operation, not one for each pixel.
    own = matrix.index_select(-1, places.flatten()).view(*matrix.shape[:-1], *places.shape)
    if pooling == "max":
        return own.amax(-2)  # a position that is there twice changes no maximum
    lengths = torch.tensor([len(part) for part in parts], device=matrix.device)
    beyond = torch.arange(longest, device=matrix.device)[:, None] >= lengths
    return own.masked_fill_(beyond, 0.0).sum(-2)


def _by_rows(matrix: torch.Tensor, parts: list[range], pooling: Pooling) -> torch.Tensor:
    """Pool the last but one axis, without a copy of the matrix."""
    longest = max(map(len, parts))
    if longest == 1 and [part.start for part in parts] == list(range(matrix.shape[-2])):
        return matrix
    if longest == 1 or (pooling == "max" and longest <= FEW):
        # The first rows of all parts, then the second ones, and so on.
        first, *others = _places(parts, matrix.device)
        result = matrix.index_select(-2, first)
        for rows in others:
            torch.maximum(result, matrix.index_select(-2, rows), out=result)
        return result
    slices = (matrix.narrow(-2, part.start, len(part)) for part in parts)
    if pooling == "max":
        return torch.stack([rows.amax(-2) for rows in slices], dim=-2)
    return torch.stack([rows.sum(-2) for rows in slices], dim=-2)


def _places(parts: list[range], device: torch.device) -> torch.Tensor:
    """Positions of parts: (longest part, parts); a shorter one repeats its last position."""
    return torch.from_numpy(_positions(tuple(parts))).to(device)


@lru_cache(maxsize=64)
def _positions(parts: tuple[range, ...]) -> NDArray[np.int64]:
    # The heads of a model are pooled alike, and making this takes longer than using it.
    longest = max(map(len, parts))
    return np.array(
        [[min(part.start + at, part.stop - 1) for part in parts] for at in range(longest)]
    )


def _without_nan(matrix: torch.Tensor, number: float) -> torch.Tensor:
    return matrix.nan_to_num_(number, posinf=torch.inf, neginf=-torch.inf)


def _blank(held: torch.Tensor | None, like: torch.Tensor, rows: int, number: float) -> torch.Tensor:
    if held is not None:
        return held
    return like.new_full((*like.shape[:-2], rows, like.shape[-1]), number)
