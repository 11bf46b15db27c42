"""The texts that ``generate`` returned, and which rows of which passes computed their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FIRST = -1
"""Index of the first pass of a stream; its steps count from 0."""


class UnmatchedError(Exception):
    """The reason why a result of ``generate`` is not what its passes computed."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive tokens that one pass computed.

    Attributes
    ----------
    step
        Index of the step, or `FIRST`.
    offset, count
        The pass's new tokens that are meant: the first, and their number.
    start
        Position of the first of them in the text.
    items
        Shape (texts,): by returned text, the item of the pass; None if they are the same.
    """

    step: int
    offset: int
    count: int
    start: int
    items: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class Path:
    """The texts that ``generate`` returned.

    Attributes
    ----------
    segments
        What computed them, in the order of the text.
    start
        Position of the first token that was passed to the model; a cache may hold tokens before.
    prompt
        Position of the first generated token.
    lengths
        By text, the number of tokens, from the beginning, that were passed to the model. Each text
        ends with one or more further tokens.
    ends
        By text, the number of tokens that it was given or that were chosen for it. ``generate``
        filled in those behind, up to `stop`.
    ids
        By text, the ids of all tokens from `start` on; None if those of the prompt are unknown.
    context
        By text, the ids of the tokens before `start`; None if unknown.
    written
        By text, the ids of the generated tokens.
    """

    segments: list[Segment]
    start: int
    prompt: int
    lengths: list[int]
    ends: list[int]
    ids: list[list[int]] | None
    context: list[list[int]] | None
    written: list[list[int]]

    @property
    def texts(self) -> int:
        """Number of texts."""
        return len(self.lengths)

    @property
    def stop(self) -> int:
        """Number of tokens of each text, with those before `start`."""
        return self.prompt + len(self.written[0])

    @property
    def items_of_first(self) -> list[int]:
        """By text, the item of the first pass."""
        items = self.segments[0].items
        return list(range(self.texts)) if items is None else items.tolist()
