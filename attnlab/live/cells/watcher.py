"""Detects runs of watched cells, and observes their model calls."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import IPython

from attnlab.capture.record import refusals
from attnlab.capture.watch import observing
from attnlab.live.cells.document import CellDocument
from attnlab.live.cells.run import Run
from attnlab.live.cells.watched_models import WatchedModels

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal
    from attnlab.live.cells.run import Listener
    from attnlab.live.passes.scheduler import PassScheduler

logger = logging.getLogger(__name__)

COUNTS_BEFORE = IPython.version_info >= (9, 8)
"""Whether IPython increments the execution count before ``pre_run_cell``, not after the run."""

TAG = "attention"
"""Tag of cells whose model calls are recorded."""


class RunProgress:
    """Passes unfinished model calls of a run to a listener."""

    def __init__(self, run: Run, listener: Listener) -> None:
        self._run, self._listener = run, listener

    def wanted(self) -> bool:
        """Whether any panel shows traces now."""
        return self._listener.looked_at()

    def show(self, call: RecordedCall) -> None:
        """Show an unfinished call."""
        self._listener.progressed(self._run, call)


class CellWatcher:
    """Observes runs of cells with the tag, and of all cells while models are watched.

    For other cells, only the tags are read, and no functions are replaced.

    Parameters
    ----------
    shell
        IPython's shell.
    listener
        Notified of every watched run.
    passes
        Scheduler of passes over edited texts, which must not run while a cell runs.
    """

    def __init__(self, shell: Any, listener: Listener, passes: PassScheduler) -> None:
        self.models = WatchedModels()
        self._shell = shell
        self._listener = listener
        self._passes = passes
        self._run: Run | None = None
        self._request: str | None = None
        self._nested = 0
        self._exits = contextlib.ExitStack()
        self._observations: list[Observation] = []

    def start(self) -> None:
        """Observe cells from the next one on."""
        self._shell.events.register("pre_run_cell", self.before)
        self._shell.events.register("post_run_cell", self.after)

    def stop(self) -> None:
        """Stop observing cells, and end the current run."""
        for name, callback in (("pre_run_cell", self.before), ("post_run_cell", self.after)):
            with contextlib.suppress(ValueError):
                self._shell.events.unregister(name, callback)
        self._end()

    def before(self, info: Any) -> None:
        """Pause passes, and begin to observe the cell if it is watched.

        Errors in attnlab are reported, and do not affect the cell.
        """
        try:
            self._before(info)
        except Exception as fault:  # noqa: BLE001 - an error in attnlab
            self._failed(fault)

    def _before(self, info: Any) -> None:
        parent = self._parent()
        request = str(parent.get("header", {}).get("msg_id", ""))
        if self._request is not None:
            if request == self._request:
                self._nested += 1  # A cell may run other cells' code, e.g. with %run.
                return
            self._end()  # The previous cell's end was not reported, e.g. after an interrupt.
        self._request, self._nested = request, 0
        self._passes.pause()
        tagged = TAG in _tags(parent)
        if not tagged and not any(self.models):
            return
        cell = getattr(info, "cell_id", None) or parent.get("metadata", {}).get("cellId")
        self._run = run = Run(cell if isinstance(cell, str) else "", self._count(), tagged=tagged)
        text = getattr(info, "raw_cell", None) or ""
        transform, names = self._shell.transform_cell, self._shell.user_ns
        run.document = CellDocument(run.cell, run.execution, text, transform, names)
        self._listener.began(run)
        self._observe(run)

    def after(self, result: Any) -> None:
        """End the observation of a cell that has run, even after an interrupt."""
        try:
            self._after(result)
        except BaseException as fault:
            if isinstance(fault, Exception):
                self._failed(fault)
            self._finish(_error(result))
            if not isinstance(fault, Exception):
                raise

    def _after(self, result: Any) -> None:
        if self._request is None:
            return
        if self._nested:
            self._nested -= 1
        else:
            self._end(_error(result))

    def here(self) -> Run:
        """Return the run of the current cell, watched or not."""
        if self._run is not None:
            return self._run
        cell = self._parent().get("metadata", {}).get("cellId")
        return Run(cell if isinstance(cell, str) else "", self._count())

    def _observe(self, run: Run) -> None:
        names = self._shell.user_ns
        on_call = self._on_call(run)
        progress = RunProgress(run, self._listener)
        if run.tagged:
            contexts = [observing(on_call, names, fed=True, progress=progress)]
        else:
            contexts = [
                observing(
                    on_call,
                    watched.namespace(names),
                    only=watched.model,
                    fed=True,
                    progress=progress,
                    given=watched.given,
                )
                for watched in self.models
            ]
        for context in contexts:
            self._observations.append(self._exits.enter_context(context))

    def _failed(self, fault: Exception) -> None:
        """Report an error in attnlab; never raises."""
        logger.error("attnlab could not follow a cell", exc_info=fault)
        try:
            self._listener.called(self.here(), refusals.astray(fault))
        except Exception:
            logger.exception("attnlab could not report an error")

    def _on_call(self, run: Run) -> Callable[[RecordedCall | Refusal], None]:
        lock = threading.RLock()  # The cell's threads may call models concurrently.

        def called(outcome: RecordedCall | Refusal) -> None:
            with lock:
                try:
                    if run.document is not None:
                        run.document.called(run.calls, outcome)
                finally:
                    self._listener.called(run, outcome)

        return called

    def _end(self, error: str = "") -> None:
        """End the current run; safe to call again after an error."""
        self._request, self._nested = None, 0
        self._exits.close()
        run = self._run
        if run is not None:
            run.over = True
            run.missed = _missed(run, self._observations, error)
            self._listener.ended(run)
        self._run, self._observations = None, []
        self._listener.compare()
        self._passes.resume()

    def _finish(self, error: str) -> None:
        """End the current run after an error; never raises."""
        try:
            self._end(error)
        except Exception:
            logger.exception("attnlab could not end a run")
            self._run, self._observations = None, []
            self._passes.resume()

    def _count(self) -> int:
        """Return the execution count of the cell that is about to run."""
        count = int(self._shell.execution_count)
        return count - 1 if COUNTS_BEFORE else count

    def _parent(self) -> dict[str, Any]:
        kernel = getattr(self._shell, "kernel", None)
        parent = kernel.get_parent("shell") if kernel is not None else None
        return parent if isinstance(parent, dict) else {}


def _error(result: Any) -> str:
    """Return the name of the exception with which a cell ended; empty if it succeeded."""
    # Not in a generator: an interrupt that comes while Python closes one is lost.
    for name in ("error_before_exec", "error_in_exec"):
        error = getattr(result, name, None)
        if error is not None:
            return type(error).__name__
    return ""


def _missed(run: Run, observations: list[Observation], error: str) -> Refusal | None:
    """Explain why nothing was recorded; None if something was, or no call was expected."""
    if run.calls or any(observation.missed.reported for observation in observations):
        return None
    if not observations:
        return None  # The run was interrupted before it was observed.
    # A cell without the tag is not expected to call a watched model.
    expected = next((observation for observation in observations if observation.missed.asked), None)
    if expected is None and not run.tagged:
        return None
    observation = expected or observations[0]
    refusal = observation.missed.why(observation.only, "cell")
    if error and not observation.missed.asked:
        cause = f"The cell ended with {error} before it called a model."
        refusal = replace(refusal, cause=cause, remedy="Fix the error and run the cell again.")
    return refusal


def _tags(parent: dict[str, Any]) -> list[Any]:
    tags = parent.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []
