"""Detects which dimensions of queries and keys a rotary embedding rotated together.

The detection is numerical and independent of the model. A rotary embedding
(https://arxiv.org/abs/2104.09864) rotates pairs of dimensions by an angle that depends only
on the position of the token. So each pair of dimensions after the embedding must be a pair before
it (adjacent, or half the width apart), rotated by the same angle in all queries and keys of a
token. This must hold for many tokens and heads; if it does not, no pair is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Complex = NDArray[np.complex128]
    Turn = tuple[Complex, Complex]

LEAST_ROWS = 4
"""Minimum number of tokens; with fewer, vectors may agree by chance."""

CERTAIN = 4.0
"""Factor by which the rotation must reduce the error."""

LINE = 0.05
"""Largest deviation in radians of an angle from a linear function of the position."""


@dataclass(frozen=True)
class Pair:
    """Two dimensions of a site's queries and keys that were rotated together.

    Attributes
    ----------
    first, second
        The dimensions.
    wavelength
        Tokens per full rotation of the pair; None if it cannot be derived from the angles.
    """

    first: int
    second: int
    wavelength: float | None = None


@dataclass(frozen=True)
class Layout:
    """Which dimensions of a vector form pairs.

    Attributes
    ----------
    start, width
        First rotated dimension, and number of rotated dimensions.
    halves
        Whether dimension i is paired with ``i + width / 2``; otherwise with its neighbor.
    before
        The same as `halves`, for the vector before the rotation: some models reorder it first.
    """

    start: int
    width: int
    halves: bool
    before: bool

    def pairs(self, halves: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """List the first and second dimensions of all pairs, relative to `start`."""
        index = np.arange(self.width // 2)
        return (index, index + self.width // 2) if halves else (2 * index, 2 * index + 1)

    @property
    def apart(self) -> int:
        """Distance between the two dimensions of a pair before the rotation."""
        return self.width // 2 if self.before else 1


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of the last tokens of one attention call, after and possibly before the rotation.

    Attributes
    ----------
    query, key
        The rotated vectors: (heads, tokens, width) and (groups, tokens, width), same tokens.
    samples
        Candidates for the vectors before the rotation, each of shape (tokens, any width).
    first
        Position of the first of these tokens.
    tolerance
        Relative error that rounding may cause.
    """

    query: Numbers
    key: Numbers
    samples: Sequence[Numbers]
    first: int
    tolerance: float

    def pairs(self) -> tuple[Pair, ...]:
        """List the rotated pairs; empty if no layout explains the vectors."""
        for layout in self._layouts():
            query = self._before(self.query, layout)
            key = None if query is None else self._before(self.key, layout)
            if query is not None and key is not None:
                found = self._pairs(layout, query, key)
                if found:
                    return found
        return ()

    def _pairs(self, layout: Layout, query: Turn, key: Turn) -> tuple[Pair, ...]:
        """List the pairs that were rotated by the same angles in queries and keys."""
        after, before = (np.concatenate(sides) for sides in zip(query, key, strict=True))
        turned, angles = self._turned(after, before)
        if turned is None:
            return ()
        first, second = layout.pairs(layout.halves)
        wavelengths = self._wavelengths(angles[:, turned])
        found = zip(first[turned], second[turned], wavelengths, strict=True)
        return tuple(
            Pair(layout.start + int(dimension), layout.start + int(partner), wavelength)
            for dimension, partner, wavelength in found
        )

    def _layouts(self) -> Iterator[Layout]:
        """List candidate layouts, from the dimensions of a query that the rotation changed."""
        query = _unit(self.query[0])
        changed = np.ones(query.shape[1], dtype=bool)
        for sample in self.samples:
            similarity = query.T @ _unit(sample)
            changed &= 1 - np.square(similarity).max(axis=1) > self.tolerance**2
        positions = np.flatnonzero(changed)
        if not len(positions):
            return
        gaps = positions[1:][np.diff(positions) > 1]
        for start in dict.fromkeys((int(positions[0]), 0)):
            rest = query.shape[1] - start
            end = int(positions[-1]) + 1 - start
            widths = [rest, end + end % 2, *(2 * (int(gap) - start) for gap in gaps[:1])]
            for width in dict.fromkeys(widths):
                if 2 <= width <= rest and width % 2 == 0:
                    for halves, before in ((True, True), (False, False), (True, False)):
                        yield Layout(start, width, halves, before)

    def _before(self, vectors: Numbers, layout: Layout) -> Turn | None:
        """Find a sample whose pairs have the lengths of each head's pairs, but other angles."""
        first, second = (layout.start + indices[0] for indices in layout.pairs(layout.halves))
        norms = _unit((vectors[..., first] ** 2 + vectors[..., second] ** 2).T)
        for sample in self.samples:
            squares = sample**2
            if sample.shape[1] < layout.width:
                continue
            pair_squares = squares[:, : -layout.apart] + squares[:, layout.apart :]
            similarity = norms.T @ _unit(pair_squares[:, : sample.shape[1] - layout.width + 1])
            columns = similarity.argmax(axis=1)
            if (1 - similarity.max(axis=1) ** 2 > self.tolerance**2).any():
                continue
            turn = _complex(vectors, sample, columns, layout)
            if turn is not None and self._turned(*turn)[0] is not None:
                return turn
        return None

    def _turned(self, after: Complex, before: Complex) -> tuple[NDArray[np.bool_] | None, Numbers]:
        """Find the rotated pairs, one angle per token; None if this is not a rotation."""
        angles = np.angle((after * before.conj()).sum(axis=0))
        turned = before * np.exp(1j * angles)
        size = np.sqrt((np.abs(after) ** 2).sum(axis=(0, 1)))
        error = np.sqrt((np.abs(after - turned) ** 2).sum(axis=(0, 1)))
        moved = np.sqrt((np.abs(after - before) ** 2).sum(axis=(0, 1)))
        if (error > self.tolerance * size).any():
            return None, angles
        certain = (moved > CERTAIN * error) & (np.abs(angles).max(axis=0) > self.tolerance)
        return (certain if certain.any() else None), angles

    def _wavelengths(self, angles: Numbers) -> list[float | None]:
        """Derive wavelengths from angles, (tokens, pairs), if these are linear in the position."""
        count = angles.shape[1]
        positions = np.arange(self.first, self.first + len(angles), dtype=float)[:, None]
        steps = np.unwrap(angles, axis=0)
        slopes = np.polyfit(positions[:, 0], steps, 1)[0]
        # Angles are known up to whole rotations: choose those of a line through the origin.
        turns = np.round((slopes * positions - steps).mean(axis=0) / (2 * np.pi))
        steps = steps + 2 * np.pi * turns
        slopes = (positions * steps).sum(axis=0) / (positions**2).sum()
        deviation = np.abs(steps - slopes * positions).max(axis=0)
        if (deviation > LINE).any():
            return [None] * count
        certain = deviation < 0.01 * np.abs(slopes) * positions.max()
        wavelengths = 2 * np.pi / np.where(certain, np.abs(slopes), 1.0)
        return [
            float(f"{wavelength:.3g}") if known else None
            for wavelength, known in zip(wavelengths, certain, strict=True)
        ]


def _complex(
    vectors: Numbers, sample: Numbers, columns: NDArray[np.intp], layout: Layout
) -> Turn | None:
    """Return pairs as complex numbers, after and before the rotation, with mean square 1.

    The scaling removes a constant factor by which the model may have scaled its vectors.
    """
    first, second = layout.pairs(layout.halves)
    rotated = vectors[..., layout.start :]
    after = _joined(rotated[..., first], rotated[..., second])
    first, second = layout.pairs(layout.before)
    column = columns[:, None]
    before = _joined(sample[:, column + first], sample[:, column + second]).transpose(1, 0, 2)
    sizes = [float(np.sqrt(np.mean(np.abs(part) ** 2))) for part in (after, before)]
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        return None
    return after / sizes[0], before / sizes[1]


def _joined(real: Numbers, imaginary: Numbers) -> Complex:
    result = np.empty(real.shape, dtype=np.complex128)
    result.real, result.imag = real, imaginary
    return result


def _unit(columns: Numbers) -> Numbers:
    """Scale each column to length 1; columns of zeros are unchanged."""
    lengths = np.sqrt((columns**2).sum(axis=0))
    return columns / np.where(lengths > 0, lengths, 1.0)
