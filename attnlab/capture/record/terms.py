"""The operations between q·k and the softmax, in the order in which a model applies them.

They are plain data: `attnlab.traces.weights` applies them. Tensors have the axes (items, heads,
queries, keys), each of full size or of size 1, which broadcasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@dataclass(frozen=True, eq=False)
class Scale:
    """Scores are multiplied by a number, or by one number for each head."""

    factor: float | torch.Tensor


@dataclass(frozen=True, eq=False)
class Softcap:
    """Scores become ``limit * tanh(score / limit)`` (Gemma 2, arXiv 2408.00118)."""

    limit: float


@dataclass(frozen=True, eq=False)
class Bias:
    """A tensor is added to the scores: T5's positions, ALiBi, DeBERTa's relative terms."""

    tensor: torch.Tensor


@dataclass(frozen=True, eq=False)
class Mask:
    """Keys are hidden: by a boolean tensor with True for "may attend", or by very low addends."""

    tensor: torch.Tensor


@dataclass(frozen=True, eq=False)
class Fill:
    """Scores are replaced by a number where `where` is True."""

    where: torch.Tensor
    score: float


@dataclass(frozen=True, eq=False)
class Floor:
    """Scores below a number are replaced by it."""

    score: float


@dataclass(frozen=True, eq=False)
class Causal:
    """Keys after the query's position, ``query + offset``, are hidden."""

    offset: int = 0


@dataclass(frozen=True, eq=False)
class Window:
    """Keys `size` positions or more before the query's, ``query + offset``, are hidden."""

    size: int
    offset: int = 0


Term = Scale | Softcap | Bias | Mask | Fill | Floor | Causal | Window


def identity_of(term: Term) -> tuple[object, ...]:
    """Return what is equal for terms that do the same: the same numbers and the same tensor.

    It identifies a term only as long as the term exists.
    """
    tensor = tensor_of(term)
    values = (id(value) if value is tensor else value for value in vars(term).values())
    return type(term), *values


def tensor_of(term: Term) -> torch.Tensor | None:
    """Return the tensor of a term; None if it has none."""
    import torch

    fields = (getattr(term, name, None) for name in ("tensor", "where", "factor"))
    return next((tensor for tensor in fields if isinstance(tensor, torch.Tensor)), None)


def mapped(term: Term, change: Callable[[torch.Tensor], torch.Tensor]) -> Term:
    """Change the tensor of a term, if it has one."""
    tensor = tensor_of(term)
    if tensor is None:
        return term
    changed = change(tensor)
    match term:
        case Scale():
            return Scale(changed)
        case Bias():
            return Bias(changed)
        case Mask():
            return Mask(changed)
        case Fill(_, score):
            return Fill(changed, score)
    return term
