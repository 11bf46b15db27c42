"""A running pass: how long it may take to stop, and how it is interrupted after that time."""

from __future__ import annotations

import ctypes
import logging
import math
import sys
import threading
from typing import TYPE_CHECKING

from attnlab.capture.guards.frames import hidden_frame, runs_user_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.live.passes.job import Job

logger = logging.getLogger(__name__)

MARGIN = 0.1
"""Seconds that a pass may take to stop, in addition to the time of its slowest layer so far."""

MOST = 1.0
"""Maximum seconds that a pass may take to stop."""


class Abandoned(BaseException):
    """Raised in the thread of an abandoned pass to end it."""


class RunningJob:
    """A job while it runs.

    Parameters
    ----------
    job
        The job.
    clock
        Returns the time in seconds.
    longest
        Longest time of a layer in earlier passes of the document, in seconds.

    Attributes
    ----------
    longest
        Longest time in seconds between two polls, or between the last poll and the end: the
        time of one layer, because a pass polls before each layer.
    stopping
        Whether the job was asked to return.
    again
        Whether to run the job again later, because it was stopped for a cell.
    over
        Whether the job has run, so that only its result remains to be delivered.
    """

    def __init__(self, job: Job, clock: Callable[[], float], longest: float = 0.0) -> None:
        self.job = job
        self.longest = longest
        self.stopping = self.again = self.over = False
        self._clock = clock
        self._polled = clock()
        self._stopped = math.inf
        """Time of the first request to stop."""
        self._lock = threading.Lock()
        self._thread: int | None = None
        """Identifier of its thread, as long as an exception raised there would end only the job."""

    def run(self) -> Callable[[], None] | None:
        """Run the job on this thread; return a function that delivers its result, or None."""
        deliver = None
        # `Abandoned` is raised at most once, but at any point of this thread, even here.
        try:
            try:
                self._thread = threading.get_ident()
                # It may have been stopped, or even abandoned, before it was started here.
                deliver = None if self.stopping else self._call()
            except Abandoned:
                raise
            except BaseException:  # The thread must survive any error of a job.
                logger.exception("a pass of attnlab failed")
            self._finish()
        except Abandoned:
            self._finish()
        return deliver

    def stop(self, *, again: bool) -> None:
        """Ask the job to return soon."""
        if not self.stopping:
            self._stopped = self._clock()
        self.stopping, self.again = True, again

    @property
    def left_to_cell(self) -> float:
        """Remaining seconds that a cell waits for the job to stop."""
        return self._stopped + min(self.longest + MARGIN, MOST) - self._clock()

    @property
    def left_to_texts(self) -> float:
        """Remaining seconds that passes over other texts wait for the job.

        Until the job is asked to stop, the time starts again with each layer, so that a long pass
        is not abandoned.
        """
        return min(self._stopped, self._polled) + MOST - self._clock()

    def interrupt(self) -> None:
        """End the job by an exception in its thread, if the thread runs code outside attnlab.

        Native code is interrupted when it returns to Python. Code of attnlab is not interrupted,
        because it is short and polls before it calls other code.
        """
        with self._lock:
            if self._thread is None:
                return
            frame = sys._current_frames().get(self._thread)
            if frame is not None and runs_user_code(frame):
                throw(self._thread, Abandoned)
                self._thread = None

    @hidden_frame
    def _call(self) -> Callable[[], None] | None:
        return self.job.run(self._poll)

    def _poll(self) -> bool:
        now = self._clock()
        self.longest, self._polled = max(self.longest, now - self._polled), now
        return self.stopping

    def _finish(self) -> None:
        """End the job, and cancel an exception that is scheduled but not raised yet."""
        self._poll()
        with self._lock:
            self._thread = None
            throw(threading.get_ident(), None)


def throw(thread: int, error: type[BaseException] | None) -> None:
    """Schedule an exception in a thread; None cancels one that is not raised yet."""
    exception = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
