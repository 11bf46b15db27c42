"""Threads that take turns: which of them goes on is the test's choice, and nothing else moves."""

from __future__ import annotations

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
    """A thread that goes on only when it is told to, until it gives way again."""

    def __init__(self, stage: Stage, target: Callable[[], object]) -> None:
        self._stage = stage
        self._target = target
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thrown: BaseException | None = None
        self._raised: BaseException | None = None
        self._until: Callable[[], bool] = lambda: True
        self.ended = False
        threading.Thread(target=self._act, daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether it has anything to go on with."""
        return not self.ended and self._until()

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

    @contextmanager
    def instead_of(self, name: str) -> Iterator[None]:
        """Stand in for a module's `threading`, and clear the stage afterwards."""
        own = SimpleNamespace(Condition=lambda: Turns(self), Thread=self._thread)
        try:
            with mock.patch(name, own):
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

    def give_way(self, until: Callable[[], bool] = lambda: True) -> None:
        """Let others go on before the thread that asks; the test's own never waits."""
        if self.current is not None:
            self.current.give_way(until)

    @property
    def ready(self) -> list[Actor]:
        """Those that have anything to go on with."""
        return [actor for actor in self.actors if actor.ready]

    def rest(self) -> None:
        """Let all go on until each waits for something."""
        while ready := self.ready:
            ready[0].step()

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

    def wait_for(self, predicate: Callable[[], Any]) -> None:
        """Wait until it holds, which is looked at after each notice alone."""
        while not predicate():
            before = self._notified
            self._stage.give_way(lambda before=before: self._notified > before)  # type: ignore[misc]

    def notify_all(self) -> None:
        """Have all who wait look again."""
        self._notified += 1
