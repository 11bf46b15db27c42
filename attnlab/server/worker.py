"""The one thread that computes.

A handler never computes: it would hold up the kernel's thread, or the subshell that
answers while a cell runs. Pushes are worked in the order in which they came, and before
any request; of the requests the newest is first, since it is what a person looks at now.
A long one may yield: whatever comes meanwhile is worked between its portions.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from attnlab.capture.threads import disown

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

PREEMPTIONS = 2
"""How often a request makes way for pushes; after that it is worked to its end."""


class Task(Protocol):
    """Work for the worker."""

    def work(self, stop: Callable[[], bool]) -> bool:
        """Do it, and return whether it stopped early and is to be done again.

        Must not raise. `stop` is polled while computing; once it is true the task returns
        soon.
        """


class Worker:
    """Runs tasks on a thread of its own, which starts with the first."""

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
        """Whether this is asked on the worker's own thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def request(self, task: Task, *, yields: bool = False) -> None:
        """Do a task when nothing newer waits; one that yields, when nothing waits at all."""
        with self._ready:
            if yields:
                self._yielding.append(task)
            else:
                self._requests.append((task, 0))
            self._wake()

    def withdraw(self, task: Task) -> bool:
        """Take a waiting task back; return whether it was still waiting."""
        with self._ready:
            before = len(self._requests) + len(self._yielding)
            self._requests = [held for held in self._requests if held[0] is not task]
            self._yielding = [held for held in self._yielding if held is not task]
            return len(self._requests) + len(self._yielding) < before

    def push(self, job: Callable[[], None], delay: float = 0.0) -> None:
        """Do a job after all earlier pushes, and not before `delay` seconds have passed."""
        with self._ready:
            self._pushes.append((time.monotonic() + delay, job))
            self._wake()

    def flush(self) -> None:
        """Let no push wait for its delay any longer."""
        with self._ready:
            self._pushes = deque((0.0, job) for _, job in self._pushes)
            self._wake()

    def close(self) -> None:
        """Let the thread end after the task at hand; what waits is not done."""
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

    def _next(self) -> Callable[[], None] | None:
        """Take what is to be done now, but for what yields; None where nothing waits."""
        if self._due():
            return functools.partial(self._do, self._pushes.popleft()[1])
        if self._requests:
            return functools.partial(self._answer, *self._requests.pop())
        return None

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException:  # Whatever a job does, the thread must live.
            logger.exception("a push of attnlab failed")

    def _answer(self, task: Task, preempted: int) -> None:
        again = False

        def stop() -> bool:
            return preempted < PREEMPTIONS and self._due()

        try:
            again = task.work(stop)
        except BaseException:  # Whatever a task does, the thread must live.
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
        except BaseException:  # Whatever a task does, the thread must live.
            logger.exception("a request of attnlab failed")
