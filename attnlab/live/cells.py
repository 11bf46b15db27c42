"""Tells watched cells from others, and observes the model calls of their runs."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import IPython

from attnlab.capture.watch import observing
from attnlab.live.document import Document
from attnlab.live.run import Run
from attnlab.live.watched import WatchedModels

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.call import Call, Refusal
    from attnlab.capture.observation import Observation
    from attnlab.live.passes import Passes
    from attnlab.live.run import Listener

logger = logging.getLogger(__name__)

COUNTS_BEFORE = IPython.version_info >= (9, 8)
"""Whether IPython counts a run before its ``pre_run_cell``; older ones count it at the end."""

TAG = "attention"
"""Tag of a cell whose model calls are looked at."""


class CellWatcher:
    """Observes the runs of cells that have the tag, and of all cells where models are watched.

    A cell that is not watched costs one look at its tags; nothing is interposed.

    Parameters
    ----------
    shell
        IPython's shell.
    listener
        Told of every watched run.
    passes
        Of edited texts, which must not run beside a cell.
    """

    def __init__(self, shell: Any, listener: Listener, passes: Passes) -> None:
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
        """Look at cells from the next one on."""
        self._shell.events.register("pre_run_cell", self.before)
        self._shell.events.register("post_run_cell", self.after)

    def stop(self) -> None:
        """Look at cells no longer; the run at hand ends now."""
        for name, callback in (("pre_run_cell", self.before), ("post_run_cell", self.after)):
            with contextlib.suppress(ValueError):
                self._shell.events.unregister(name, callback)
        self._end()

    def before(self, info: Any) -> None:
        """Have passes wait, and begin to observe where the cell that is to run is watched."""
        parent = self._parent()
        request = str(parent.get("header", {}).get("msg_id", ""))
        if self._request is not None:
            if request == self._request:
                self._nested += 1  # A cell may run code as cells, e.g. by %run.
                return
            self._end()  # Its own end was lost, e.g. to an interrupt at the wrong moment.
        self._request, self._nested = request, 0
        self._passes.pause()
        tagged = TAG in _tags(parent)
        if not tagged and not any(self.models):
            return
        cell = getattr(info, "cell_id", None) or parent.get("metadata", {}).get("cellId")
        self._run = run = Run(cell if isinstance(cell, str) else "", self._count(), tagged=tagged)
        text = getattr(info, "raw_cell", None) or ""
        transform, names = self._shell.transform_cell, self._shell.user_ns
        run.document = Document(run.cell, run.execution, text, transform, names)
        self._listener.began(run)
        self._observe(run)

    def after(self, result: Any) -> None:
        """Observe no longer, where the watched cell has run."""
        if self._request is None:
            return
        if self._nested:
            self._nested -= 1
        else:
            self._end(_error(result))

    def here(self) -> Run:
        """Return the run of the cell that runs now, watched or not."""
        if self._run is not None:
            return self._run
        cell = self._parent().get("metadata", {}).get("cellId")
        return Run(cell if isinstance(cell, str) else "", self._count())

    def _observe(self, run: Run) -> None:
        names = self._shell.user_ns
        on_call = self._on_call(run)
        if run.tagged:
            contexts = [observing(on_call, names, fed=True)]
        else:
            contexts = [
                observing(on_call, watched.namespace(names), only=watched.model, fed=True)
                for watched in self.models
            ]
        for context in contexts:
            self._observations.append(self._exits.enter_context(context))

    def _on_call(self, run: Run) -> Callable[[Call | Refusal], None]:
        lock = threading.RLock()  # Threads of the cell may call models at the same time.

        def called(outcome: Call | Refusal) -> None:
            with lock:
                if run.document is not None:
                    run.document.called(run.calls, outcome)
                self._listener.called(run, outcome)

        return called

    def _end(self, error: str = "") -> None:
        run, self._run, self._request = self._run, None, None
        observations, self._observations = self._observations, []
        try:
            self._exits.close()
        finally:
            try:
                if run is not None:
                    run.over = True
                    run.missed = _missed(run, observations, error)
                    self._listener.ended(run)
                self._listener.compare()
            finally:
                self._passes.resume()

    def _count(self) -> int:
        """Return the number in the prompt of the cell that is about to run."""
        count = int(self._shell.execution_count)
        return count - 1 if COUNTS_BEFORE else count

    def _parent(self) -> dict[str, Any]:
        kernel = getattr(self._shell, "kernel", None)
        parent = kernel.get_parent("shell") if kernel is not None else None
        return parent if isinstance(parent, dict) else {}


def _error(result: Any) -> str:
    """Return the name of the exception that a cell ended with; empty where it had none."""
    errors = (getattr(result, name, None) for name in ("error_before_exec", "error_in_exec"))
    return next((type(error).__name__ for error in errors if error is not None), "")


def _missed(run: Run, observations: list[Observation], error: str) -> Refusal | None:
    """Say why a run has left nothing; None where it has, or where nobody would ask."""
    if run.calls or any(own.missed.told for own in observations):
        return None
    # A model that is watched in all cells is not called in most.
    own = next((own for own in observations if own.missed.asked), None)
    if own is None and not run.tagged:
        return None
    own = own or observations[0]
    why = own.missed.why(own.only, "cell")
    if error and not own.missed.asked:
        cause = f"The cell ended with {error} before it called a model."
        why = replace(why, cause=cause, remedy="Run the cell again once it passes.")
    return why


def _tags(parent: dict[str, Any]) -> list[Any]:
    tags = parent.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []
