"""One run of a watched cell, and who is told of it."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from attnlab.capture.call import Call, Refusal
    from attnlab.live.document import Document


@dataclass(eq=False)
class Run:
    """One run of a watched cell.

    Attributes
    ----------
    cell
        Id of the cell; empty where the host has no cell ids.
    execution
        The execution count that the cell gets.
    calls
        How many outermost model calls it has made so far.
    tagged
        Whether the cell has the tag, so that a call of a model is expected.
    over
        Whether the cell has run. Threads that it has started may go on.
    missed
        Why nothing was recorded, once the run has ended; None where something was.
    document
        What is noted of the cell, to make its calls again; None for one without a tag.
    context
        The context variables at its start, among them ipykernel's parent message: what is
        sent about the run from another thread belongs to the run's request.
    """

    cell: str
    execution: int
    calls: int = 0
    tagged: bool = False
    over: bool = False
    missed: Refusal | None = None
    document: Document | None = field(default=None, repr=False)
    context: contextvars.Context = field(default_factory=contextvars.copy_context, repr=False)


class Listener(Protocol):
    """Who is told of runs, on the thread that runs the cell: it must return at once."""

    def began(self, run: Run) -> None:
        """Learn that a watched cell is about to run."""

    def called(self, run: Run, outcome: Call | Refusal) -> None:
        """Learn what an outermost model call of the run has left."""

    def ended(self, run: Run) -> None:
        """Learn that the cell has run, however it ended."""

    def compare(self) -> None:
        """Learn that some cell has run, watched or not, and may have changed models."""
