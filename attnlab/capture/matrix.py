"""What is known of a matrix of queries × keys whose numbers are read where it is used.

The weights of an attention are the matrix that multiplies its values, however that matrix was
computed. Where it is more than the softmax of a known product, e.g. gated, mixed across heads
or normalized by hand, only its axes are followed. Its numbers are copied at the product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from attnlab.capture.lineage import Scores, Weights
from attnlab.capture.terms import Floor, Softcap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.axes import Axes
    from attnlab.capture.recorder import Noted

Stage = Literal["scores", "powers", "weights"]
"""Scores, which are linear in q·k; their exponentials before any division; or weights."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix that descends from a product of queries with keys, or from a softmax.

    Attributes
    ----------
    axes
        The axes of the tensor.
    lead
        Sizes of what stands before queries and keys, in the order of the leading atoms.
    modules
        The modules that were running.
    stage
        How far it is on its way to weights.
    product
        Whether it descends from a product of queries with keys that was seen.
    powers_of
        The scores whose exponentials it is, multiplied by one number for each query; None
        where anything else was done to it.
    doubt
        Why it is not the matrix that multiplies the values; empty for nothing.
    fixed
        As of `Scores`.
    normalized
        Whether a softmax, or an exponential, was among what was done.
    source
        The scores that its numbers were computed from, place by place; None where heads were
        mixed, places moved, or several matrices joined.
    softened
        Whether a softmax was what was done to these scores first.
    """

    axes: Axes
    lead: tuple[int, ...]
    modules: tuple[Any, ...]
    stage: Stage
    product: bool
    powers_of: Scores | None = None
    doubt: str = ""
    fixed: bool = False
    normalized: bool = False
    source: Scores | None = None
    softened: bool = False

    def permuted(self, order: Sequence[int]) -> Matrix:
        """Put the axes into another order."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Matrix | None:
        """Give the tensor another shape; None where that mixes what its axes count."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])

    def reshaped(self, axes: Axes, lead: tuple[int, ...] | None = None) -> Matrix:
        """Have other axes; where each is of one kind, the leading ones are those of the tensor."""
        if axes.clean:
            axes = axes.settled()
            lead = axes.lead()
        if lead is None:
            lead = axes.leads
        source = self.source if axes == self.axes else None
        return replace(self, axes=axes, lead=lead, source=source)

    def lead_with(self, axis: int, size: int) -> tuple[int, ...]:
        """Sizes of what leads, where one of the tensor's axes that leads gets another size."""
        group = self.axes.groups[axis]
        waiting = list(self.axes.atoms("lead"))
        result = []
        for whole in self.lead:
            part: list[int] = []
            while waiting and math.prod(self.axes.sizes[atom] for atom in part) < whole:
                part.append(waiting.pop(0))
            if set(part) & set(group):
                rest = [self.axes.sizes[atom] for atom in part if atom not in group]
                result.append(math.prod(rest) * size)
            else:
                result.append(whole)
        return tuple(result)


@dataclass(frozen=True, eq=False)
class Output:
    """The product of weights with values, on its way to the layer that reads it.

    Attributes
    ----------
    axes
        The axes of the tensor; ``key`` are those of the values' width.
    noted
        The attention that was noted; None where its weights are still to be normalized.
    module
        Its module.
    product
        Whether its weights descend from a product of queries with keys.
    """

    axes: Axes
    noted: Noted | None
    module: Any
    product: bool

    def permuted(self, order: Sequence[int]) -> Output:
        """Put the axes into another order."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Output | None:
        """Give the tensor another shape; None where that mixes what its axes count."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])


Lineage = Scores | Weights | Matrix | Output


def loosened(known: Scores | Weights | Matrix) -> Matrix:
    """Forget how a matrix was computed, and keep what its axes count."""
    match known:
        case Scores():
            curved = any(isinstance(term, Floor | Softcap) for term in known.terms)
            axes = known.axes.unfolded() if curved else known.axes
            stage: Stage = "weights" if curved else "scores"
            matrix = Matrix(axes, axes.leads, known.modules, stage, product=True, fixed=known.fixed)
            return replace(matrix.reshaped(axes), source=known.unfolded().settled())
        case Weights():
            return Matrix(
                known.axes,
                known.lead,
                known.modules,
                "weights",
                product=True,
                doubt=known.doubt,
                normalized=True,
                source=known.scores,
                softened=True,
            )
    return replace(known, powers_of=None)
