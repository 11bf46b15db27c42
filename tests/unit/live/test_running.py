"""A pass is interrupted in code outside attnlab, and nothing else is interrupted."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from attnlab.live.passes.running import Abandoned, RunningJob

WAITING = """
def run(stop):
    entered.set()
    turns = 0
    while not released.is_set():
        turns += 1
    return done
"""


def done() -> None:
    """Deliver the result of a job."""


class Calling:
    """A job that calls a function."""

    key = "c0"

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        self.function()
        return done

    def discard(self) -> None:
        pass

    def abandon(self, why: str) -> None:
        pass


class Beside:
    """A job on a separate thread, which calls a function of a module with this name."""

    def __init__(self, module: str) -> None:
        entered, self.released = threading.Event(), threading.Event()
        names: dict[str, Any] = {"__name__": module, "done": done}
        names |= {"entered": entered, "released": self.released}
        exec(WAITING, names)
        job: Any = SimpleNamespace(key="c0", run=names["run"])
        self.work = RunningJob(job, lambda: 0.0)
        self.results: list[Any] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert entered.wait(20)

    def _run(self) -> None:
        self.results.append(self.work.run())

    def join(self) -> None:
        self.thread.join(20)
        assert not self.thread.is_alive()


def test_a_loop_in_library_code_is_stopped() -> None:
    beside = Beside("__main__")
    beside.work.interrupt()
    beside.join()
    assert beside.results == [None]
    assert not beside.released.is_set()


@pytest.mark.parametrize("module", ["attnlab.capture.reading.attention_recorder", "contextlib"])
def test_operations_of_attnlab_are_not_interrupted(module: str) -> None:
    beside = Beside(module)
    beside.work.interrupt()
    beside.released.set()
    beside.join()
    assert beside.results == [done]


def test_a_job_in_native_code_is_stopped_when_it_returns() -> None:
    entered, released, after = threading.Event(), threading.Event(), []

    def function() -> None:
        entered.set()
        released.wait()
        after.append(1)

    work, results = RunningJob(Calling(function), lambda: 0.0), []
    thread = threading.Thread(target=lambda: results.append(work.run()), daemon=True)
    thread.start()
    assert entered.wait(20)
    work.interrupt()
    released.set()
    thread.join(20)
    assert (results, after) == ([None], [])


def test_a_job_that_has_not_begun_or_has_ended_is_not_stopped() -> None:
    work = RunningJob(Calling(lambda: None), lambda: 0.0)
    work.interrupt()
    assert work.run() == done
    work.interrupt()
    assert sum(range(1000)) == 499500  # Nothing is raised here.


def spin(turns: int) -> None:
    for _ in range(turns % 40):
        pass


def spinning(turns: int) -> Callable[[], None]:
    return lambda: spin(turns)


def test_no_exception_escapes_from_the_stopped_job() -> None:
    works = [RunningJob(Calling(spinning(turns)), lambda: 0.0) for turns in range(400)]
    begun, escaped = itertools.count(), []
    running = [works[0]]

    def make() -> None:
        for work in works:
            running[0] = work
            next(begun)
            try:
                work.run()
                spin(39)
            except Abandoned:
                escaped.append(work)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < end:
        running[0].interrupt()
    thread.join(20)
    assert not thread.is_alive()
    assert next(begun) == len(works)
    assert escaped == []
