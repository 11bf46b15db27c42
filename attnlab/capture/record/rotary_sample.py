"""Queries and keys, and the vectors before a rotary embedding rotated them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class RotarySample:
    """Vectors of the last tokens of one batch item, before and after rotary embedding.

    Attributes
    ----------
    samples
        Shapes (tokens, any width): outputs of the module's parts.
    query, key
        Shapes (heads, tokens, width): the vectors that it attended with, of a few heads.
    first
        Position of the first of the tokens.
    """

    samples: tuple[torch.Tensor, ...]
    query: torch.Tensor
    key: torch.Tensor
    first: int

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors of the sample."""
        return (*self.samples, self.query, self.key)
