"""Which dimensions of queries and keys a rotary embedding has turned together.

Found in numbers, without knowing the model: a rotary embedding
(https://arxiv.org/abs/2104.09864) turns two dimensions of a vector by an angle that depends
on the token's position alone. So what a pair is after it must be what some neighbouring or
half-way pair was before it, turned by one angle for all queries and all keys of a token, and
that for many tokens and heads at once. Where no such thing is seen, nothing is said.
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
"""Of fewer tokens two vectors may agree by chance."""

CERTAIN = 4.0
"""How many times better a turn must explain a pair than no turn does."""

LINE = 0.05
"""By how many radians an angle may be off the line through the positions."""


@dataclass(frozen=True)
class Pair:
    """Two dimensions of a site's queries and keys that were turned together.

    Attributes
    ----------
    first, second
        The dimensions.
    wavelength
        After how many tokens the pair has turned once; None where the angles did not show it.
    """

    first: int
    second: int
    wavelength: float | None = None


@dataclass(frozen=True)
class Layout:
    """How the pairs of a vector lie in it: in two halves, or side by side.

    Attributes
    ----------
    start, width
        Which of its dimensions are turned.
    halves
        Whether dimension i is paired with ``i + width / 2``, else with the one beside it.
    before
        The same of the vector before it was turned; some models sort it first.
    """

    start: int
    width: int
    halves: bool
    before: bool

    def pairs(self, halves: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """List the first and the second dimensions, counted from where the turned ones start."""
        index = np.arange(self.width // 2)
        return (index, index + self.width // 2) if halves else (2 * index, 2 * index + 1)

    @property
    def apart(self) -> int:
        """How far the two dimensions of a pair are from one another before the turn."""
        return self.width // 2 if self.before else 1


@dataclass(frozen=True, eq=False)
class Rows:
    """The last tokens of one attention call, as its scores have them and before.

    Attributes
    ----------
    query, key
        Shapes (heads, tokens, width) and (groups, tokens, width), of the same tokens.
    samples
        Shapes (tokens, any width): what may be the same before a turn.
    first
        Position of the first of the tokens.
    tolerance
        Relative error that rounding may make.
    """

    query: Numbers
    key: Numbers
    samples: Sequence[Numbers]
    first: int
    tolerance: float

    def pairs(self) -> tuple[Pair, ...]:
        """List the pairs that were turned; empty where no layout explains the numbers."""
        for layout in self._layouts():
            query = self._before(self.query, layout)
            key = None if query is None else self._before(self.key, layout)
            if query is not None and key is not None:
                found = self._pairs(layout, query, key)
                if found:
                    return found
        return ()

    def _pairs(self, layout: Layout, query: Turn, key: Turn) -> tuple[Pair, ...]:
        """List the pairs that were turned, by the same angles in queries and keys."""
        after, before = (np.concatenate(sides) for sides in zip(query, key, strict=True))
        turned, angles = self._turned(after, before)
        if turned is None:
            return ()
        first, second = layout.pairs(layout.halves)
        waves = self._wavelengths(angles[:, turned])
        found = zip(first[turned], second[turned], waves, strict=True)
        return tuple(
            Pair(layout.start + int(one), layout.start + int(other), wave)
            for one, other, wave in found
        )

    def _layouts(self) -> Iterator[Layout]:
        """List what the layout may be, judging by which dimensions of a query are changed."""
        own = _unit(self.query[0])
        changed = np.ones(own.shape[1], dtype=bool)
        for sample in self.samples:
            likeness = own.T @ _unit(sample)
            changed &= 1 - np.square(likeness).max(axis=1) > self.tolerance**2
        places = np.flatnonzero(changed)
        if not len(places):
            return
        gaps = places[1:][np.diff(places) > 1]
        for start in dict.fromkeys((int(places[0]), 0)):
            rest = own.shape[1] - start
            end = int(places[-1]) + 1 - start
            widths = [rest, end + end % 2, *(2 * (int(gap) - start) for gap in gaps[:1])]
            for width in dict.fromkeys(widths):
                if 2 <= width <= rest and width % 2 == 0:
                    for halves, before in ((True, True), (False, False), (True, False)):
                        yield Layout(start, width, halves, before)

    def _before(self, vectors: Numbers, layout: Layout) -> Turn | None:
        """Find a sample in which the first pair of each head is as long, and else turned."""
        first, second = (layout.start + own[0] for own in layout.pairs(layout.halves))
        norms = _unit((vectors[..., first] ** 2 + vectors[..., second] ** 2).T)
        for sample in self.samples:
            squares = sample**2
            if sample.shape[1] < layout.width:
                continue
            whole = squares[:, : -layout.apart] + squares[:, layout.apart :]
            likeness = norms.T @ _unit(whole[:, : sample.shape[1] - layout.width + 1])
            columns = likeness.argmax(axis=1)
            if (1 - likeness.max(axis=1) ** 2 > self.tolerance**2).any():
                continue
            own = _complex(vectors, sample, columns, layout)
            if own is not None and self._turned(*own)[0] is not None:
                return own
        return None

    def _turned(self, after: Complex, before: Complex) -> tuple[NDArray[np.bool_] | None, Numbers]:
        """Tell which pairs were turned, by one angle a token; None where it is no rotation."""
        angles = np.angle((after * before.conj()).sum(axis=0))
        turned = before * np.exp(1j * angles)
        size = np.sqrt((np.abs(after) ** 2).sum(axis=(0, 1)))
        error = np.sqrt((np.abs(after - turned) ** 2).sum(axis=(0, 1)))
        moved = np.sqrt((np.abs(after - before) ** 2).sum(axis=(0, 1)))
        if (error > self.tolerance * size).any():
            return None, angles
        sure = (moved > CERTAIN * error) & (np.abs(angles).max(axis=0) > self.tolerance)
        return (sure if sure.any() else None), angles

    def _wavelengths(self, angles: Numbers) -> list[float | None]:
        """Read wavelengths off angles (tokens, pairs), where these grow by position alone."""
        count = angles.shape[1]
        places = np.arange(self.first, self.first + len(angles), dtype=float)[:, None]
        steps = np.unwrap(angles, axis=0)
        slopes = np.polyfit(places[:, 0], steps, 1)[0]
        # What the line gives at the first of the tokens leaves only whole turns open.
        turns = np.round((slopes * places - steps).mean(axis=0) / (2 * np.pi))
        steps = steps + 2 * np.pi * turns
        slopes = (places * steps).sum(axis=0) / (places**2).sum()
        off = np.abs(steps - slopes * places).max(axis=0)
        if (off > LINE).any():
            return [None] * count
        sure = off < 0.01 * np.abs(slopes) * places.max()
        waves = 2 * np.pi / np.where(sure, np.abs(slopes), 1.0)
        return [
            float(f"{wave:.3g}") if known else None for wave, known in zip(waves, sure, strict=True)
        ]


def _complex(
    vectors: Numbers, sample: Numbers, columns: NDArray[np.intp], layout: Layout
) -> Turn | None:
    """Take the pairs as complex numbers, after the turn and before, of the same mean square 1.

    A model may have scaled its queries, or all that it turns, by a constant.
    """
    first, second = layout.pairs(layout.halves)
    own = vectors[..., layout.start :]
    after = _joined(own[..., first], own[..., second])
    first, second = layout.pairs(layout.before)
    place = columns[:, None]
    before = _joined(sample[:, place + first], sample[:, place + second]).transpose(1, 0, 2)
    sizes = [float(np.sqrt(np.mean(np.abs(part) ** 2))) for part in (after, before)]
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        return None
    return after / sizes[0], before / sizes[1]


def _joined(real: Numbers, imaginary: Numbers) -> Complex:
    result = np.empty(real.shape, dtype=np.complex128)
    result.real, result.imag = real, imaginary
    return result


def _unit(columns: Numbers) -> Numbers:
    """Scale each column to length 1; one of zeros stays as it is."""
    lengths = np.sqrt((columns**2).sum(axis=0))
    return columns / np.where(lengths > 0, lengths, 1.0)
