"""Describes tensors that are part of an attention: scores or weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.record.terms import Term, mapped
from attnlab.capture.tap.axes import Axes, refined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch


@dataclass(frozen=True, eq=False)
class Scores:
    """A product of queries with keys, and the operations applied to it since.

    Attributes
    ----------
    axes
        The axes of the tensor.
    query, key
        Shapes (leading atoms…, queries, width) and (leading atoms…, keys, width).
    terms
        The operations, in order; their tensors broadcast to (leading atoms…, queries, keys).
    modules
        The modules that were running, the outermost first.
    fixed
        Whether one operand was not computed from the call's arguments, e.g. weights that are
        unpacked for each use: then only a softmax makes them an attention.
    """

    axes: Axes
    query: torch.Tensor
    key: torch.Tensor
    terms: tuple[Term, ...]
    modules: tuple[Any, ...]
    fixed: bool = False

    @classmethod
    def product(
        cls,
        query: torch.Tensor,
        key: torch.Tensor,
        shape: Sequence[int],
        modules: tuple[Any, ...],
        fixed: bool = False,
    ) -> Scores:
        """Interpret ``query @ key``, with the keys along the last axis."""
        axes = Axes.of(shape)
        width = query.shape[-1]
        return cls(
            axes,
            query.reshape([*axes.leads, query.shape[-2], width]),
            key.transpose(-1, -2).reshape([*axes.leads, key.shape[-1], width]),
            (),
            modules,
            fixed,
        )

    def changed(self, make: Callable[[torch.Tensor], Term], tensor: torch.Tensor) -> Scores:
        """Add a term with a tensor that broadcasts to the scores as they are arranged."""
        return self.then(make(self.axes.canonical(tensor.detach())))

    def then(self, term: Term) -> Scores:
        """Add a term."""
        return replace(self, terms=(*self.terms, term))

    def permuted(self, order: Sequence[int]) -> Scores:
        """Reorder the axes."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Scores | None:
        """Change the shape of the tensor; None if that mixes axes of different meaning."""
        found = self.axes.viewed(shape)
        if found is None:
            return None
        axes, pieces = found
        leads = pieces[: len(self.axes.leads)]
        if all(len(sizes) == 1 for sizes in leads):
            return replace(self, axes=axes)
        return Scores(
            axes,
            refined(self.query, leads),
            refined(self.key, leads),
            tuple(mapped(term, lambda tensor: refined(tensor, leads)) for term in self.terms),
            self.modules,
            self.fixed,
        )

    def turned(self) -> Scores:
        """Exchange queries and keys, for a softmax over the other axis."""
        terms = tuple(mapped(term, lambda tensor: tensor.transpose(-1, -2)) for term in self.terms)
        return Scores(self.axes.flipped(), self.key, self.query, terms, self.modules, self.fixed)

    def unfolded(self) -> Scores:
        """Treat only the last axis of queries as queries; those before it are leading.

        Products of grouped heads fold the group into the queries.
        """
        axes = self.axes
        unfolded = axes.unfolded()
        leads = len(axes.leads)
        sizes = [axes.sizes[atom] for atom in unfolded.atoms("lead")[leads:]]
        if not sizes:
            return self

        def unfold(tensor: torch.Tensor) -> torch.Tensor:
            leads, (rows, width) = tensor.shape[:-2], tensor.shape[-2:]
            expanded = [*sizes, -1] if rows > 1 else [*[1] * len(sizes), 1]
            return tensor.reshape(*leads, *expanded, width)

        shape = [*axes.leads, *sizes, *self.key.shape[-2:]]
        key = self.key.reshape(*axes.leads, *[1] * len(sizes), *self.key.shape[-2:]).expand(shape)
        terms = tuple(mapped(term, unfold) for term in self.terms)
        return Scores(unfolded, unfold(self.query), key, terms, self.modules, self.fixed)

    def settled(self) -> Scores:
        """Order the leading atoms as in the tensor."""
        leads = self.axes.atoms("lead")
        order = [atom for group in self.axes.groups for atom in group if atom in leads]
        if order == list(leads):
            return self
        permutation = [*order, len(leads), len(leads) + 1]
        axes = self.axes.settled()
        terms = tuple(
            mapped(term, lambda tensor: tensor.permute(permutation)) for term in self.terms
        )
        query, key = self.query.permute(permutation), self.key.permute(permutation)
        return Scores(axes, query, key, terms, self.modules, self.fixed)


@dataclass(frozen=True, eq=False)
class Weights:
    """The unchanged result of a softmax whose queries and keys were seen.

    Attributes
    ----------
    axes
        The axes of the tensor.
    lead
        Sizes of the axes before queries and keys at the softmax: items and heads.
    scores
        The argument of the softmax.
    modules
        The modules that were running.
    doubt
        What was done to the weights afterwards; empty if nothing.
    """

    axes: Axes
    lead: tuple[int, ...]
    scores: Scores
    modules: tuple[Any, ...]
    doubt: str = ""

    def permuted(self, order: Sequence[int]) -> Weights:
        """Reorder the axes."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Weights | None:
        """Change the shape of the tensor; None if that mixes axes of different meaning."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])


def common(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the modules that were running both times, the outermost first."""
    shared = []
    for one, two in zip(first, second, strict=False):
        if one is not two:
            break
        shared.append(one)
    return tuple(shared)
