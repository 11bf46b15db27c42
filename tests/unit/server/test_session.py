"""The session under several threads: what is answered, which ids are given, what waits for it."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from attnlab.capture.record.recorded_call import Refusal
from attnlab.live.cells.run import Run
from attnlab.server.protocol.worker import Worker
from attnlab.server.session import documents as documents_module
from attnlab.server.session.changes import ENDED
from attnlab.server.session.documents import CellDocuments
from attnlab.server.session.problems import refused
from attnlab.server.session.registry import TraceRegistry
from attnlab.server.session.session import Session
from tests.unit.page import PATIENCE, call


class Immediate(Worker):
    """A worker that has done everything before the caller goes on."""

    @property
    def here(self) -> bool:
        return True

    def push(self, job: Any, after: float = 0.0) -> None:
        job()

    def flush(self) -> None:
        pass


def session(worker: Any = None) -> Session:
    return Session("a" * 8, worker or Immediate(), lambda *_: None)


def interrupted() -> Refusal:
    return Refusal("Interrupted", "KeyboardInterrupt was raised.", "Run the cell again.")


def test_a_trial_is_answered_however_fast_the_worker_is() -> None:
    answers: list[Any] = []
    session().add_trial(Run("c", 1), call(), 0, answers.append)
    (trace,) = answers
    assert trace.tried
    assert trace.cell == "c"


def test_a_trial_that_cannot_be_kept_is_answered_with_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(TraceRegistry, "add", fails)
    answers: list[Any] = []
    session().add_trial(Run("c", 1), call(), 0, answers.append)
    assert [type(answer) for answer in answers] == [MemoryError]


def test_a_finished_call_replaces_what_was_shown_while_it_ran() -> None:
    kernel_session, run = session(), Run("c", 1)
    for _ in range(3):
        kernel_session.progressed(run, replace(call(), running=True))
        (trace,) = kernel_session.traces
        assert trace.running
    kernel_session.called(run, call())
    (trace,) = kernel_session.traces
    assert not trace.running


def test_a_view_of_a_running_call_that_comes_late_is_dropped() -> None:
    kernel_session, run = session(), Run("c", 1)
    kernel_session.called(run, call())
    run.over = True
    kernel_session.progressed(run, replace(call(), running=True))
    (trace,) = kernel_session.traces
    assert not trace.running


@pytest.mark.parametrize("caught", [False, True], ids=["ends the cell", "is caught by the cell"])
def test_a_call_that_raises_while_it_is_shown_is_no_longer_running(caught: bool) -> None:
    kernel_session, run = session(), Run("c", 1)
    kernel_session.progressed(run, replace(call(), running=True, notes=["a note"]))
    kernel_session.called(run, interrupted())
    if not caught:
        run.over = True
        kernel_session.ended(run)
    (trace,) = kernel_session.traces
    assert not trace.running
    assert trace.notes == ["a note", ENDED]
    (problem,) = kernel_session.state(lambda: False)["problems"]
    assert problem["title"] == "Interrupted"


def test_a_call_that_is_shown_is_not_running_once_its_cell_has_ended() -> None:
    kernel_session, run = session(), Run("c", 1)
    kernel_session.progressed(run, replace(call(), running=True))
    run.over = True
    kernel_session.ended(run)
    (trace,) = kernel_session.traces
    assert not trace.running


def test_another_call_that_fails_does_not_end_the_one_that_is_shown() -> None:
    kernel_session, run = session(), Run("c", 1)
    kernel_session.called(run, interrupted())
    kernel_session.progressed(run, replace(call(), running=True))
    kernel_session._changes.fail(run, refused(run, interrupted()), 0)
    (trace,) = kernel_session.traces
    assert trace.running


def test_without_a_panel_nobody_looks_at_running_calls() -> None:
    assert not session().looked_at()


def test_no_two_traces_have_one_id_whichever_threads_make_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel_session = session()
    inside = []
    make = TraceRegistry._next_id

    def noting(registry: TraceRegistry) -> str:
        free = []
        beside = threading.Thread(
            target=lambda: free.append(registry._lock.acquire(blocking=False))
        )
        beside.start()
        beside.join(PATIENCE)
        inside.append(free)
        return make(registry)

    monkeypatch.setattr(TraceRegistry, "_next_id", noting)
    kernel_session.called(Run("c", 1), call())
    kernel_session.add_trial(Run("c", 1), call(), 0, lambda _: None)
    assert inside == [[False], [False]], "ids are made under the lock"


def test_nothing_waits_while_the_parameters_of_models_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel_session = session()
    kernel_session.connect("page")
    document: Any = SimpleNamespace(cell="c", execution=1)
    kernel_session._documents._documents["c"] = document
    monkeypatch.setattr(CellDocuments, "source", lambda *_: {"outdated": False})
    waited = []

    def compared(*_: Any) -> dict[str, Any]:
        beside = threading.Thread(target=lambda: waited.append(kernel_session.document("c")))
        beside.start()
        beside.join(PATIENCE)
        return {"outdated": True}

    monkeypatch.setattr(documents_module, "compared", compared)
    kernel_session.compare()
    kernel_session.state(lambda: False)
    assert waited == [document, document]
