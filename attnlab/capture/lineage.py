"""What a tensor of a forward pass is, where it is part of an attention: scores or weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.axes import Axes, refined
from attnlab.capture.terms import Bias, Fill, Mask, Scale, Term, tensor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch


@dataclass(frozen=True, eq=False)
class Scores:
    """A product of queries with keys, and what has been done to it since.

    Attributes
    ----------
    axes
        The axes of the tensor.
    query, key
        Shapes (leading atoms…, queries, width) and (leading atoms…, keys, width).
    terms
        What was done, in order; tensors broadcast to (leading atoms…, queries, keys).
    modules
        The modules that were running, the outermost first.
    fixed
        Whether one side does not descend from what the call was given, as weights that are
        unpacked for each use: then only a softmax makes an attention of them.
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
        """Read ``query @ key``, with the keys along the last axis."""
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
        """Add a term with a tensor that broadcasts to the scores as they lie."""
        return self.then(make(self.axes.canonical(tensor.detach())))

    def then(self, term: Term) -> Scores:
        """Add a term."""
        return replace(self, terms=(*self.terms, term))

    def permuted(self, order: Sequence[int]) -> Scores:
        """Put the axes into another order."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Scores | None:
        """Give the tensor another shape; None where that mixes what its axes count."""
        found = self.axes.viewed(shape)
        if found is None:
            return None
        axes, pieces = found
        leads = pieces[: len(self.axes.leads)]
        if all(len(own) == 1 for own in leads):
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
        """Read queries for keys, for a softmax over the other axis."""
        terms = tuple(mapped(term, lambda tensor: tensor.transpose(-1, -2)) for term in self.terms)
        return Scores(self.axes.flipped(), self.key, self.query, terms, self.modules, self.fixed)

    def unfolded(self) -> Scores:
        """Take the last axis of queries alone as queries; those before it lead.

        Products of grouped heads fold the group into the queries.
        """
        axes = self.axes
        own = axes.unfolded()
        leads = len(axes.leads)
        sizes = [axes.sizes[atom] for atom in own.atoms("lead")[leads:]]
        if not sizes:
            return self

        def unfold(tensor: torch.Tensor) -> torch.Tensor:
            leads, (rows, width) = tensor.shape[:-2], tensor.shape[-2:]
            whole = [*sizes, -1] if rows > 1 else [*[1] * len(sizes), 1]
            return tensor.reshape(*leads, *whole, width)

        shape = [*axes.leads, *sizes, *self.key.shape[-2:]]
        key = self.key.reshape(*axes.leads, *[1] * len(sizes), *self.key.shape[-2:]).expand(shape)
        terms = tuple(mapped(term, unfold) for term in self.terms)
        return Scores(own, unfold(self.query), key, terms, self.modules, self.fixed)

    def settled(self) -> Scores:
        """Put the leading atoms into the order in which the tensor has them."""
        own = self.axes.atoms("lead")
        order = [atom for group in self.axes.groups for atom in group if atom in own]
        if order == list(own):
            return self
        whole = [*order, len(own), len(own) + 1]
        axes = self.axes.settled()
        terms = tuple(mapped(term, lambda tensor: tensor.permute(whole)) for term in self.terms)
        query, key = self.query.permute(whole), self.key.permute(whole)
        return Scores(axes, query, key, terms, self.modules, self.fixed)


@dataclass(frozen=True, eq=False)
class Weights:
    """The result of a softmax whose queries and keys were seen, unchanged since.

    Attributes
    ----------
    axes
        The axes of the tensor.
    lead
        Shape of what stood before queries and keys at the softmax: items and heads.
    scores
        What went into the softmax.
    modules
        The modules that were running.
    doubt
        What was done to the weights afterwards; empty for nothing.
    """

    axes: Axes
    lead: tuple[int, ...]
    scores: Scores
    modules: tuple[Any, ...]
    doubt: str = ""

    def permuted(self, order: Sequence[int]) -> Weights:
        """Put the axes into another order."""
        return replace(self, axes=self.axes.permuted(order))

    def viewed(self, shape: Sequence[int]) -> Weights | None:
        """Give the tensor another shape; None where that mixes what its axes count."""
        found = self.axes.viewed(shape)
        return None if found is None else replace(self, axes=found[0])


def common(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Find the modules that were running both times, the outermost first."""
    shared = []
    for one, two in zip(first, second, strict=False):
        if one is not two:
            break
        shared.append(one)
    return tuple(shared)


def mapped(term: Term, change: Callable[[torch.Tensor], torch.Tensor]) -> Term:
    """Change the tensor of a term, if it has one."""
    tensor = tensor_of(term)
    if tensor is None:
        return term
    own = change(tensor)
    match term:
        case Scale():
            return Scale(own)
        case Bias():
            return Bias(own)
        case Mask():
            return Mask(own)
        case Fill(_, score):
            return Fill(own, score)
    return term
