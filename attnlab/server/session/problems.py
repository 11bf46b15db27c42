"""Problems: the reasons why runs of watched cells produced no trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.server.messages import Problem
from attnlab.server.protocol.errors import from_exception

if TYPE_CHECKING:
    from attnlab.capture.record.recorded_call import Refusal
    from attnlab.live.cells.document import CellDocument
    from attnlab.live.cells.run import Run
    from attnlab.server.messages import PublishParams


@dataclass
class _Entry:
    """A problem, the text of its run (None if unknown), and whether that text was edited since."""

    problem: Problem
    text: str | None
    edited: bool = False


class Problems:
    """The problems of the cells' newest runs. Only used on the worker."""

    def __init__(self) -> None:
        self._by_cell: dict[str, _Entry] = {}

    @property
    def current(self) -> list[Problem]:
        """All problems, except those of texts that were edited since."""
        return [entry.problem for entry in self._by_cell.values() if not entry.edited]

    def __contains__(self, cell: str) -> bool:
        return cell in self._by_cell

    def add(self, run: Run, problem: Problem) -> None:
        """Set the problem of a run's cell."""
        text = run.document.text if run.document else None
        self._by_cell[run.cell] = _Entry(problem, text)

    def resolve(self, cell: str) -> bool:
        """Remove the problem of a cell; return whether there was one."""
        return self._by_cell.pop(cell, None) is not None

    def follow_edit(self, document: CellDocument, params: PublishParams) -> None:
        """Publish that an edit hides the cell's problem, or restores the text that has it."""
        entry = self._by_cell.get(document.cell)
        if entry is None:
            return
        was_edited, entry.edited = entry.edited, document.text != entry.text
        if entry.edited:
            params["resolved"] = [document.cell]
        elif was_edited:
            params["problem"] = entry.problem


def refused(run: Run, refusal: Refusal) -> Problem:
    """Return the problem of a model call that could not be recorded."""
    return _problem(run, refusal.title, refusal.cause, refusal.remedy)


def not_stored(run: Run, model: str, error: Exception) -> Problem:
    """Return the problem of a trace that could not be stored."""
    title = f"attnlab could not store the attention of {model}"
    cause = from_exception(error).message
    return _problem(run, title, cause, "The model's own result is not affected.")


def no_call(run: Run) -> Problem:
    """Return the problem of a run without a recorded model call."""
    cell = f"Cell [{run.execution}]" if run.execution > 0 else "The cell"
    refusal = run.missed
    if refusal is None:
        return _problem(
            run,
            f"{cell} ran: no model call was found",
            "Its latest run did not call a watched model.",
            "Run the cell again once it calls a model.",
        )
    title = refusal.title
    if title.startswith("No "):
        title = f"n{title[1:]}"
    return _problem(run, f"{cell} ran: {title}", refusal.cause, refusal.remedy)


def _problem(run: Run, title: str, cause: str, remedy: str) -> Problem:
    return Problem(cell=run.cell, execution=run.execution, title=title, cause=cause, remedy=remedy)
