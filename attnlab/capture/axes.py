"""Which axis of a tensor means what, however the model lays it out.

A model folds and unfolds the scores of its heads as it likes: (items, heads, queries, keys),
(items × heads, queries, keys), keys split into rows and columns of a picture, heads last.
Each axis is therefore a run of atoms, an atom being a piece of what leads (items, heads), of
the queries or of the keys; views only regroup and reorder them. An axis of size 1 has none.
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
"""By atom: the sizes that a view has split it into."""


@dataclass(frozen=True)
class Axes:
    """The axes of one tensor of scores or weights.

    Attributes
    ----------
    kinds, sizes
        By atom, in canonical order: what leads, queries, keys. Sizes are over 1.
    groups
        By axis of the tensor: the atoms in it.
    """

    kinds: tuple[Atom, ...]
    sizes: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Axes:
        """Read a shape whose last two axes are queries and keys."""
        leads: list[Atom] = ["lead"] * (len(shape) - 2)
        kinds: list[Atom] = [*leads, "query", "key"]
        whole = [axis for axis, size in enumerate(shape) if size > 1]
        groups = tuple((whole.index(axis),) if axis in whole else () for axis in range(len(shape)))
        sizes = tuple(int(shape[axis]) for axis in whole)
        return cls(tuple(kinds[axis] for axis in whole), sizes, groups)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(math.prod(self.sizes[atom] for atom in group) for group in self.groups)

    @property
    def leads(self) -> tuple[int, ...]:
        """Sizes of the leading atoms."""
        return tuple(self.sizes[atom] for atom in self.atoms("lead"))

    def atoms(self, kind: Atom) -> tuple[int, ...]:
        """List the atoms of a kind, in canonical order."""
        return tuple(atom for atom, own in enumerate(self.kinds) if own == kind)

    def folded(self, rows: int, columns: int) -> tuple[int, ...] | None:
        """Leading atoms that an axis has beside all queries, where another is all keys.

        None where those axes are something else. Grouped heads are folded into the queries.
        """
        if len(self.groups) < 2 or self.groups[columns] != self.atoms("key"):
            return None
        queries, own = self.atoms("query"), self.groups[rows]
        beside = own[: len(own) - len(queries)]
        whole = own[len(beside) :] == queries and set(beside) <= set(self.atoms("lead"))
        return beside if whole else None

    def permuted(self, order: Sequence[int]) -> Axes:
        """Axes in another order."""
        return replace(self, groups=tuple(self.groups[axis] for axis in order))

    def flipped(self) -> Axes:
        """Read queries for keys and keys for queries."""
        names: dict[Atom, Atom] = {"lead": "lead", "query": "key", "key": "query"}
        order = [*self.atoms("lead"), *self.atoms("key"), *self.atoms("query")]
        return Axes(
            tuple(names[self.kinds[atom]] for atom in order),
            tuple(self.sizes[atom] for atom in order),
            tuple(tuple(order.index(atom) for atom in group) for group in self.groups),
        )

    @property
    def clean(self) -> bool:
        """Whether each axis is of one kind alone."""
        return all(len({self.kinds[atom] for atom in group}) < 2 for group in self.groups)

    def settled(self) -> Axes:
        """Put the leading atoms into the order in which the tensor has them."""
        leads = self.atoms("lead")
        order = [atom for group in self.groups for atom in group if atom in leads]
        place = [*order, *range(len(leads), len(self.kinds))]
        return Axes(
            self.kinds,
            tuple(self.sizes[atom] for atom in place),
            tuple(tuple(place.index(atom) for atom in group) for group in self.groups),
        )

    def unfolded(self) -> Axes:
        """Take the last axis of queries alone as queries; those before it lead.

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
        """Sizes of the tensor's axes that are neither queries nor keys."""
        leads = self.atoms("lead")
        sizes = zip(self.groups, self.shape, strict=True)
        own = [size for group, size in sizes if all(atom in leads for atom in group)]
        # Of axes of size 1 it is not known what they count: two are queries and keys if need be.
        lacking = [kind for kind in ("query", "key") if not self.atoms(kind)]
        for _ in lacking:
            for place in reversed(range(len(own))):
                if own[place] == 1:
                    del own[place]
                    break
        return tuple(own)

    def resized(self, axis: int, size: int, kind: Atom | None = None) -> Axes | None:
        """Give one axis another size, and where it is named another kind.

        None where the axis counts several kinds at once, or where it is not known what it
        counts.
        """
        group = self.groups[axis]
        kinds = {self.kinds[atom] for atom in group}
        if len(kinds) > 1 or not (kinds or kind):
            return None
        counts = next(iter(kinds)) if kind is None else kind
        order: list[int | None] = [atom for atom in range(len(self.kinds)) if atom not in group]
        if size > 1:
            order.insert(self._place(axis, counts, order), None)
        place = {atom: new for new, atom in enumerate(order)}
        groups = [tuple(place[atom] for atom in own if atom not in group) for own in self.groups]
        groups[axis] = (place[None],) if size > 1 else ()
        return Axes(
            tuple(counts if atom is None else self.kinds[atom] for atom in order),
            tuple(size if atom is None else self.sizes[atom] for atom in order),
            tuple(groups),
        )

    def _place(self, axis: int, kind: Atom, order: Sequence[int | None]) -> int:
        """Find where an atom of an axis is to stand, among those of its kind."""
        own = self.groups[axis]
        earlier = [atom for group in self.groups[:axis] for atom in group]
        before = list(range(own[0])) if own else earlier
        ranks = {"lead": 0, "query": 1, "key": 2}
        place = 0
        for index, atom in enumerate(order):
            assert atom is not None
            rank = ranks[self.kinds[atom]]
            if rank < ranks[kind] or (rank == ranks[kind] and atom in before):
                place = index + 1
        return place

    def without(self, axis: int) -> Axes | None:
        """Axes of one place along an axis that leads, which is taken away."""
        group = self.groups[axis]
        if any(self.kinds[atom] != "lead" for atom in group):
            return None
        own = self.resized(axis, 1, "lead")
        assert own is not None
        return replace(own, groups=own.groups[:axis] + own.groups[axis + 1 :])

    def expanded(self, shape: Sequence[int]) -> Axes | None:
        """Axes of a tensor that these broadcast to; what is repeated leads."""
        axes = replace(self, groups=((),) * (len(shape) - len(self.groups)) + self.groups)
        for axis, (size, whole) in enumerate(zip(axes.shape, shape, strict=True)):
            if size == whole:
                continue
            if size != 1 or not (axes.atoms("query") and axes.atoms("key")):
                return None
            found = axes.resized(axis, int(whole), "lead")
            if found is None:
                return None
            axes = found
        return axes

    def viewed(self, shape: Sequence[int]) -> tuple[Axes, Pieces] | None:
        """Regroup into another shape of as many numbers; None where an axis does not fit."""
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
        kinds = tuple(self.kinds[atom] for atom, own in enumerate(pieces) for _ in own)
        sizes = tuple(size for own in pieces for size in own)
        groups = tuple(tuple(starts[atom] + part for atom, part in group) for group in order)
        return Axes(kinds, sizes, groups), tuple(map(tuple, pieces))

    def dense(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring a tensor with these axes to (leading atoms…, queries, keys), whole."""
        order = [atom for group in self.groups for atom in group]
        split = tensor.reshape([self.sizes[atom] for atom in order])
        laid = split.permute([order.index(atom) for atom in range(len(order))])
        ends = [
            math.prod(self.sizes[atom] for atom in self.atoms(kind)) for kind in ("query", "key")
        ]
        return laid.reshape([*self.leads, *ends])

    def canonical(self, tensor: torch.Tensor) -> torch.Tensor:
        """Bring what broadcasts to these axes to (leading atoms…, queries, keys).

        Whatever is one number along an atom, or all queries, or all keys, is of size 1 there.
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
            own = self.atoms(kind)
            if all(laid.stride(atom) == 0 for atom in own):
                for atom in own:
                    laid = laid.narrow(atom, 0, 1)
            shape.append(math.prod(laid.shape[atom] for atom in own))
        return laid.reshape(shape)


def refined(tensor: torch.Tensor, leads: Sequence[Sequence[int]]) -> torch.Tensor:
    """Split the leading axes of (leading atoms…, a, b) as a view has split their atoms."""
    shape: list[int] = []
    for axis, own in enumerate(leads):
        shape += own if tensor.shape[axis] > 1 else [1] * len(own)
    return tensor.reshape([*shape, *tensor.shape[len(leads) :]])
