"""The traces of a kernel: those of each cell's newest run, within a memory budget."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from attnlab.capture.record.memory import VARIABLE, budget, readable

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace

REMEMBERED = 300
"""Number of dropped traces whose reasons are kept."""


class Store:
    """Traces by id, oldest run first.

    A pinned trace stays until it is discarded or unpinned: neither a newer run of its cell nor
    the budget drops it. It counts toward the budget. Every method is thread-safe.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = budget() if limit_bytes is None else limit_bytes
        self._traces: dict[str, Trace] = {}
        self._sizes: dict[str, int] = {}
        self._pinned: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._lock = RLock()

    def add(self, trace: Trace) -> list[str]:
        """Add a trace, and return the ids of the traces that were dropped for it.

        These are the traces of earlier runs of the same cell and, while the budget is
        exceeded, the oldest traces; never pinned ones. The new trace stays even if it alone
        exceeds the budget.
        """
        with self._lock:
            dropped = [
                old.id
                for old in self._traces.values()
                if old.cell == trace.cell
                and old.execution != trace.execution
                and old.id not in self._pinned
            ]
            for name in dropped:
                self._drop(name, "A newer run of its cell replaced it.")
            self._reasons.pop(trace.id, None)
            self._traces[trace.id] = trace
            self._sizes[trace.id] = trace.nbytes
            why = (
                f"It was dropped to stay within {readable(self.limit_bytes)} ({VARIABLE}) when "
                f"the trace of {trace.model} in run [{trace.execution}] was added."
            )
            for name in list(self._traces):
                if self.nbytes <= self.limit_bytes:
                    break
                if name not in self._pinned and name != trace.id:
                    self._drop(name, why)
                    dropped.append(name)
            return dropped

    def get(self, id: str) -> Trace | None:  # noqa: A002
        """Look up a trace; None if it is not in the store."""
        with self._lock:
            return self._traces.get(id)

    def dropped(self, id: str) -> str | None:  # noqa: A002
        """Return a sentence that explains why a trace was dropped.

        None if it is in the store, was never added, or was dropped long ago.
        """
        with self._lock:
            return self._reasons.get(id)

    def pin(self, id: str) -> None:  # noqa: A002
        """Protect a trace from being dropped; ignored if it is not in the store."""
        with self._lock:
            if id in self._traces:
                self._pinned.add(id)

    def unpin(self, id: str) -> None:  # noqa: A002
        """Allow a trace to be dropped again."""
        with self._lock:
            self._pinned.discard(id)

    def discard(self, id: str, why: str = "It was discarded.") -> None:  # noqa: A002
        """Drop a trace; ignored if it is not in the store."""
        with self._lock:
            if id in self._traces:
                self._drop(id, why)

    @property
    def traces(self) -> list[Trace]:
        """All traces, oldest run first."""
        with self._lock:
            return list(self._traces.values())

    @property
    def nbytes(self) -> int:
        """Memory of all traces, in bytes."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def pinned_bytes(self) -> int:
        """Memory of the pinned traces, in bytes; it may exceed the budget."""
        with self._lock:
            return sum(self._sizes[name] for name in self._pinned)

    def _drop(self, name: str, why: str) -> None:
        del self._traces[name]
        del self._sizes[name]
        self._pinned.discard(name)
        self._reasons[name] = why
        while len(self._reasons) > REMEMBERED:
            del self._reasons[next(iter(self._reasons))]
