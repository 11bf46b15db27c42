"""What one kernel holds for its panels, and the pushes that tell them of its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from attnlab.live.run import Run
from attnlab.server import pictures, problems
from attnlab.server.clients import Clients
from attnlab.server.errors import content_modified
from attnlab.server.messages import Picture, Problem, PublishParams, State
from attnlab.server.shelf import Shelf
from attnlab.server.sources import source_of
from attnlab.server.summaries import item_of, summary

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from attnlab.capture.call import Call, Refusal
    from attnlab.live.document import Document, Made
    from attnlab.server.clients import Wishes
    from attnlab.server.selections import Told
    from attnlab.server.worker import Worker
    from attnlab.traces.trace import Trace

logger = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds that a running cell's calls are gathered: pictures are drawn of the last of them
alone, and none while the cell goes straight on, since computing beside a forward pass makes
both many times slower."""

PATIENCE = 10.0
"""Seconds that Python waits for the worker to keep what a cell has just left."""


Done = Callable[[Exception | None], None]
"""Told what went wrong with a change, or None."""


class Publish(Protocol):
    """How a push leaves, on behalf of a run."""

    def __call__(self, run: Run, params: PublishParams, buffers: list[bytes]) -> None:
        """Send it."""


class Session:
    """The traces and problems of watched cells, a listener of `live.cells.CellWatcher`.

    Everything changes on the worker, in order, so that a push with revision n + 1 always
    leaves after that with revision n. What the kernel's thread tells is only noted.

    Parameters
    ----------
    name : str
        Unique to the kernel's life; the traces' ids begin with it.
    worker
        Where changes are made and pictures drawn.
    publish
        Sends a push to all clients.
    """

    def __init__(self, name: str, worker: Worker, publish: Publish) -> None:
        self.name = name
        self.clients = Clients()
        self.lock = threading.RLock()
        self.shelf = Shelf(name)
        self._worker = worker
        self._publish = publish
        self._revision = 0
        self._running: str | None = None
        self._run: Run | None = None
        """The watched run that began last."""
        self._problems: dict[str, Problem] = {}
        self._pending: list[tuple[Run, Call | Refusal | Trace, int, bool]] = []
        self._followers: list[Callable[[], None]] = []

    # --- what requests ask ----------------------------------------------------------------

    def state(self) -> State:
        """Return everything that is held, without numbers."""
        with self.lock:
            return State(
                revision=self._revision,
                running=self._running,
                traces=self.shelf.summaries(),
                problems=list(self._problems.values()),
                sources=list(self.shelf.sources.values()),
            )

    def trace(self, id_: str) -> Trace | None:
        """Return the trace of an id, or None where it is held no more."""
        with self.lock:
            return self.shelf.get(id_)

    def newest(self) -> Trace | None:
        """Return the newest trace, once all that cells have left is kept; None without any."""
        self.settle()
        with self.lock:
            return next(reversed(self.shelf.traces), None)

    def settle(self) -> None:
        """Wait until all that cells have left is kept, unless the worker itself asks for it."""
        if self._worker.here:
            return
        kept = threading.Event()
        self._worker.push(kept.set)
        self._worker.flush()
        kept.wait(PATIENCE)

    def selected(self) -> tuple[Told, Trace | None] | None:
        """Return what is selected in the panel used last, and the trace that it shows.

        That is the one that it is pinned to, else the newest of the cell that ran last.
        """
        with self.lock:
            told = self.clients.selections.active
            if told is None:
                return None
            pinned = self.trace(self.clients.pinned(told.panel) or "")
            return told, pinned or self.shelf.newest()

    def follow(self, follower: Callable[[], None]) -> None:
        """Call this whenever `selected` may have become something else."""
        self._followers.append(follower)

    def reselected(self) -> None:
        """Tell that `selected` may have become something else; not to be called under the lock."""
        for follower in self._followers:
            follower()

    def dropped(self, id_: str) -> str | None:
        """Return why a trace is held no more, or None where it never was."""
        with self.lock:
            return self.shelf.dropped(id_)

    # --- what live tells, on the thread that runs the cell ----------------------------------

    def began(self, run: Run) -> None:
        """Note that a watched cell is about to run."""
        self._worker.push(lambda: self._begin(run))

    def called(self, run: Run, outcome: Call | Refusal | Trace) -> None:
        """Note what a model call has left, or a trace that Python hands over."""
        with self.lock:
            self._pending.append((run, outcome, run.calls, run.over))
            first = len(self._pending) == 1
        run.calls += 1
        if first:
            self._worker.push(self._gather, INTERVAL)

    def ended(self, run: Run) -> None:
        """Note that the cell has run; what it has left is published at once."""
        self._worker.push(lambda: self._finish(run))
        self._worker.flush()

    # --- what documents tell, on the thread of passes -----------------------------------------

    def retype(
        self, run: Run, document: Document, text: str, made: Sequence[Made], done: Done
    ) -> None:
        """Show that a document has another text, and the calls that were made of it.

        Parameters
        ----------
        run
            On whose behalf; of the document's cell and execution.
        made
            Calls whose traces replace older ones; the others are as they were.
        done
            Called once all of it is on its way, or has failed.
        """
        self._later(lambda: self._retype(run, document, text, made), done)

    def attempt(self, run: Run, call: Call, index: int, done: Done) -> Trace:
        """Show a call with a text that is not the cell's, beside the call's own trace."""
        with self.lock:
            trace = self.shelf.trace(run, call, index, tried=True)

        def add() -> None:
            with self.lock:
                instead = self.shelf.superseded(trace)
            self._add(run, trace, instead=instead)

        self._later(add, done)
        return trace

    def compare(self) -> None:
        """Say of which cells the models have changed since; to be told after each cell's run."""
        self._worker.push(self._compare)

    def _later(self, job: Callable[[], None], done: Done) -> None:
        def work() -> None:
            failed: Exception | None = None
            try:
                job()
            except Exception as error:
                logger.exception("attnlab could not show an edited text")
                failed = error
            done(failed)

        self._worker.push(work)
        self._worker.flush()

    # --- changes, on the worker -------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        with self.lock:
            self._running = self.shelf.ran = run.cell
            self._run = run
            resolved = [run.cell] if self._problems.pop(run.cell, None) else []
            params = self._change()
            if resolved:
                params["resolved"] = resolved
        self._publish(run, params, [])

    def _finish(self, run: Run) -> None:
        with self.lock:
            self._running = None
            params = self._change()
            if not run.calls and (run.missed is not None or self.shelf.of(run.cell)):
                # The trace that is shown is of an older run, or of another cell.
                params["problem"] = self._problems[run.cell] = problems.uncalled(run)
            self._tell_document(params, run)
        self._publish(run, params, [])

    def _tell_document(self, params: PublishParams, run: Run) -> None:
        """Tell the text that a run's traces are of, where all of its calls have left one."""
        if run.document is not None and run.calls and run.cell not in self._problems:
            self.shelf.documents[run.cell] = run.document
            self._tell_source(params, run.document)

    def _retype(self, run: Run, document: Document, text: str, made: Sequence[Made]) -> None:
        if self.shelf.documents.get(document.cell) is not document:
            raise content_modified("The cell has run since.")
        for own in made:
            with self.lock:
                trace = self.shelf.trace(run, own.call, own.repeat.index)
                instead = self.shelf.superseded(trace)
            own.keep()
            if own is made[-1]:
                document.text = text
            self._add(run, trace, instead=instead, document=document if own is made[-1] else None)
        if not made:
            document.text = text
            with self.lock:
                params = self._change()
                self._tell_source(params, document)
            self._publish(run, params, [])

    def _compare(self) -> None:
        with self.lock:
            for cell, document in self.shelf.documents.items():
                source, outdated = self.shelf.sources.get(cell), document.outdated
                if source is not None and source["outdated"] != outdated:
                    params = self._change()
                    params["source"] = {**source, "outdated": outdated}
                    self.shelf.sources[cell] = params["source"]
                    self._publish(Run(cell, document.execution), params, [])

    def _tell_source(self, params: PublishParams, document: Document) -> None:
        """Tell the text that all traces of a cell are of from now on."""
        own = self.shelf.of(document.cell)
        self.shelf.sources[document.cell] = params["source"] = source_of(document, own)
        if self._problems.pop(document.cell, None):
            params["resolved"] = [document.cell]

    def _gather(self) -> None:
        from attnlab.capture.call import Refusal

        with self.lock:
            pending, self._pending = self._pending, []
            # A thread has gone on after its cell's end; by now another cell may have run.
            pending = [item for item in pending if not item[3] or item[0] is self._run]
        calls = [place for place, item in enumerate(pending) if not isinstance(item[1], Refusal)]
        for place, (run, outcome, index, late) in enumerate(pending):
            if isinstance(outcome, Refusal):
                self._fail(run, problems.refused(run, outcome))
                continue
            resolved = late and self._problems.pop(run.cell, None) is not None
            self._keep(run, outcome, index, drawn=place == calls[-1])
            if late:
                self._follow(run, resolved=resolved)

    def _follow(self, run: Run, *, resolved: bool) -> None:
        """Say what holds of a cell now that a call has come in after its end."""
        with self.lock:
            params = self._change()
            if resolved and run.cell not in self._problems:
                params["resolved"] = [run.cell]
            self._tell_document(params, run)
        self._publish(run, params, [])

    def _fail(self, run: Run, problem: Problem) -> None:
        with self.lock:
            self._problems[run.cell] = problem
            params = self._change()
            params["problem"] = problem
        self._publish(run, params, [])

    def _keep(self, run: Run, call: Call | Trace, index: int, *, drawn: bool) -> None:
        try:
            self._add(run, self.shelf.trace(run, call, index), drawn=drawn)
        except Exception as error:
            logger.exception("attnlab could not keep a trace")
            problem = problems.unkept(run, call.model, error)
            self._fail(run, problem)

    def _add(
        self,
        run: Run,
        trace: Trace,
        *,
        drawn: bool = True,
        instead: Collection[str] = (),
        document: Document | None = None,
    ) -> None:
        shown = summary(trace, run.calls)  # Computes certificates, so not under the lock.
        with self.lock:
            wishes = self.clients.wishes() if drawn else []
        drawings, buffers = self._draw(trace, wishes)
        with self.lock:
            pinned = {wish["pinned"] or "" for wish in self.clients.wishes()}
            forgotten = self.shelf.put(trace, run, pinned, instead)
            params = self._change()
            params["trace"] = shown
            params["forgotten"] = forgotten
            params["pictures"] = drawings
            others = [item for item in pictures.shown_items(trace, wishes) if item != shown["item"]]
            if others:
                params["items"] = [item_of(trace, item) for item in others]
            if document is not None:
                self._tell_source(params, document)
        self._publish(run, params, buffers)
        self.reselected()

    def _draw(self, trace: Trace, wishes: Wishes) -> tuple[list[Picture], list[bytes]]:
        try:
            return pictures.wished(trace, wishes)
        except Exception:
            # The panel asks for what has not come, and is told the error then.
            logger.exception("attnlab could not draw a trace")
            return [], []

    def _change(self) -> PublishParams:
        self._revision += 1
        return PublishParams(
            revision=self._revision, running=self._running, forgotten=[], pictures=[]
        )
