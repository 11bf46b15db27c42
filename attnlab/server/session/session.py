"""The session: the state of a kernel's backend, which requests and watched cells share."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from attnlab.server.session.changes import Changes
from attnlab.server.session.clients import Clients
from attnlab.server.session.documents import CellDocuments
from attnlab.server.session.pending import PendingCall, PendingCalls
from attnlab.server.session.problems import refused
from attnlab.server.session.pushes import Pushes
from attnlab.server.session.registry import TraceRegistry

if TYPE_CHECKING:
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal
    from attnlab.live.cells.document import CellDocument, EditResult
    from attnlab.live.cells.run import Run
    from attnlab.server.messages import SelectionState, Source, State, SubscribeParams
    from attnlab.server.protocol.worker import Worker
    from attnlab.server.session.pushes import Publish
    from attnlab.server.session.selections import PanelSelection
    from attnlab.traces.cancellation import Cancelled
    from attnlab.traces.trace import Trace

logger = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds for which the calls of a running cell are collected. Payloads are computed only for
the last of them, and not while the cell calls models continuously: computing during a forward
pass makes both many times slower."""

TIMEOUT = 10.0
"""Maximum seconds that the user's code waits for the worker to store the newest calls."""

Done = Callable[[Exception | None], None]
"""Called with the exception that prevented a change, or None."""


class Session:
    """The state of the backend; a listener of `live.cells.watcher.CellWatcher`.

    Thread-safe. Changes are made on the worker, in order (see `Changes`).

    Parameters
    ----------
    name : str
        Unique id of the session; the traces' ids begin with its first characters.
    worker
        Makes the changes and computes payloads.
    publish
        Sends a push to all clients.
    changed
        As for `endpoint.Endpoint`.
    """

    def __init__(
        self,
        name: str,
        worker: Worker,
        publish: Publish,
        changed: Callable[[int, str | None], None] = lambda *_: None,
    ) -> None:
        self.name = name
        self._worker = worker
        self._clients = Clients()
        self._traces = TraceRegistry(name)
        self._documents = CellDocuments(self._traces)
        self._pushes = Pushes(self._clients, publish, changed)
        self._changes = Changes(
            self._traces, self._documents, self._clients, self._pushes, self._selection_changed
        )
        self._lock = threading.RLock()
        self._pending = PendingCalls()
        self._collecting = False
        """Whether the worker is already scheduled to store the pending calls."""
        self._progress: tuple[Run, RecordedCall, int] | None = None
        self._observers: list[Callable[[], None]] = []

    # --- clients ----------------------------------------------------------------------------

    def connect(self, client: str) -> None:
        """Add a client; `state` returns the state to send to it."""
        self._clients.connect(client)
        self._clients_changed()

    def disconnect(self, client: str) -> None:
        """Remove a client; nothing is computed while there are no clients."""
        self._clients.disconnect(client)
        self._clients_changed()

    def touch(self, client: str) -> None:
        """Note that a client is alive.

        Raises
        ------
        RpcError
            NOT_INITIALIZED if the client is not connected, or was removed.
        """
        self._clients.touch(client)

    @property
    def clients(self) -> frozenset[str]:
        """The ids of all clients."""
        return self._clients.ids

    def subscribe(self, client: str, subscription: SubscribeParams) -> None:
        """Replace the subscription of a client's panel."""
        self._clients.subscribe(client, subscription)
        self._selection_changed()

    def unsubscribe(self, client: str, panel: str) -> None:
        """End the subscription of a client's panel."""
        self._clients.unsubscribe(client, panel)
        self._selection_changed()

    def _clients_changed(self) -> None:
        context = contextvars.copy_context()
        self._worker.push(lambda: context.run(self._pushes.report_running))
        self._selection_changed()

    # --- selections -------------------------------------------------------------------------

    def select(self, client: str, panel: str, selection: SelectionState) -> None:
        """Store the selection of a client's panel."""
        self._clients.select(client, panel, selection)
        self._selection_changed()

    def selected(self) -> tuple[PanelSelection, Trace | None] | None:
        """Return the selection of the active panel, and the trace that the panel shows.

        This is the trace that it is pinned to, or else the newest one (`TraceRegistry.newest`).
        """
        active = self._clients.active
        if active is None:
            return None
        selection, pinned = active
        return selection, self._traces.get(pinned or "") or self._traces.newest

    def observe_selection(self, observer: Callable[[], None]) -> None:
        """Call `observer` whenever the result of `selected` may have changed."""
        self._observers.append(observer)

    def _selection_changed(self) -> None:
        for observer in self._observers:
            observer()

    # --- traces and texts -------------------------------------------------------------------

    def state(self, cancelled: Cancelled) -> State:
        """Return the whole state, on the worker; see `Changes.state`."""
        return self._changes.state(cancelled)

    @property
    def traces(self) -> list[Trace]:
        """All traces, oldest run first."""
        return self._traces.traces

    def trace(self, id_: str) -> Trace | None:
        """Return the trace with an id; None if the kernel no longer has it."""
        return self._traces.get(id_)

    def require_trace(self, id_: str) -> Trace:
        """Return the trace with an id.

        Raises
        ------
        RpcError
            TRACE_GONE if the kernel no longer has it.
        """
        return self._traces.require(id_)

    def document(self, cell: str) -> CellDocument | None:
        """Return the newest run of a cell that called a model; None if there is none."""
        return self._documents.get(cell)

    def source(self, cell: str) -> Source | None:
        """Return the source of a cell's newest traces; None if it has no traces."""
        return self._documents.source(cell)

    def newest(self) -> Trace | None:
        """Return the newest trace after all calls so far are stored; None without traces."""
        self.settle()
        return next(reversed(self._traces.traces), None)

    def settle(self) -> None:
        """Wait until all calls so far are stored; returns at once on the worker itself."""
        if self._worker.here:
            return
        stored = threading.Event()
        self._worker.push(stored.set)
        self._worker.flush()
        stored.wait(TIMEOUT)

    # --- runs of watched cells, on the thread of the cell -----------------------------------

    def began(self, run: Run) -> None:
        """Handle that a watched cell is about to run."""
        self._worker.push(lambda: self._changes.begin(run))

    def called(self, run: Run, outcome: RecordedCall | Refusal | Trace) -> None:
        """Add the outcome of a model call, or a trace that the user's code shows."""
        nbytes = getattr(outcome, "nbytes", 0)
        with self._lock:
            self._pending.add(PendingCall(run, outcome, run.calls, run.over, nbytes))
            run.calls += 1
            if not self._collecting:
                self._worker.push(self._store_pending, INTERVAL)
                self._collecting = True

    def looked_at(self) -> bool:
        """Whether any panel shows traces now."""
        return bool(self._clients.subscriptions)

    def progressed(self, run: Run, call: RecordedCall) -> None:
        """Show what a running model call has computed so far; only the newest state is stored."""
        with self._lock:
            waiting, self._progress = self._progress, (run, call, run.calls)
        if waiting is None:
            self._worker.push(self._store_progress)
            self._worker.flush()

    def _store_progress(self) -> None:
        with self._lock:
            newest, self._progress = self._progress, None
        if newest is not None:
            run, call, index = newest
            # The call may have returned since.
            if run.calls == index and not run.over:
                self._changes.store(run, call, index, compute=True, late=False)

    def ended(self, run: Run) -> None:
        """Handle that a watched cell has run; its traces are published at once."""
        if run.document is not None:
            run.document.ended()
        self._worker.push(lambda: self._changes.finish(run))
        self._worker.flush()

    def compare(self) -> None:
        """Check whether models were changed or deleted; called after each run of a cell."""
        self._worker.push(self._changes.refresh_sources)

    def _store_pending(self) -> None:
        from attnlab.capture.record.recorded_call import Refusal

        newest_run = self._changes.newest_run
        with self._lock:
            self._collecting = False
            # The threads of a cell may continue after its end: once another cell has run, their
            # calls are dropped.
            pending = [
                call for call in self._pending.take() if not call.late or call.run is newest_run
            ]
        newest = next((call for call in reversed(pending) if call.nbytes), None)
        pending.reverse()
        while pending:  # Removed before it is stored, so that the store can free it.
            call = pending.pop()
            run, outcome = call.run, call.outcome
            if isinstance(outcome, Refusal):
                self._changes.fail(run, refused(run, outcome), call.index)
            else:
                compute = call is newest
                self._changes.store(run, outcome, call.index, compute=compute, late=call.late)

    # --- edits and trials, on the thread of forward passes ----------------------------------

    def add_edit(self, run: Run, edit: EditResult, done: Done) -> None:
        """Store and publish the traces of an edited text.

        Parameters
        ----------
        run
            A run with the document's cell and execution.
        done
            Called on the worker with None after the traces were published, or with the exception.
        """
        document = edit.document
        with self._lock:
            document.coming += 1

        def add() -> None:
            try:
                self._changes.add_edit(run, edit)
            finally:
                with self._lock:
                    document.coming -= 1

        self._change(add, done)

    def add_trial(
        self, run: Run, call: RecordedCall, index: int, done: Callable[[Trace | Exception], None]
    ) -> None:
        """Store and publish a trace of a trial text, in addition to the call's trace.

        Parameters
        ----------
        done
            Called on the worker with the trace after it was published, or with the exception.
        """
        trace = self._traces.create(run, call, index, trial=True)

        def add() -> None:
            self._changes.add(run, trace, replaces=self._traces.replaced_by(trace))

        self._change(add, lambda error: done(trace if error is None else error))

    def _change(self, change: Callable[[], None], done: Done) -> None:
        def work() -> None:
            try:
                change()
            except Exception as error:
                logger.exception("attnlab could not show an edited text")
                done(error)
            else:
                done(None)

        self._worker.push(work)
        self._worker.flush()
