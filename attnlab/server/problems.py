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
    """Say that a run called no model."""
    return _problem(
        run,
        "The cell called no model",
        "Its newest run ended without a model call on the cell's own thread.",
        "Run the cell again once it calls a model, or remove its tag.",
    )


def _problem(run: Run, title: str, cause: str, remedy: str) -> Problem:
    return Problem(cell=run.cell, execution=run.execution, title=title, cause=cause, remedy=remedy)
