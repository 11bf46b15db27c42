"""Tracks the meaning of a tensor's axes, however the model arranges them.

Models fold and unfold the scores of their heads: (items, heads, queries, keys), (items × heads,
queries, keys), keys split into the rows and columns of an image, heads last. Each axis is therefore
a sequence of atoms. An atom is a part of the leading axes (items, heads), of the queries or of
the keys; views only regroup and reorder atoms. An axis of size 1 has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Atom = Literal["lead", "query", "key"]

Pieces = tuple[tuple[int, ...], ...]
"""By atom: the sizes into which a view has split it."""


@dataclass(frozen=True)
class Axes:
    """The axes of one tensor of scores or weights.

    Attributes
    ----------
    kinds, sizes
        By atom, in canonical order: leading, queries, keys. All sizes exceed 1.
    groups
        By axis of the tensor: its atoms.
    """

    kinds: tuple[Atom, ...]
    sizes: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Axes:
        """Interpret a shape whose last two axes are queries and keys."""
        leads: list[Atom] = ["lead"] * (len(shape) - 2)
        kinds: list[Atom] = [*leads, "query", "key"]
        whole = [axis for axis, size in enumerate(shape) if size > 1]
        groups = tuple((whole.index(axis),) if axis in whole else () for axis in range(len(shape)))
        sizes = tuple(int(shape[axis]) for axis in whole)
        return cls(tuple(kinds[axis] for axis in whole), sizes, groups)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor."""
        return tuple(math.prod(self.sizes[atom] for atom in group) for group in self.groups)

    @property
    def leads(self) -> tuple[int, ...]:
        """The sizes of the leading atoms."""
        return tuple(self.sizes[atom] for atom in self.atoms("lead"))

    def atoms(self, kind: Atom) -> tuple[int, ...]:
        """List the atoms of a kind, in canonical order."""
        return tuple(atom for atom, other in enumerate(self.kinds) if other == kind)

    def folded(self, rows: int, columns: int) -> tuple[int, ...] | None:
        """Return the leading atoms that an axis has before all queries, if another is all keys.

        None if the axes are different. Grouped heads are folded into the queries.
        """
        if len(self.groups) < 2 or self.groups[columns] != self.atoms("key"):
            return None
        queries, group = self.atoms("query"), self.groups[rows]
        beside = group[: len(group) - len(queries)]
        matches = group[len(beside) :] == queries and set(beside) <= set(self.atoms("lead"))
        return beside if matches else None

    def permuted(self, order: Sequence[int]) -> Axes:
        """Return the axes in another order."""
        return replace(self, groups=tuple(self.groups[axis] for axis in order))

    def flipped(self) -> Axes:
        """Exchange queries and keys."""
        names: dict[Atom, Atom] = {"lead": "lead", "query": "key", "key": "query"}
        order = [*self.atoms("lead"), *self.atoms("key"), *self.atoms("query")]
        return Axes(
            tuple(names[self.kinds[atom]] for atom in order),
            tuple(self.sizes[atom] for atom in order),
            tuple(tuple(order.index(atom) for atom in group) for group in self.groups),
        )

    @property
    def clean(self) -> bool:
        """Whether each axis has atoms of only one kind."""
        return all(len({self.kinds[atom] for atom in group}) < 2 for group in self.groups)

    def settled(self) -> Axes:
        """Order the leading atoms as in the tensor."""
        leads = self.atoms("lead")
        order = [atom for group in self.groups for atom in group if atom in leads]
        positions = [*order, *range(len(leads), len(self.kinds))]
        return Axes(
            self.kinds,
            tuple(self.sizes[atom] for atom in positions),
            tuple(tuple(positions.index(atom) for atom in group) for group in self.groups),
        )

    def unfolded(self) -> Axes:
        """Treat only the last axis of queries as queries; those before it are leading.

        Products of grouped heads fold the group into the queries.
        """
        queries = self.atoms("query")
        last = next((group for group in reversed(self.groups) if set(group) & set(queries)), ())
        folded = tuple(atom for atom in queries if atom not in last)
        if not folded or folded != queries[: len(folded)] or set(last) - set(queries):
            return self
        kinds = tuple("lead" if atom in folded else kind for atom, kind in enumerate(self.kinds))
        return replace(self, kinds=kinds)

    def lead(self) -> tuple[int, ...]:
        """Return the sizes of the tensor's axes that are neither queries nor keys."""
        leads = self.atoms("lead")
        sizes = zip(self.groups, self.shape, strict=True)
        leading = [size for group, size in sizes if all(atom in leads for atom in group)]
        # The kind of an axis of size 1 is unknown: it may be the queries or the keys.
        lacking = [kind for kind in ("query", "key") if not self.atoms(kind)]
        for _ in lacking:
            for index in reversed(range(len(leading))):
                if leading[index] == 1:
                    del leading[index]
                    break
        return tuple(leading)

    def resized(self, axis: int, size: int, kind: Atom | None = None) -> Axes | None:
        """Change the size of an axis, and optionally its kind.

        None if the axis has several kinds, or if its kind is unknown.
        """
        group = self.groups[axis]
        kinds = {self.kinds[atom] for atom in group}
        if len(kinds) > 1 or not (kinds or kind):
            return None
        counts = next(iter(kinds)) if kind is None else kind
        order: list[int | None] = [atom for atom in range(len(self.kinds)) if atom not in group]
        if size > 1:
            order.insert(self._place(axis, counts, order), None)
        position = {atom: new for new, atom in enumerate(order)}
        groups = [
            tuple(position[atom] for atom in members if atom not in group)
            for members in self.groups
        ]
        groups[axis] = (position[None],) if size > 1 else ()
        return Axes(
            tuple(counts if atom is None else self.kinds[atom] for atom in order),
            tuple(size if atom is None else self.sizes[atom] for atom in order),
            tuple(groups),
        )

    def _place(self, axis: int, kind: Atom, order: Sequence[int | None]) -> int:
        """Return the position of an axis' new atom among the atoms."""
        group = self.groups[axis]
        earlier = [atom for group in self.groups[:axis] for atom in group]
        before = list(range(group[0])) if group else earlier
        ranks = {"lead": 0, "query": 1, "key": 2}
        position = 0
        for index, atom in enumerate(order):
            assert atom is not None
            rank = ranks[self.kinds[atom]]
            if rank < ranks[kind] or (rank == ranks[kind] and atom in before):
                position = index + 1
        return position

    def without(self, axis: int) -> Axes | None:
        """Return the axes of one index along a leading axis, which is removed."""
        group = self.groups[axis]
        if any(self.kinds[atom] != "lead" for atom in group):
            return None
        reduced = self.resized(axis, 1, "lead")
        assert reduced is not None
        return replace(reduced, groups=reduced.groups[:axis] + reduced.groups[axis + 1 :])

    def expanded(self, shape: Sequence[int]) -> Axes | None:
        """Return the axes of a tensor that these broadcast to; repeated axes are leading."""
        axes = replace(self, groups=((),) * (len(shape) - len(self.groups)) + self.groups)
        for axis, (size, target) in enumerate(zip(axes.shape, shape, strict=True)):
            if size == target:
                continue
            if size != 1 or not (axes.atoms("query") and axes.atoms("key")):
                return None
            found = axes.resized(axis, int(target), "lead")
            if found is None:
                return None
            axes = found
        return axes

    def viewed(self, shape: Sequence[int]) -> tuple[Axes, Pieces] | None:
        """Regroup into another shape of the same size; None if an axis does not fit."""
        waiting = [[atom, self.sizes[atom]] for group in self.groups for atom in group]
        waiting.reverse()
        pieces: list[list[int]] = [[] for _ in self.sizes]
        order: list[list[tuple[int, int]]] = []
        for size in shape:
            group, left = [], int(size)
            while left > 1:
                if not waiting:
                    return None
                atom, rest = waiting[-1]
                took = min(rest, left)
                if rest % took or left % took:
                    return None
                group.append((atom, len(pieces[atom])))
                pieces[atom].append(took)
                left //= took
                waiting[-1][1] //= took
                if waiting[-1][1] == 1:
                    waiting.pop()
            order.append(group)
        if waiting:
            return None
        starts = [sum(map(len, pieces[:atom])) for atom in range(len(pieces))]
        kinds = tuple(self.kinds[atom] for atom, parts in enumerate(pieces) for _ in parts)
        sizes = tuple(size for parts in pieces for size in parts)
        groups = tuple(tuple(starts[atom] + part for atom, part in group) for group in order)
        return Axes(kinds, sizes, groups), tuple(map(tuple, pieces))

    def dense(self, tensor: torch.Tensor) -> torch.Tensor:
        """Rearrange a tensor with these axes to (leading atoms…, queries, keys), in full size."""
        order = [atom for group in self.groups for atom in group]
        split = tensor.reshape([self.sizes[atom] for atom in order])
        laid = split.permute([order.index(atom) for atom in range(len(order))])
        ends = [
            math.prod(self.sizes[atom] for atom in self.atoms(kind)) for kind in ("query", "key")
        ]
        return laid.reshape([*self.leads, *ends])

    def canonical(self, tensor: torch.Tensor) -> torch.Tensor:
        """Rearrange a tensor that broadcasts to these axes to (leading atoms…, queries, keys).

        Atoms, queries or keys along which all numbers are the same have size 1 in the result.
        """
        while tensor.ndim < len(self.groups):
            tensor = tensor[None]
        order = [atom for group in self.groups for atom in group]
        split = tensor.expand(self.shape).reshape([self.sizes[atom] for atom in order])
        laid = split.permute([order.index(atom) for atom in range(len(order))])
        leads = len(self.leads)
        for atom in range(leads):
            laid = laid.narrow(atom, 0, 1) if laid.stride(atom) == 0 else laid
        shape = list(laid.shape[:leads])
        for kind in ("query", "key"):
            atoms = self.atoms(kind)
            if all(laid.stride(atom) == 0 for atom in atoms):
                for atom in atoms:
                    laid = laid.narrow(atom, 0, 1)
            shape.append(math.prod(laid.shape[atom] for atom in atoms))
        return laid.reshape(shape)


def refined(tensor: torch.Tensor, leads: Sequence[Sequence[int]]) -> torch.Tensor:
    """Split the leading axes of (leading atoms…, a, b) as a view has split their atoms."""
    shape: list[int] = []
    for axis, sizes in enumerate(leads):
        shape += sizes if tensor.shape[axis] > 1 else [1] * len(sizes)
    return tensor.reshape([*shape, *tensor.shape[len(leads) :]])
