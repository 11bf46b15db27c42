"""Notifications of the kernel to its panels."""

from __future__ import annotations

from typing import NotRequired, TypedDict

# Needed at run time: the annotations are evaluated when the TypeScript is generated.
from attnlab.server.messages.documents import Source  # noqa: TC001
from attnlab.server.messages.payloads import Payload  # noqa: TC001
from attnlab.server.messages.trace import BatchItem, Problem, TraceSummary  # noqa: TC001


class State(TypedDict):
    """The kernel's state. `revision` counts changes, so that a gap reveals a lost push."""

    revision: int
    running: str | None
    """The watched cell that is running."""
    last: str | None
    """The watched cell that last ran or was edited."""
    traces: list[TraceSummary]
    """The traces of the newest run of each watched cell, oldest run first."""
    problems: list[Problem]
    """At most one per cell, of its newest run."""
    sources: list[Source]
    """The text of the traces of each cell that has any."""


class PublishParams(TypedDict):
    """A change of the kernel's state, with the payloads that panels have subscribed to.

    One message serves the panels of all clients, so a page may receive payloads that another
    page subscribed to. If a run makes several calls in quick succession, only the last has
    payloads. If a client already knows the revision (from a `state` result that arrived
    earlier), only the payloads are new; a revision beyond the next one means that a push was
    lost.
    """

    revision: int
    running: str | None
    last: str | None
    """As in `State`."""
    trace: NotRequired[TraceSummary]
    items: NotRequired[list[BatchItem]]
    """The other batch items of the new trace that panels show."""
    problem: NotRequired[Problem]
    removed: list[str]
    """Ids of traces that the kernel no longer has."""
    resolved: NotRequired[list[str]]
    """Cells whose previous problem no longer applies."""
    source: NotRequired[Source]
    """The new text of a cell's traces: from now on, all of its newest traces are of this text."""
    payloads: list[Payload]


class ProgressParams(TypedDict):
    """Progress of a request that takes more than half a second, at most ten times a second."""

    id: int | str
    done: int
    """Completed steps."""
    total: int
    """All steps; 0 if unknown."""
    operation: str
