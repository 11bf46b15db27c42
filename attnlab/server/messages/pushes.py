"""What the kernel tells its panels."""

from __future__ import annotations

from typing import NotRequired, TypedDict

# Not for type checking alone: the annotations are read when the TypeScript is written.
from attnlab.server.messages.documents import Source  # noqa: TC001
from attnlab.server.messages.trace import (  # noqa: TC001
    Picture,
    Problem,
    TraceItem,
    TraceSummary,
)


class State(TypedDict):
    """What the kernel holds; `revision` counts changes, so that a lost push shows as a gap."""

    revision: int
    running: str | None
    """The watched cell that runs now."""
    traces: list[TraceSummary]
    """The traces of the newest run of each watched cell, oldest run first."""
    problems: list[Problem]
    """At most one a cell, of its newest run."""
    sources: list[Source]
    """The text that the traces of each cell are of, where the cell has left any."""


class PublishParams(TypedDict):
    """A change of the kernel's state, with the pictures that panels have subscribed to.

    One message serves the panels of all clients, so that a page may get pictures that
    another one wanted. Where a run makes several calls at once, only the last has pictures.
    A push whose revision a client knows already (a `state` reply overtook it) brings
    nothing new but its pictures; one beyond the next revision shows that another was lost.
    """

    revision: int
    running: str | None
    trace: NotRequired[TraceSummary]
    items: NotRequired[list[TraceItem]]
    """Sequences of those of the new trace's other items that panels show."""
    problem: NotRequired[Problem]
    forgotten: list[str]
    """Ids of traces that the kernel holds no more."""
    resolved: NotRequired[list[str]]
    """Cells whose former problem holds no more."""
    source: NotRequired[Source]
    """The text of a cell, all of whose newest traces are of it from now on."""
    pictures: list[Picture]


class ProgressParams(TypedDict):
    """Progress of a request that takes over half a second, at most ten a second."""

    id: int | str
    done: int
    """Portions of the work that are done."""
    total: int
    """Portions in all; 0 where that is not known."""
    what: str
