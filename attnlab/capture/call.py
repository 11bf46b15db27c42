"""What a watched model call leaves behind: a recording, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.capture.feed import Feed
    from attnlab.capture.records import Record
    from attnlab.capture.sequence import Sequence


@dataclass(frozen=True, eq=False)
class Call:
    """One outermost model call that was observed.

    Attributes
    ----------
    model
        Class name of the module that was called.
    records
        Its attention calls, in order; never empty.
    sequences
        What stands along their axes, the main one first.
    axes
        By record: indices of its queries' and of its keys' sequence.
    milliseconds
        Duration of the model's call, without the time that recording took.
    items
        How many items of the batch were kept; the first ones.
    generated
        Index of the first token of the main sequence that the model itself has written,
        where it has written some.
    notes
        What a reader must know, e.g. that a second forward pass was recorded.
    feed
        How the model was fed, where that was asked for.
    """

    model: str
    records: list[Record]
    sequences: list[Sequence]
    axes: list[tuple[int, int]]
    milliseconds: float
    items: int = 1
    generated: int | None = None
    notes: list[str] = field(default_factory=list)
    feed: Feed | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a model call was not recorded, and the way out; all in words for a person."""

    title: str
    cause: str
    remedy: str
