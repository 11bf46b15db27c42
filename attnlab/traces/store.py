"""The traces that a kernel holds: those of each cell's newest run, within a budget."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from attnlab.capture.memory import budget

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace


class Store:
    """Traces by id, oldest run first.

    Every method may be called from any thread.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = budget() if limit_bytes is None else limit_bytes
        self._traces: dict[str, Trace] = {}
        self._sizes: dict[str, int] = {}
        self._lock = RLock()

    def add(self, trace: Trace) -> list[str]:
        """Keep a trace; the ids of those that had to go for it.

        Those are the traces of earlier runs of the same cell, and the oldest of all while
        the budget is exceeded. The newest trace stays even when it alone exceeds it.
        """
        with self._lock:
            gone = [
                old.id
                for old in self._traces.values()
                if old.cell == trace.cell and old.execution != trace.execution
            ]
            for name in gone:
                self._drop(name)
            self._traces[trace.id] = trace
            self._sizes[trace.id] = trace.nbytes
            while self.nbytes > self.limit_bytes and len(self._traces) > 1:
                oldest = next(iter(self._traces))
                self._drop(oldest)
                gone.append(oldest)
            return gone

    def get(self, id: str) -> Trace | None:  # noqa: A002
        """Look up a trace; None when it is held no more."""
        with self._lock:
            return self._traces.get(id)

    def discard(self, id: str) -> None:  # noqa: A002
        """Drop a trace, if it is held."""
        with self._lock:
            if id in self._traces:
                self._drop(id)

    def forget(self, cell: str) -> list[str]:
        """Drop all traces of a cell; their ids."""
        with self._lock:
            gone = [trace.id for trace in self._traces.values() if trace.cell == cell]
            for name in gone:
                self._drop(name)
            return gone

    def clear(self) -> list[str]:
        """Drop everything; the ids."""
        with self._lock:
            gone = list(self._traces)
            self._traces.clear()
            self._sizes.clear()
            return gone

    @property
    def traces(self) -> list[Trace]:
        """All traces, oldest run first."""
        with self._lock:
            return list(self._traces.values())

    @property
    def nbytes(self) -> int:
        """Memory that the traces hold."""
        with self._lock:
            return sum(self._sizes.values())

    def _drop(self, name: str) -> None:
        del self._traces[name]
        del self._sizes[name]
