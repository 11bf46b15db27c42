"""Passes whose layers wait until a test releases them, and a scheduler for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from attnlab.live.passes.running import Abandoned
from attnlab.live.passes.scheduler import PassScheduler
from tests.unit.stage import Stage

STOOD_FOR = ("attnlab.live.passes.scheduler.threading", "attnlab.live.passes.running.throw")
KEYS = ("c0", "c1")
MARGIN, MOST = 0.1, 1.0
"""Seconds that a cell waits for a pass, beyond a layer and in total; see docs/live.md."""


def scheduler(stage: Stage) -> PassScheduler:
    """Create a scheduler with the stage's clock."""
    return PassScheduler(lambda: stage.now)


class Text:
    """A pass over one text, which records its end."""

    def __init__(self, key: str = "c0", layers: int = 1) -> None:
        self.key = key
        self.layers = layers
        self.begun = 0
        self.why = ""
        self.ends: list[str] = []

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        self.begun += 1
        for _ in range(self.layers):
            if stop():
                return None
            self.compute()
        return self.done

    def done(self) -> None:
        self.ends.append("done")

    def compute(self) -> None:
        """Run one layer."""

    def discard(self) -> None:
        self.ends.append("lost")

    def abandon(self, why: str) -> None:
        self.ends.append("given up")
        self.why = why


class Held(Text):
    """A pass whose layers wait until the test releases them."""

    def __init__(self, stage: Stage, key: str = "c0", layers: int = 3) -> None:
        super().__init__(key, layers)
        self.stage = stage
        self.allowed = 0
        self.stubborn = True
        """Whether it catches the exception that is raised in its thread to end it."""

    def compute(self) -> None:
        while self.allowed <= 0:
            try:
                self.stage.give_way(lambda: self.allowed > 0)
            except Abandoned:
                if not self.stubborn:
                    raise
        self.allowed -= 1


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with stage.instead_of(*STOOD_FOR):
        yield stage
