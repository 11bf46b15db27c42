"""What a watched model call leaves behind: a recording, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.capture.records import Record
    from attnlab.capture.tokens import TokenInfo


@dataclass(frozen=True, eq=False)
class Call:
    """One outermost model call that was observed.

    Attributes
    ----------
    model
        Class name of the module that was called.
    records
        Its attention calls, in order; never empty.
    tokens
        The queries' tokens, of the batch's first item.
    key_tokens
        The keys' tokens where they are not the queries': cross attention, or a cache.
    text
        The text that was tokenized; None where unknown. The `start` and `end` of tokens
        count its characters.
    milliseconds
        Duration of the model's call, without the time that recording took.
    notes
        What a reader must know, e.g. that only the batch's first item is shown.
    """

    model: str
    records: list[Record]
    tokens: list[TokenInfo]
    key_tokens: list[TokenInfo] | None
    text: str | None
    milliseconds: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refusal:
    """Why a model call was not recorded, and the way out; all in words for a person."""

    title: str
    cause: str
    remedy: str
