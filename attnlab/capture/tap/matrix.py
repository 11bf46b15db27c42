"""Describes matrices of queries × keys whose numbers are read when they are used.

The weights of an attention are the matrix that multiplies its values, however that matrix was
computed. If it is more than the softmax of a known product, e.g. gated, mixed across heads or
normalized by other operations, only its axes are followed. Its numbers are copied at the product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from attnlab.capture.record.terms import Floor, Softcap
from attnlab.capture.tap.lineage import Scores, Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.reading.noted_attention import NotedAttention
    from attnlab.capture.tap.axes import Axes

Stage = Literal["scores", "powers", "weights"]
"""Scores, which are linear in q·k; their exponentials before any division; or weights."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix that was computed from a product of queries with keys, or from a softmax.

    Attributes
    ----------
    axes
        The axes of the tensor.
    lead
        Sizes of the axes before queries and keys, in the order of the leading atoms.
    modules
        The modules that were running.
    stage
        How close to weights it is.
    product
        Whether it was computed from a product of queries with keys that was seen.
    powers_of
        The scores whose exponentials it is, multiplied by one number for each query; None after
        any other operation.
    doubt
        Why it is not the matrix that multiplies the values; empty if it is.
    fixed
        See `Scores`.
    normalized
        Whether a softmax, or an exponential, was among the operations.
    source
        The scores that its numbers were computed from, each from the one at the same position; None
        if heads were mixed, positions moved, or several matrices joined.
    softened
        Whether a softmax was the first operation on these scores.
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
        """Reorder the axes."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Matrix | None:
        """Change the shape of the tensor; None if that mixes axes of different meaning."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])

    def reshaped(self, axes: Axes, lead: tuple[int, ...] | None = None) -> Matrix:
        """Replace the axes; if each is of one kind, the leading ones are those of the tensor."""
        if axes.clean:
            axes = axes.settled()
            lead = axes.lead()
        if lead is None:
            lead = axes.leads
        source = self.source if axes == self.axes else None
        return replace(self, axes=axes, lead=lead, source=source)

    def lead_with(self, axis: int, size: int) -> tuple[int, ...]:
        """Return the leading sizes if one of the tensor's leading axes gets another size."""
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
    """The product of weights with values, before the layer that reads it.

    Attributes
    ----------
    axes
        The axes of the tensor; ``key`` is the width of the values.
    noted
        The recorded attention; None if its weights are still to be normalized.
    module
        The module of the attention.
    product
        Whether its weights were computed from a product of queries with keys.
    """

    axes: Axes
    noted: NotedAttention | None
    module: Any
    product: bool

    def permuted(self, order: Sequence[int]) -> Output:
        """Reorder the axes."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Output | None:
        """Change the shape of the tensor; None if that mixes axes of different meaning."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])


Lineage = Scores | Weights | Matrix | Output


def loosened(known: Scores | Weights | Matrix) -> Matrix:
    """Keep only the axes of a matrix, not how it was computed."""
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
