"""The traces that a kernel holds, and the texts of the cells that they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attnlab.server.summaries import summary

if TYPE_CHECKING:
    from collections.abc import Collection

    from attnlab.capture.call import Call
    from attnlab.live.document import Document
    from attnlab.live.run import Run
    from attnlab.server.messages import Source, TraceSummary
    from attnlab.traces.store import Store
    from attnlab.traces.trace import Trace

RUN_LIMIT = 64
"""Traces kept of one run: `generate` makes a model call for every token."""


class Shelf:
    """What runs of watched cells have left; not safe to use from two threads at once.

    Parameters
    ----------
    name : str
        The traces' ids begin with it.

    Attributes
    ----------
    ran : str
        The cell that ran, or was typed in, last.
    documents
        By cell: its newest run that has called a model.
    sources
        By cell: the text that its newest traces are of.
    """

    def __init__(self, name: str) -> None:
        self.ran = ""
        self.documents: dict[str, Document] = {}
        self.sources: dict[str, Source] = {}
        self._name = name
        self._made = 0
        self._runs: dict[str, Run] = {}
        # Imported late: a kernel that has recorded nothing needs no torch.
        self._store: Store | None = None

    @property
    def traces(self) -> list[Trace]:
        """All traces, oldest run first."""
        return [] if self._store is None else self._store.traces

    def get(self, id_: str) -> Trace | None:
        """Return the trace of an id, or None where it is held no more."""
        return None if self._store is None else self._store.get(id_)

    def dropped(self, id_: str) -> str | None:
        """Return why a trace is held no more, or None where it never was."""
        return None if self._store is None else self._store.dropped(id_)

    def of(self, cell: str) -> list[Trace]:
        """Return the traces of a cell's newest text, in the order of its calls."""
        own = [trace for trace in self.traces if trace.cell == cell and not trace.tried]
        return sorted(own, key=lambda trace: trace.index)

    def superseded(self, trace: Trace) -> list[str]:
        """Return the traces of the cell that are none of its text once this one is here."""
        return [
            own.id
            for own in self.traces
            if (own.cell, own.execution) == (trace.cell, trace.execution)
            and (own.tried or (own.index == trace.index and not trace.tried))
        ]

    def newest(self) -> Trace | None:
        """Return the newest trace of the cell that ran last, else of any."""
        traces = self.traces
        own = [trace for trace in traces if trace.cell == self.ran]
        return next(reversed(own or traces), None)

    def summaries(self) -> list[TraceSummary]:
        """List the traces as a panel does."""
        return [summary(trace, self._runs[trace.cell].calls) for trace in self.traces]

    def trace(self, run: Run, call: Call | Trace, index: int, *, tried: bool = False) -> Trace:
        """Make a trace of a call, or one like a trace that Python hands over."""
        from attnlab.traces.trace import Trace

        self._made += 1
        id_ = f"{self._name[:8]}-{self._made}"
        if isinstance(call, Trace):
            trace = call
        else:
            trace = Trace.from_call(call, id_, run.cell, run.execution, index)
        return replace(
            trace, id=id_, cell=run.cell, execution=run.execution, index=index, tried=tried
        )

    def put(
        self, trace: Trace, run: Run, pinned: Collection[str], instead: Collection[str] = ()
    ) -> list[str]:
        """Keep a trace; return the ids of those that had to go for it.

        Parameters
        ----------
        run
            What has left it.
        pinned
            Traces that panels keep to, whatever other cells have left.
        instead
            Traces in whose place it comes.
        """
        from attnlab.traces.store import Store

        if self._store is None:
            self._store = Store()
        self._pin(self._store, run.cell, pinned)
        for id_ in instead:
            self._store.discard(id_, "A newer text of its cell replaced it.")
        gone = [*instead, *self._store.add(trace), *self._surplus(self._store, run)]
        known = self._runs.get(run.cell)
        if known is None or known.execution != run.execution or known.calls < run.calls:
            self._runs[run.cell] = run
        self.ran = run.cell
        return gone

    def _pin(self, store: Store, ran: str, pinned: Collection[str]) -> None:
        """Have the store keep what panels are pinned to.

        A panel is pinned to a cell: a run of that very cell replaces what it shows.
        """
        for trace in store.traces:
            if trace.id in pinned and trace.cell != ran:
                store.pin(trace.id)
            else:
                store.unpin(trace.id)

    def _surplus(self, store: Store, run: Run) -> list[str]:
        """Drop what a run has left beyond its limit, the oldest first."""
        own = [
            trace.id
            for trace in store.traces
            if (trace.cell, trace.execution) == (run.cell, run.execution)
        ]
        surplus = own[:-RUN_LIMIT]
        for id_ in surplus:
            store.discard(id_, f"Of one run the newest {RUN_LIMIT} model calls are kept.")
        return surplus
