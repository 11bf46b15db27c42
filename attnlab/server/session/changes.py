"""Changes of a session's state."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from attnlab.live.cells.run import Run
from attnlab.server.messages import State
from attnlab.server.payloads.subscribed import shown_items, subscribed
from attnlab.server.protocol.errors import content_modified
from attnlab.server.session.problems import Problems, no_call, not_stored
from attnlab.server.session.summaries import item_of, summary
from attnlab.traces.cancellation import stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.live.cells.document import CellDocument, EditResult
    from attnlab.server.messages import Payload, Problem, PublishParams
    from attnlab.server.payloads.subscribed import Subscriptions
    from attnlab.server.session.clients import Clients
    from attnlab.server.session.documents import CellDocuments
    from attnlab.server.session.pushes import Pushes
    from attnlab.server.session.registry import TraceRegistry
    from attnlab.traces.cancellation import Cancelled
    from attnlab.traces.trace import Trace

logger = logging.getLogger(__name__)

ENDED = "generate() did not return: these are the steps before it ended."


class Changes:
    """The methods that change a session. Only used on the worker.

    Without clients, traces are stored, but nothing is computed or sent.

    Parameters
    ----------
    traces, documents, clients
        The state of the session.
    pushes
        Publishes each change.
    traced
        Called after each published trace.
    """

    def __init__(
        self,
        traces: TraceRegistry,
        documents: CellDocuments,
        clients: Clients,
        pushes: Pushes,
        traced: Callable[[], None],
    ) -> None:
        self._traces = traces
        self._documents = documents
        self._clients = clients
        self._pushes = pushes
        self._traced = traced
        self._problems = Problems()
        self.newest_run: Run | None = None
        """The watched run that started last."""

    def state(self, cancelled: Cancelled) -> State:
        """Return the whole state.

        Parameters
        ----------
        cancelled
            Polled before each trace.

        Raises
        ------
        CancelledError
            If `cancelled` returns true.
        """
        traces = []
        for trace in self._traces.traces:
            stop_if(cancelled)
            try:
                traces.append(summary(trace, self._traces.run_of(trace).calls))
            except Exception as error:
                logger.exception("attnlab could not keep a trace")
                run = self._traces.run_of(trace)
                problem = not_stored(run, trace.model, error)
                self._traces.discard(trace.id, problem["title"])
                self._problems.add(run, problem)
                self._pushes.revision += 1
        for document in self._documents.all:
            self._documents.refresh(document)
        return State(
            revision=self._pushes.revision,
            running=self._pushes.running,
            last=self._pushes.last,
            traces=traces,
            problems=self._problems.current,
            sources=self._documents.sources,
        )

    def begin(self, run: Run) -> None:
        """Publish the start of a watched cell's run."""
        self._pushes.running = run.cell
        self._traces.set_newest_cell(run.cell)
        self.newest_run = run
        resolved = self._problems.resolve(run.cell)
        params = self._pushes.next_params()
        if resolved:
            params["resolved"] = [run.cell]
        self._pushes.publish(run, params)

    def finish(self, run: Run) -> None:
        """Publish the end of a watched cell's run."""
        self._end_running(run)
        self._pushes.running = None
        call_expected = run.missed is not None or bool(self._traces.of_cell(run.cell))
        if run.calls or call_expected:
            self._pushes.last = run.cell
        params = self._pushes.next_params()
        if not run.calls and call_expected:
            # The panel still shows a trace of an older run, or of another cell.
            params["problem"] = no_call(run)
            self._problems.add(run, params["problem"])
        self._add_source_of(run, params)
        self._pushes.publish(run, params)

    def fail(self, run: Run, problem: Problem, index: int) -> None:
        """Publish a problem of a run.

        Parameters
        ----------
        index
            Index of the call that was not recorded.
        """
        self._end_running(run, index)
        self._pushes.last = run.cell
        self._problems.add(run, problem)
        params = self._pushes.next_params()
        params["problem"] = problem
        self._pushes.publish(run, params)

    def store(
        self, run: Run, call: RecordedCall | Trace, index: int, *, compute: bool, late: bool
    ) -> None:
        """Store and publish a trace of a call.

        Parameters
        ----------
        compute
            Whether to compute the payloads that panels have subscribed to.
        late
            Whether the call was made after the cell had ended.
        """
        resolved = late and self._problems.resolve(run.cell)
        try:
            trace = self._traces.create(run, call, index)
            self.add(run, trace, compute=compute, replaces=self._traces.running(run))
        except Exception as error:
            logger.exception("attnlab could not keep a trace")
            self.fail(run, not_stored(run, call.model, error), index)
        if late:
            params = self._pushes.next_params()
            if resolved and run.cell not in self._problems:
                params["resolved"] = [run.cell]
            self._add_source_of(run, params)
            self._pushes.publish(run, params)

    def add(
        self,
        run: Run,
        trace: Trace,
        *,
        compute: bool = True,
        replaces: Collection[str] = (),
        edit: EditResult | None = None,
    ) -> None:
        """Store and publish a trace.

        Parameters
        ----------
        compute
            Whether to compute the payloads that panels have subscribed to.
        replaces
            Ids of the traces that it replaces.
        edit
            The edit that the trace results from, if any.
        """
        subscriptions = self._clients.subscriptions
        pinned = {subscription["pinned"] or "" for subscription in subscriptions}
        trace.notes = [*trace.notes, *self._traces.pin(run, pinned)]
        if not compute:
            subscriptions = []
        trace_summary = summary(trace, run.calls) if self._clients.connected else None
        payloads, buffers = _subscribed_payloads(trace, subscriptions)
        newest = edit is None or edit.last
        removed = self._traces.add(trace, run, replaces, newest=newest)
        if newest:
            self._pushes.last = run.cell
        params = self._pushes.next_params()
        params["removed"] = removed
        params["payloads"] = payloads
        if trace_summary is not None:
            params["trace"] = trace_summary
        other_items = [item for item in shown_items(trace, subscriptions) if item != 0]
        if other_items:
            params["items"] = [item_of(trace, item) for item in other_items]
        if edit is not None and edit.document.text == edit.text:
            self._add_edited_source(edit.document, params)
        self._pushes.publish(run, params, buffers)
        self._traced()

    def add_edit(self, run: Run, edit: EditResult) -> None:
        """Store and publish the traces of an edited text.

        Raises
        ------
        RpcError
            CONTENT_MODIFIED if the cell has run again since the edit.
        """
        document, repeated_calls = edit.document, edit.made
        if self._documents.get(document.cell) is not document:
            raise content_modified("The cell has run again since the edit.")
        for repeated in repeated_calls:
            trace = self._traces.create(run, repeated.call, repeated.repeat.index)
            replaces = self._traces.replaced_by(trace)
            repeated.keep()
            if repeated is repeated_calls[-1]:
                document.reword(edit.text)
            self.add(run, trace, replaces=replaces, edit=edit)
        if not repeated_calls:
            document.reword(edit.text)
            if edit.last:
                self._pushes.last = document.cell
            params = self._pushes.next_params()
            self._add_edited_source(document, params)
            self._pushes.publish(run, params)

    def refresh_sources(self) -> None:
        """Publish the sources of cells whose models were changed or deleted."""
        for document in self._documents.all if self._clients.connected else ():
            source = self._documents.refresh(document)
            if source is not None:
                params = self._pushes.next_params()
                params["source"] = source
                self._pushes.publish(Run(document.cell, document.execution), params)

    def _end_running(self, run: Run, index: int | None = None) -> None:
        """Publish that a call that was shown while it ran, or each of them, is not running."""
        for id_ in self._traces.running(run):
            trace = self._traces.get(id_)
            if trace is None or index not in (None, trace.index):
                continue
            try:
                ended = replace(trace, running=False, notes=[*trace.notes, ENDED])
                self.add(run, self._traces.create(run, ended, trace.index), replaces=[id_])
            except Exception:
                logger.exception("attnlab could not end the view of a running call")

    def _add_source_of(self, run: Run, params: PublishParams) -> None:
        """Add the source of a run that has traces; otherwise the cell keeps its previous one."""
        has_traces = any(
            trace.execution == run.execution for trace in self._traces.of_cell(run.cell)
        )
        if run.document is not None and has_traces:
            self._add_source(run.document, params)

    def _add_source(self, document: CellDocument, params: PublishParams) -> None:
        self._documents.set(document)
        source = self._documents.source(document.cell) if self._clients.connected else None
        if source is not None:
            params["source"] = source

    def _add_edited_source(self, document: CellDocument, params: PublishParams) -> None:
        self._add_source(document, params)
        self._problems.follow_edit(document, params)


def _subscribed_payloads(
    trace: Trace, subscriptions: Subscriptions
) -> tuple[list[Payload], list[bytes]]:
    try:
        return subscribed(trace, subscriptions)
    except Exception:
        # The panel requests the missing payloads; the response then contains the error.
        logger.exception("attnlab could not compute the payloads of a trace")
        return [], []
