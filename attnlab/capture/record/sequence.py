"""The tokens along one axis of a model call, by batch item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.capture.tokens.tokens import TokenInfo


@dataclass(frozen=True)
class Tokens:
    """The tokens of one batch item, and the text that their spans refer to."""

    tokens: list[TokenInfo]
    text: str | None = None


@dataclass(frozen=True)
class Sequence:
    """The tokens along an axis: for each batch item the same number.

    `name` is ``tokens``; ``target`` and ``source`` in an encoder-decoder; ``context`` for the
    keys of a cache and the tokens after them; ``patches``; or ``positions``.
    """

    name: str
    items: list[Tokens]

    def __len__(self) -> int:
        return len(self.items[0].tokens)
