"""The one thread that computes.

A handler never computes: it would hold up the kernel's thread, or the subshell that
answers while a cell runs. Pushes are worked in the order in which they came, and before
any request; of the requests the newest is first, since it is what a person looks at now.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

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
        self._thread: threading.Thread | None = None
        self._closed = False

    def request(self, task: Task) -> None:
        """Do a task when nothing newer waits."""
        with self._ready:
            self._requests.append((task, 0))
            self._wake()

    def withdraw(self, task: Task) -> bool:
        """Take a waiting task back; return whether it was still waiting."""
        with self._ready:
            for index, (waiting, _) in enumerate(self._requests):
                if waiting is task:
                    del self._requests[index]
                    return True
        return False

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
        while True:
            with self._ready:
                while not (self._closed or self._due() or self._requests):
                    wait = self._pushes[0][0] - time.monotonic() if self._pushes else None
                    self._ready.wait(wait)
                if self._closed:
                    return
                if self._due():
                    push, request = self._pushes.popleft()[1], None
                else:
                    push, request = None, self._requests.pop()
            if push is not None:
                self._do(push)
            elif request is not None:
                self._answer(*request)

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
