"""Cells that are watched, and the end of their runs."""

from __future__ import annotations

from typing import Any

import pytest

from attnlab.capture import watch as capture
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.live.cells.run import Run
from attnlab.live.cells.watcher import CellWatcher
from attnlab.live.passes.scheduler import PassScheduler


class Shell:
    """The parts of IPython's shell that concern cells: events, names and the current request."""

    def __init__(self) -> None:
        self.events = self.kernel = self
        self.user_ns: dict[str, Any] = {}
        self.execution_count = 1
        self.cell_id: str | None = "c"
        self.callbacks: dict[str, list[Any]] = {"pre_run_cell": [], "post_run_cell": []}
        self.parent: Any = {}
        self.raw_cell = "1"

    def transform_cell(self, text: str) -> str:
        return text

    def register(self, event: str, callback: Any) -> None:
        self.callbacks[event].append(callback)

    def unregister(self, event: str, callback: Any) -> None:
        self.callbacks[event].remove(callback)

    def get_parent(self, channel: str) -> Any:
        assert channel == "shell"
        return self.parent

    def fire(self, event: str) -> None:
        for callback in list(self.callbacks[event]):
            callback(self)

    def request(self, id_: str, **metadata: Any) -> None:
        self.parent = {"header": {"msg_id": id_}, "metadata": metadata}


class EventLog:
    """A listener that records its notifications."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def began(self, run: Run) -> None:
        self.events.append(("began", run.cell))

    def called(self, run: Run, outcome: RecordedCall | Refusal) -> None:
        self.events.append(("called", run.cell))

    def ended(self, run: Run) -> None:
        self.events.append(("ended", run.cell))

    def looked_at(self) -> bool:
        return False

    def progressed(self, run: Run, call: RecordedCall) -> None:
        self.events.append(("progressed", run.cell))

    def compare(self) -> None:
        pass


class Pauses(PassScheduler):
    """A scheduler that counts how often it is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0

    def pause(self) -> None:
        self.open += 1

    def resume(self) -> None:
        self.open -= 1


@pytest.fixture
def shell() -> Shell:
    return Shell()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def log(shell: Shell, pauses: Pauses) -> EventLog:
    it = EventLog()
    CellWatcher(shell, it, pauses).start()
    return it


def observations() -> int:
    return len(capture._gate.blocks.open)


def test_a_tagged_cell_is_observed_from_beginning_to_end(shell: Shell, log: EventLog) -> None:
    shell.request("1", tags=["attention", "other"])
    shell.fire("pre_run_cell")
    assert observations() == 1
    shell.fire("post_run_cell")
    assert observations() == 0
    assert log.events == [("began", "c"), ("ended", "c")]


@pytest.mark.parametrize(
    "metadata",
    [{}, {"tags": []}, {"tags": "attention"}, {"tags": None}, {"tags": [{}, 3, "Attention"]}],
)
def test_other_cells_are_not_observed_whatever_their_tags_look_like(
    shell: Shell, log: EventLog, metadata: dict[str, Any]
) -> None:
    shell.request("1", **metadata)
    shell.fire("pre_run_cell")
    assert observations() == 0
    shell.fire("post_run_cell")
    assert log.events == []


def test_a_host_without_parent_messages_or_cell_ids_is_supported(
    shell: Shell, log: EventLog
) -> None:
    shell.parent = None
    shell.fire("pre_run_cell")
    shell.fire("post_run_cell")
    shell.cell_id = None
    shell.request("1", tags=["attention"])
    shell.fire("pre_run_cell")
    shell.fire("post_run_cell")
    assert log.events == [("began", ""), ("ended", "")]


def test_cells_within_a_cell_belong_to_its_run(shell: Shell, log: EventLog) -> None:
    shell.request("1", tags=["attention"])
    for event in ("pre_run_cell", "pre_run_cell", "post_run_cell"):
        shell.fire(event)
    assert observations() == 1
    shell.fire("post_run_cell")
    assert observations() == 0
    assert log.events == [("began", "c"), ("ended", "c")]


def test_a_run_whose_end_was_lost_ends_when_the_next_cell_begins(
    shell: Shell, log: EventLog
) -> None:
    shell.request("1", tags=["attention"])
    shell.fire("pre_run_cell")
    shell.request("2")
    shell.fire("pre_run_cell")
    assert observations() == 0
    assert log.events == [("began", "c"), ("ended", "c")]


def test_stopping_within_a_run_leaves_nothing_behind(shell: Shell) -> None:
    log = EventLog()
    watcher = CellWatcher(shell, log, Pauses())
    watcher.start()
    shell.request("1", tags=["attention"])
    shell.fire("pre_run_cell")
    watcher.stop()
    assert observations() == 0
    assert not any(shell.callbacks.values())
    assert log.events == [("began", "c"), ("ended", "c")]


def test_passes_wait_while_any_cell_runs(shell: Shell, log: EventLog, pauses: Pauses) -> None:
    for tags in ([], ["attention"]):
        shell.request(f"r{tags}", tags=tags)
        shell.fire("pre_run_cell")
        assert pauses.open == 1
        shell.fire("pre_run_cell")  # A cell may run code as cells.
        shell.fire("post_run_cell")
        assert pauses.open == 1
        shell.fire("post_run_cell")
        assert pauses.open == 0


def test_passes_wait_once_for_a_run_whose_end_was_lost(
    shell: Shell, log: EventLog, pauses: Pauses
) -> None:
    for request in ("one", "two"):
        shell.request(request)
        shell.fire("pre_run_cell")
    shell.fire("post_run_cell")
    assert pauses.open == 0
