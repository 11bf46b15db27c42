"""The thread that computes.

Handlers do not compute on the thread that receives messages, because they would block the
kernel's main thread, or the subshell that responds while a cell runs. Pushes run in order and
before all requests; the newest request runs first, because its result is what the user looks at.
A long request may yield: other tasks then run between its steps.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from attnlab.capture.hooks.threads import disown

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

PREEMPTIONS = 2
"""How often a request is preempted by pushes; after that it runs to its end."""


class Task(Protocol):
    """A task for the worker."""

    def work(self, stop: Callable[[], bool]) -> bool:
        """Run it, and return whether it was preempted and must run again.

        Must not raise. Polls `stop` while computing, and returns soon after it is true.
        """


class Worker:
    """Runs tasks on one thread, which starts with the first task."""

    def __init__(self, name: str = "attnlab") -> None:
        self._name = name
        self._ready = threading.Condition()
        self._pushes: deque[tuple[float, Callable[[], None]]] = deque()
        self._requests: list[tuple[Task, int]] = []
        self._yielding: list[Task] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def here(self) -> bool:
        """Whether the caller is on the worker's thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def request(self, task: Task, *, yields: bool = False) -> None:
        """Run a task when no newer one waits; one that yields, when no other task waits."""
        with self._ready:
            if yields:
                self._yielding.append(task)
            else:
                self._requests.append((task, 0))
            self._wake()

    def withdraw(self, task: Task) -> bool:
        """Remove a waiting task; return whether it was still waiting."""
        with self._ready:
            before = len(self._requests) + len(self._yielding)
            self._requests = [held for held in self._requests if held[0] is not task]
            self._yielding = [held for held in self._yielding if held is not task]
            return len(self._requests) + len(self._yielding) < before

    def push(self, job: Callable[[], None], delay: float = 0.0) -> None:
        """Run a job after all earlier pushes, and not before `delay` seconds have passed."""
        with self._ready:
            self._pushes.append((time.monotonic() + delay, job))
            self._wake()

    def flush(self) -> None:
        """Run all waiting pushes without their delays."""
        with self._ready:
            self._pushes = deque((0.0, job) for _, job in self._pushes)
            self._wake()

    def close(self) -> None:
        """End the thread after the current task; waiting tasks are dropped."""
        with self._ready:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()
        self._ready.notify()

    def _due(self) -> bool:
        return bool(self._pushes) and self._pushes[0][0] <= time.monotonic()

    def _loop(self) -> None:
        disown()
        while True:
            with self._ready:
                while not (self._closed or self._due() or self._requests or self._yielding):
                    wait = self._pushes[0][0] - time.monotonic() if self._pushes else None
                    self._ready.wait(wait)
                if self._closed:
                    return
                job = self._next() or functools.partial(self._yield, self._yielding.pop())
            job()
            del job  # While the thread waits, it must not keep the job alive.

    def _next(self) -> Callable[[], None] | None:
        """Return the next job, except those that yield; None if none is due."""
        if self._due():
            return functools.partial(self._do, self._pushes.popleft()[1])
        if self._requests:
            return functools.partial(self._answer, *self._requests.pop())
        return None

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException:  # The thread must survive any exception.
            logger.exception("a push of attnlab failed")

    def _answer(self, task: Task, preempted: int) -> None:
        again = False

        def stop() -> bool:
            return preempted < PREEMPTIONS and self._due()

        try:
            again = task.work(stop)
        except BaseException:  # The thread must survive any exception.
            logger.exception("a request of attnlab failed")
        if again:
            with self._ready:
                self._requests.append((task, preempted + 1))

    def _yield(self, task: Task) -> None:
        def stop() -> bool:
            while True:
                with self._ready:
                    job = None if self._closed else self._next()
                    if job is None:
                        return self._closed
                job()

        try:
            task.work(stop)
        except BaseException:  # The thread must survive any exception.
            logger.exception("a request of attnlab failed")
