"""One run of a watched cell, and the interface for listeners."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal
    from attnlab.live.cells.document import CellDocument


PARENTS = frozenset({"parent_header", "shell_parent", "shell_parent_ident"})
"""Context variables in which ipykernel stores the message that it is handling."""


def parent_context() -> contextvars.Context:
    """Copy only ipykernel's context variables, because the notebook's may keep models alive."""
    context = contextvars.Context()
    for variable, value in contextvars.copy_context().items():
        if variable.name in PARENTS:
            context.run(variable.set, value)
    return context


@dataclass(eq=False)
class Run:
    """One run of a watched cell.

    Attributes
    ----------
    cell
        Id of the cell; empty if the host has no cell ids.
    execution
        Execution count of the run.
    calls
        Number of outermost model calls so far.
    tagged
        Whether the cell is tagged, so that a model call is expected.
    over
        Whether the run has ended. Threads that it started may still be running.
    missed
        Set at the end of the run: why nothing was recorded; None if something was.
    document
        The state needed to repeat the model calls of the cell; None if it is not watched.
    context
        Context with ipykernel's parent message at the start of the run. Messages that other
        threads send about the run use it, so that they belong to the run's request.
    """

    cell: str
    execution: int
    calls: int = 0
    tagged: bool = False
    over: bool = False
    missed: Refusal | None = None
    document: CellDocument | None = field(default=None, repr=False)
    context: contextvars.Context = field(default_factory=parent_context, repr=False)


class Listener(Protocol):
    """Notified of runs on the thread that runs the cell; methods must return at once."""

    def began(self, run: Run) -> None:
        """Handle that a watched cell is about to run."""

    def called(self, run: Run, outcome: RecordedCall | Refusal) -> None:
        """Handle the outcome of an outermost model call of the run."""

    def looked_at(self) -> bool:
        """Whether any panel shows traces now."""

    def progressed(self, run: Run, call: RecordedCall) -> None:
        """Handle what a running model call has computed so far."""

    def ended(self, run: Run) -> None:
        """Handle the end of the run, whether or not it succeeded."""

    def compare(self) -> None:
        """Handle that any cell has run, watched or not: it may have changed models."""
