"""Why runs of watched cells have left no trace, as a panel says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.errors import from_exception
from attnlab.server.messages import Problem

if TYPE_CHECKING:
    from attnlab.capture.call import Refusal
    from attnlab.live.run import Run


def refused(run: Run, why: Refusal) -> Problem:
    """Say why a model call was not recorded."""
    return _problem(run, why.title, why.cause, why.remedy)


def unkept(run: Run, model: str, error: Exception) -> Problem:
    """Say why a trace was not kept."""
    title = f"attnlab could not keep what {model} did"
    cause = from_exception(error).message
    return _problem(run, title, cause, "The model's own result is not affected.")


def uncalled(run: Run) -> Problem:
    """Say that a run has left nothing, and why."""
    cell = f"Cell [{run.execution}]" if run.execution > 0 else "The cell"
    why = run.missed
    if why is None:
        return _problem(
            run,
            f"{cell} ran: no model call was found",
            "Its newest run did not call a watched model.",
            "Run the cell again once it calls a model.",
        )
    title = f"n{why.title[1:]}" if why.title.startswith("No ") else why.title
    return _problem(run, f"{cell} ran: {title}", why.cause, why.remedy)


def _problem(run: Run, title: str, cause: str, remedy: str) -> Problem:
    return Problem(cell=run.cell, execution=run.execution, title=title, cause=cause, remedy=remedy)
