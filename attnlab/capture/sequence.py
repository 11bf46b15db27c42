"""One axis of a model call: a token for each position, item by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.capture.tokens import TokenInfo


@dataclass(frozen=True)
class Tokens:
    """The tokens of one item of the batch, and the text that their spans count."""

    tokens: list[TokenInfo]
    text: str | None = None


@dataclass(frozen=True)
class Sequence:
    """What stands along an axis: for each item of the batch as many tokens.

    `name` is ``tokens``, ``target`` and ``source`` in an encoder-decoder, ``context`` for
    the keys that a cache brings and the tokens after them, ``patches``, or ``positions``.
    """

    name: str
    items: list[Tokens]

    def __len__(self) -> int:
        return len(self.items[0].tokens)
