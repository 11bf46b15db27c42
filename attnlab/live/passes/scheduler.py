"""Schedules passes over edited texts: the newest first, and never while a cell runs.

One thread runs all passes of a kernel, one at a time. For each document, at most one pass waits. A
newer pass of the document replaces the waiting one, and stops the running one within a layer.

If a pass does not stop while a cell or another pass waits, it is abandoned: its result is dropped,
and a new thread runs the next passes. Model code cannot always be interrupted, so the old thread
runs until that code returns. A cell never waits longer than `running.MOST`.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from attnlab.capture.hooks.threads import disown
from attnlab.live.passes.running import RunningJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.live.passes.job import Job

logger = logging.getLogger(__name__)

MOST_ABANDONED = 3
"""Maximum number of abandoned passes that still run; at this number, no other pass starts."""

SLOW = "The forward pass over this text took too long and was abandoned"
BEHIND = f"No new forward pass starts while {MOST_ABANDONED} abandoned ones are still running"


class PassScheduler:
    """The scheduler. Its methods may be called from any thread except those of the passes.

    Parameters
    ----------
    clock
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[str, Job] = {}
        self._running: RunningJob | None = None
        self._watched: RunningJob | None = None
        """The job that a second thread watches, to abandon it if it blocks other jobs."""
        self._longest: dict[str, float] = {}
        """Longest time of a layer in seconds, by document."""
        self._abandoned: list[RunningJob] = []
        """Abandoned jobs that have not ended yet."""
        self._notifications: list[Callable[[], None]] = []
        """Notifications for abandoned jobs, to be sent from the thread of the passes."""
        self._pauses = 0
        self._turn = 0
        """Number of the thread that runs the passes; its replacement has the next number."""
        self._started = False
        """Whether that thread has been started."""
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a pass runs or waits; abandoned passes do not count."""
        with self._changed:
            return self._running is not None or bool(self._waiting)

    def submit(self, job: Job) -> None:
        """Schedule a job, and replace all other jobs of its document."""
        with self._changed:
            self._interrupt_abandoned()
            closed, behind = self._closed, len(self._abandoned) >= MOST_ABANDONED
            old = None if closed else self._waiting.pop(job.key, None)
            if not (closed or behind):
                # Placed first, because its document is being edited.
                self._waiting = {job.key: job, **self._waiting}
                if self._running is not None and self._running.job.key == job.key:
                    self._running.stop(again=False)
                self._wake()
        for discarded in (job,) if closed else (old,) if old else ():
            discarded.discard()
        if behind and not closed:
            job.abandon(BEHIND)

    def withdraw(self, job: Job) -> None:
        """Cancel a waiting or running job; does nothing if it has ended."""
        with self._changed:
            waits = self._waiting.get(job.key) is job
            if waits:
                del self._waiting[job.key]
            elif self._running is not None and self._running.job is job:
                self._running.stop(again=False)
            self._changed.notify_all()
        if waits:
            job.discard()

    def pause(self) -> None:
        """Prevent passes from running until `resume`; returns when none is running.

        A running pass is stopped. If it stops within the time of its document's slowest layer so
        far plus `running.MARGIN`, it is repeated after `resume`; otherwise it is abandoned.
        """
        with self._changed:
            self._pauses += 1
            self._interrupt_abandoned()
            running = self._running
            if running is None:
                return
            if not running.stopping:
                running.stop(again=True)
            while self._running is running and (left := running.left_to_cell) > 0:
                self._changed.wait(left)
            if self._running is running and not running.over:
                self._abandon(running)

    def resume(self) -> None:
        """Undo a `pause`, even one that an interrupt ended early."""
        with self._changed:
            self._pauses = max(0, self._pauses - 1)
            if self._waiting or self._notifications:
                self._wake()

    def close(self) -> None:
        """Cancel all jobs; the thread ends after the current job."""
        with self._changed:
            self._closed = True
            discarded, self._waiting = list(self._waiting.values()), {}
            if self._running is not None:
                self._running.stop(again=False)
            self._changed.notify_all()
        for job in discarded:
            job.discard()

    # --- with the lock held -------------------------------------------------------------------

    def _wake(self) -> None:
        """Make sure that waiting jobs run, even if the running pass blocks."""
        if not self._started:
            self._started = True
            self._start(partial(self._loop, self._turn))
        elif self._waiting and self._running is not None and self._watched is not self._running:
            self._watched = self._running
            self._start(partial(self._watch, self._running))
        self._changed.notify_all()

    def _start(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name="attnlab passes", daemon=True).start()

    def _abandon(self, running: RunningJob) -> None:
        """Abandon a pass, and continue on a new thread."""
        self._abandoned.append(running)
        self._running = None
        self._turn += 1
        self._started = False
        self._notifications.append(partial(running.job.abandon, SLOW))
        if len(self._abandoned) >= MOST_ABANDONED:
            self._notifications += [partial(job.abandon, BEHIND) for job in self._waiting.values()]
            self._waiting.clear()
        running.stop(again=False)
        running.interrupt()
        self._wake()

    def _interrupt_abandoned(self) -> None:
        """Try again to end abandoned passes."""
        for running in self._abandoned:
            running.interrupt()

    # --- on the threads of passes ---------------------------------------------------------

    def _watch(self, running: RunningJob) -> None:
        """Abandon a pass if it blocks waiting jobs for too long."""
        disown()
        with self._changed:
            while self._waiting and self._running is running and not (running.over or self._closed):
                left = running.left_to_texts
                if left <= 0:
                    self._abandon(running)
                    break
                self._changed.wait(left)
            if self._watched is running:
                self._watched = None

    def _loop(self, turn: int) -> None:
        disown()
        while (task := self._next(turn)) is not None:
            task()
            del task  # Not kept alive while the thread waits for the next task.

    def _next(self, turn: int) -> Callable[[], None] | None:
        """Wait for the next task; None if closed, or if a new thread has replaced this one."""
        with self._changed:
            while True:
                if self._turn != turn:
                    return None
                if self._notifications:
                    return partial(_notify, self._notifications.pop(0))
                if self._closed:
                    return None
                if self._waiting and not self._pauses:
                    key = next(iter(self._waiting))
                    job = self._waiting.pop(key)
                    self._running = RunningJob(job, self._clock, self._longest.get(key, 0.0))
                    # Other jobs may already be waiting, so this job must be watched.
                    self._wake()
                    return partial(self._do, self._running)
                self._changed.wait()

    def _do(self, running: RunningJob) -> None:
        deliver, job = running.run(), running.job
        with self._changed:
            abandoned = self._running is not running
            again = deliver is None and running.again
            if abandoned:
                self._abandoned.remove(running)
            else:  # The time of an abandoned pass must not extend the time that cells wait.
                self._longest[job.key] = running.longest
            if again and not abandoned:
                self._waiting[job.key] = job
                self._running = None
            running.over = True
            self._changed.notify_all()
        if abandoned or again:
            return
        _notify(deliver or job.discard)
        with self._changed:
            self._running = None
            self._changed.notify_all()


def _notify(notification: Callable[[], None]) -> None:
    try:
        notification()
    except BaseException:  # The thread must survive any error of a job.
        logger.exception("attnlab could not report the end of a pass")
