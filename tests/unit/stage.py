"""Threads that take turns: which of them goes on is the test's choice, and nothing else moves.

Time passes by the test's choice, too, and so do the exceptions that one thread raises in another.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

PATIENCE = 20
"""Seconds after which a thread that keeps its turn is a fault of the test."""


class Ended(BaseException):
    """Thrown into a thread when the stage is cleared."""


class Actor:
    """A thread that goes on only when it is allowed to, until it yields again."""

    def __init__(self, stage: Stage, target: Callable[[], object]) -> None:
        self._stage = stage
        self._target = target
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thrown: BaseException | None = None
        self._raised: BaseException | None = None
        self._until: Callable[[], bool] = lambda: True
        self.ended = False
        self.due = math.inf
        """When it goes on, whatever happens."""
        self.pending: type[BaseException] | None = None
        """What another thread raises in it, as soon as it goes on."""
        self._thread = threading.Thread(target=self._act, daemon=True)
        self._thread.start()

    @property
    def ident(self) -> int | None:
        """What Python knows the thread by."""
        return self._thread.ident

    @property
    def ready(self) -> bool:
        """Whether it has anything to go on with."""
        return not self.ended and (self.pending is not None or self._until())

    def step(self, thrown: BaseException | None = None) -> None:
        """Let it go on, with an exception where one is given."""
        self._thrown = thrown
        self._stage.current = self
        self._turn.release()
        assert self._back.acquire(timeout=PATIENCE), "a thread kept its turn"
        self._stage.current = None
        if self._raised is not None:
            raise self._raised

    def give_way(self, until: Callable[[], bool]) -> None:
        """Let others go on; asked on this very thread."""
        self._until = until
        self._back.release()
        self._turn.acquire()
        if self._thrown is not None:
            raise self._thrown
        if self.pending is not None:
            pending, self.pending = self.pending, None
            raise pending

    def _act(self) -> None:
        self._turn.acquire()
        try:
            if self._thrown is None:
                self._target()
        except Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the test steps it
            self._raised = error
        self.ended = True
        self._back.release()


class Stage:
    """Where they act: it stands in for `threading`, with what a scheduler needs of it."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.now = 0.0
        """Seconds."""

    @contextmanager
    def instead_of(self, name: str, throw: str) -> Iterator[None]:
        """Stand in for a module's `threading`, and for what raises exceptions in other threads.

        The stage is cleared afterwards.
        """
        hidden = SimpleNamespace(Condition=lambda: Turns(self), Thread=self._thread)
        try:
            with mock.patch(name, hidden), mock.patch(throw, self._throw):
                yield
        finally:
            for actor in self.actors:
                while not actor.ended:  # A thread that lives on whatever is raised has another.
                    actor.step(Ended())

    def enter(self, target: Callable[[], object]) -> Actor:
        """Begin a thread; it stands still until its first step."""
        actor = Actor(self, target)
        self.actors.append(actor)
        return actor

    def give_way(self, until: Callable[[], bool] = lambda: True, due: float = math.inf) -> None:
        """Let others go on before the thread that asks; the test's own never waits.

        It goes on once `until` holds, or at a time.
        """
        if self.current is not None:
            self.current.due = due
            self.current.give_way(lambda: until() or self.now >= due)

    @property
    def ready(self) -> list[Actor]:
        """Those that have anything to go on with."""
        return [actor for actor in self.actors if actor.ready]

    def rest(self) -> None:
        """Let all go on until each waits for something."""
        while ready := self.ready:
            ready[0].step()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in which nobody does anything."""
        self.now += seconds

    @property
    def next_due(self) -> float:
        """When the first of those who wait until a time goes on; infinite without any."""
        return min((actor.due for actor in self.actors if not actor.ended), default=math.inf)

    def _throw(self, ident: int, error: type[BaseException] | None) -> None:
        for actor in self.actors:
            if actor.ident == ident and not actor.ended:
                actor.pending = error

    def _thread(self, target: Callable[[], object], **_: Any) -> Any:
        return SimpleNamespace(start=lambda: self.enter(target))


class Turns:
    """A condition: others may go on before its lock is taken, and after it is given back.

    Between, nobody gives way, so that the lock itself is never contended.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._notified = 0

    def __enter__(self) -> None:
        self._stage.give_way()

    def __exit__(self, *_: object) -> None:
        self._stage.give_way()

    def wait(self, timeout: float = math.inf) -> None:
        """Wait for a notice."""
        before = self._notified
        self._stage.give_way(lambda: self._notified > before, self._stage.now + timeout)

    def notify_all(self) -> None:
        """Have all who wait look again."""
        self._notified += 1
