"""The traces that a kernel holds: those of each cell's newest run, within a budget."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from attnlab.capture.memory import VARIABLE, budget, readable

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace

REMEMBERED = 300
"""Of so many dropped traces it is remembered why they are gone."""


class Store:
    """Traces by id, oldest run first.

    A pinned trace stays until it is discarded, forgotten or unpinned: neither a newer run
    of its cell nor the budget drops it. Every method may be called from any thread.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = budget() if limit_bytes is None else limit_bytes
        self._traces: dict[str, Trace] = {}
        self._sizes: dict[str, int] = {}
        self._pinned: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._lock = RLock()

    def add(self, trace: Trace) -> list[str]:
        """Keep a trace; the ids of those that had to go for it.

        Those are the traces of earlier runs of the same cell, and the oldest of all while
        the budget is exceeded, none of them pinned. The newest trace stays even when it
        alone exceeds it.
        """
        with self._lock:
            gone = [
                old.id
                for old in self._traces.values()
                if old.cell == trace.cell
                and old.execution != trace.execution
                and old.id not in self._pinned
            ]
            for name in gone:
                self._drop(name, "A newer run of its cell replaced it.")
            self._reasons.pop(trace.id, None)
            self._traces[trace.id] = trace
            self._sizes[trace.id] = trace.nbytes
            why = (
                f"It was dropped to stay within {readable(self.limit_bytes)} ({VARIABLE}) when "
                f"the trace of {trace.model} in run [{trace.execution}] came."
            )
            for name in list(self._traces):
                if self.nbytes <= self.limit_bytes:
                    break
                if name not in self._pinned and name != trace.id:
                    self._drop(name, why)
                    gone.append(name)
            return gone

    def get(self, id: str) -> Trace | None:  # noqa: A002
        """Look up a trace; None when it is held no more."""
        with self._lock:
            return self._traces.get(id)

    def dropped(self, id: str) -> str | None:  # noqa: A002
        """Say in a sentence why a trace is gone.

        None where it is held, or never was, or went long ago.
        """
        with self._lock:
            return self._reasons.get(id)

    def pin(self, id: str) -> None:  # noqa: A002
        """Keep a trace, if it is held, whatever comes."""
        with self._lock:
            if id in self._traces:
                self._pinned.add(id)

    def unpin(self, id: str) -> None:  # noqa: A002
        """Let a trace go when the next one needs its place."""
        with self._lock:
            self._pinned.discard(id)

    def discard(self, id: str, why: str = "It was discarded.") -> None:  # noqa: A002
        """Drop a trace, if it is held."""
        with self._lock:
            if id in self._traces:
                self._drop(id, why)

    def forget(self, cell: str) -> list[str]:
        """Drop all traces of a cell; their ids."""
        with self._lock:
            gone = [trace.id for trace in self._traces.values() if trace.cell == cell]
            for name in gone:
                self._drop(name, "The traces of its cell were dropped.")
            return gone

    def clear(self) -> list[str]:
        """Drop everything; the ids."""
        with self._lock:
            gone = list(self._traces)
            for name in gone:
                self._drop(name, "All traces were dropped.")
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

    def _drop(self, name: str, why: str) -> None:
        del self._traces[name]
        del self._sizes[name]
        self._pinned.discard(name)
        self._reasons[name] = why
        while len(self._reasons) > REMEMBERED:
            del self._reasons[next(iter(self._reasons))]
