"""Outcomes of model calls that the worker has not stored yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.capture.record.memory import budget

if TYPE_CHECKING:
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal
    from attnlab.live.cells.run import Run
    from attnlab.traces.trace import Trace


@dataclass(frozen=True, eq=False)
class PendingCall:
    """The outcome of one model call.

    Attributes
    ----------
    index
        Index of the call within its run.
    late
        Whether the call was made after the cell had ended.
    nbytes
        Memory of the outcome, in bytes.
    """

    run: Run
    outcome: RecordedCall | Refusal | Trace
    index: int
    late: bool
    nbytes: int


class PendingCalls:
    """Outcomes in the order of their calls. Not thread-safe.

    A cell may call models faster than the worker stores the outcomes. If these exceed the memory
    budget, the oldest are dropped, as in the trace store; the newest is kept.
    """

    def __init__(self) -> None:
        self._calls: list[PendingCall] = []

    def add(self, call: PendingCall) -> None:
        """Add an outcome."""
        calls = [*self._calls, call]
        total = sum(pending.nbytes for pending in calls)
        for older in calls[:-1] if total > budget() else ():
            if older.nbytes and total > budget():
                calls.remove(older)
                total -= older.nbytes
        self._calls = calls

    def take(self) -> list[PendingCall]:
        """Return and remove all outcomes."""
        calls, self._calls = self._calls, []
        return calls
