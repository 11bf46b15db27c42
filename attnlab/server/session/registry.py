"""The traces of a session."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from attnlab.capture.record.memory import VARIABLE, readable
from attnlab.server.protocol.errors import trace_gone

if TYPE_CHECKING:
    from collections.abc import Collection

    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.live.cells.run import Run
    from attnlab.traces.store import Store
    from attnlab.traces.trace import Trace

RUN_LIMIT = 64
"""Maximum number of traces of one run: `generate` makes a model call for every token."""

EXCEEDED = (
    "The pinned traces take {taken}, more than the limit of {limit} for all traces, so only the "
    "newest trace is kept besides them. Unpin a panel, or set {variable} higher."
)


class TraceRegistry:
    """The traces of watched cells. Thread-safe.

    Parameters
    ----------
    name : str
        Its first characters are the prefix of the traces' ids.
    """

    def __init__(self, name: str) -> None:
        self._lock = threading.RLock()
        self._name = name
        self._created = 0
        self._newest_cell = ""
        self._runs: dict[str, Run] = {}
        # Created with the first trace, so that other kernels do not import torch.
        self._store: Store | None = None

    @property
    def traces(self) -> list[Trace]:
        """All traces, oldest run first."""
        with self._lock:
            return [] if self._store is None else self._store.traces

    @property
    def newest(self) -> Trace | None:
        """The newest trace of the cell that last ran or was edited, or else the newest of all."""
        traces = self.traces
        of_cell = [trace for trace in traces if trace.cell == self._newest_cell]
        return next(reversed(of_cell or traces), None)

    def get(self, id_: str) -> Trace | None:
        """Return the trace with an id; None if there is none."""
        with self._lock:
            return None if self._store is None else self._store.get(id_)

    def require(self, id_: str) -> Trace:
        """Return the trace with an id.

        Raises
        ------
        RpcError
            TRACE_GONE if there is none.
        """
        with self._lock:
            trace = self.get(id_)
            if trace is None:
                raise trace_gone(id_, None if self._store is None else self._store.dropped(id_))
            return trace

    def of_cell(self, cell: str) -> list[Trace]:
        """Return the traces of a cell's newest text, in the order of its calls."""
        found = [trace for trace in self.traces if trace.cell == cell and not trace.tried]
        return sorted(found, key=lambda trace: trace.index)

    def replaced_by(self, trace: Trace) -> list[str]:
        """Return the ids of the traces that a new trace of the same run replaces."""
        return [
            other.id
            for other in self.traces
            if (other.cell, other.execution) == (trace.cell, trace.execution)
            and (other.tried or (other.index == trace.index and not trace.tried))
        ]

    def running(self, run: Run) -> list[str]:
        """Return the ids of the traces of a call of a run that had not returned."""
        return [
            trace.id
            for trace in self.traces
            if (trace.cell, trace.execution) == (run.cell, run.execution) and trace.running
        ]

    def run_of(self, trace: Trace) -> Run:
        """Return the run that made a trace."""
        with self._lock:
            return self._runs[trace.cell]

    def create(
        self, run: Run, call: RecordedCall | Trace, index: int, *, trial: bool = False
    ) -> Trace:
        """Create a trace of a call, or copy a trace; it has a new id, and is not stored."""
        from attnlab.traces.trace import Trace

        with self._lock:
            id_ = self._next_id()
        if isinstance(call, Trace):
            trace = call
        else:
            trace = Trace.from_call(call, id_, run.cell, run.execution, index)
        return replace(
            trace, id=id_, cell=run.cell, execution=run.execution, index=index, tried=trial
        )

    def add(
        self, trace: Trace, run: Run, replaces: Collection[str] = (), *, newest: bool = True
    ) -> list[str]:
        """Store a trace; return the ids of the traces that were removed.

        Parameters
        ----------
        run
            The run that made it.
        replaces
            Ids of the traces that it replaces.
        newest
            Whether its cell now counts as the one that last ran or was edited.
        """
        from attnlab.traces.store import Store

        with self._lock:
            if self._store is None:
                self._store = Store()
            for id_ in replaces:
                self._store.discard(id_, "A newer text of its cell replaced it.")
            removed = [*replaces, *self._store.add(trace), *self._remove_surplus(self._store, run)]
            known_run = self._runs.get(run.cell)
            if (
                known_run is None
                or known_run.execution != run.execution
                or known_run.calls < run.calls
            ):
                self._runs[run.cell] = run
            if newest:
                self._newest_cell = run.cell
            return removed

    def set_newest_cell(self, cell: str) -> None:
        """Note that a cell is the one that runs or ran last."""
        with self._lock:
            self._newest_cell = cell

    def discard(self, id_: str, why: str) -> None:
        """Remove a trace."""
        with self._lock:
            if self._store is not None:
                self._store.discard(id_, why)

    def pin(self, run: Run, pinned: Collection[str]) -> list[str]:
        """Pin the traces that panels are pinned to; return a note if they exceed the limit.

        A panel is pinned to a cell, so its trace is replaced by a new run of that cell.

        Parameters
        ----------
        run
            The run that makes a new trace.
        pinned
            Ids of the traces that panels are pinned to.
        """
        with self._lock:
            if self._store is None:
                return []
            for trace in self._store.traces:
                if trace.id in pinned and trace.cell != run.cell:
                    self._store.pin(trace.id)
                else:
                    self._store.unpin(trace.id)
            taken, limit = self._store.pinned_bytes, self._store.limit_bytes
        if taken <= limit:
            return []
        return [EXCEEDED.format(taken=readable(taken), limit=readable(limit), variable=VARIABLE)]

    def _next_id(self) -> str:
        self._created += 1
        return f"{self._name[:8]}-{self._created}"

    def _remove_surplus(self, store: Store, run: Run) -> list[str]:
        """Remove the oldest traces of a run that has more than `RUN_LIMIT`."""
        of_run = [
            trace.id
            for trace in store.traces
            if (trace.cell, trace.execution) == (run.cell, run.execution)
        ]
        surplus = of_run[:-RUN_LIMIT]
        for id_ in surplus:
            store.discard(id_, f"Only the latest {RUN_LIMIT} model calls of a run are kept.")
        return surplus
