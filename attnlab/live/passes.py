"""When edited texts pass through models: the newest first, and never beside the user's cell.

One thread makes all passes of a kernel. Of each document at most one pass runs and one
waits; a newer one stops the first, which ends within a layer, and replaces the second.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from attnlab.capture.threads import disown

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Job(Protocol):
    """One pass over an edited text.

    Attributes
    ----------
    key
        The document that it is of.
    """

    key: str

    def run(self, stop: Callable[[], bool]) -> bool:
        """Do it, and return whether it was stopped before its end. Must not raise.

        `stop` is polled; once it is true this returns soon.
        """

    def lose(self) -> None:
        """Learn that it will not be done, or was stopped for good."""


class Passes:
    """The scheduler; every method may be called from any thread but the passes' own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, Job] = {}
        self._running: Job | None = None
        self._stopping = False
        """Whether the running job is to return soon."""
        self._again = False
        """Whether it is to be run anew then, since it was stopped for a cell of the user."""
        self._pauses = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a pass runs or waits."""
        with self._changed:
            return self._running is not None or bool(self._waiting)

    def submit(self, job: Job) -> None:
        """Do a job in place of all others of its document."""
        with self._changed:
            closed = self._closed
            old = None if closed else self._waiting.pop(job.key, None)
            if not closed:
                # The newest document is typed in now: it comes first.
                self._waiting = {job.key: job, **self._waiting}
                if self._running is not None and self._running.key == job.key:
                    self._stop(again=False)
                self._wake()
        for lost in (job,) if closed else (old,) if old else ():
            lost.lose()

    def withdraw(self, job: Job) -> None:
        """Give a job up, waiting or running; nothing happens to one that has ended."""
        with self._changed:
            waits = self._waiting.get(job.key) is job
            if waits:
                del self._waiting[job.key]
            elif self._running is job:
                self._stop(again=False)
        if waits:
            job.lose()

    def pause(self) -> None:
        """Let no pass run until `resume`; returns once none does.

        What was running is run anew afterwards.
        """
        with self._changed:
            self._pauses += 1
            if self._running is not None and not self._stopping:
                self._stop(again=True)
            self._changed.wait_for(lambda: self._running is None)

    def resume(self) -> None:
        """Take back a `pause`, also one that an interrupt has ended before it began."""
        with self._changed:
            self._pauses = max(0, self._pauses - 1)
            self._changed.notify_all()

    def close(self) -> None:
        """Give everything up; the thread ends after the job at hand."""
        with self._changed:
            self._closed = True
            lost, self._waiting = list(self._waiting.values()), {}
            if self._running is not None:
                self._stop(again=False)
            self._changed.notify_all()
        for job in lost:
            job.lose()

    def _stop(self, *, again: bool) -> None:
        self._stopping, self._again = True, again

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="attnlab passes", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _loop(self) -> None:
        disown()
        while (job := self._next()) is not None:
            self._do(job)

    def _next(self) -> Job | None:
        """Wait for a job to do; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._waiting and not self._pauses))
            if self._closed:
                return None
            key = next(iter(self._waiting))
            self._running = self._waiting.pop(key)
            self._stopping = self._again = False
            return self._running

    def _do(self, job: Job) -> None:
        stopped = True
        try:
            stopped = job.run(lambda: self._stopping)
        except BaseException:  # Whatever a job does, the thread must live.
            logger.exception("a pass of attnlab failed")
        with self._changed:
            self._running = None
            again = stopped and self._again
            if again:
                self._waiting[job.key] = job
            self._changed.notify_all()
        if stopped and not again:
            try:
                job.lose()
            except BaseException:
                logger.exception("a pass of attnlab could not be given up")
