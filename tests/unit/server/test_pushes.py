"""Pushes: what they bring to whom, and what a lost one costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attnlab.capture.record.recorded_call import Refusal
from attnlab.live.cells.run import Run
from attnlab.server.session.pending import PendingCall, PendingCalls
from attnlab.server.session.registry import RUN_LIMIT
from tests.panel import Panel, numbers
from tests.unit.page import HEADS, SITES, Page, call, expected
from tests.unit.page import page as page


def test_without_a_client_nothing_is_sent(page: Page) -> None:
    page.run(call())
    assert not page.sent
    assert page.changes == [(1, None), (2, None), (3, None)]


def test_one_message_contains_a_new_trace_with_all_that_panels_show(page: Page) -> None:
    page.initialize("a")
    page.initialize("b")
    page.subscribe("a", focus={"site": 1, "head": 2}, query=3)
    page.subscribe("b", "q", focus={"site": 1, "head": 2}, size=0)
    made = call()
    page.run(made)
    began, traced, ended = page.pushes()
    assert (began[0]["running"], traced[0]["running"], ended[0]["running"]) == ("c", "c", None)
    params, buffers = traced
    assert [payload["kind"] for payload in params["payloads"]] == ["thumbnails", "head", "row"]
    thumbnails, head, row = (numbers(payload, buffers) for payload in params["payloads"])
    assert thumbnails.shape == (SITES * HEADS, 4, 4)
    np.testing.assert_allclose(head, expected(made, 1, 2), atol=1e-6)
    every = np.stack([expected(made, 1, head)[3] for head in range(HEADS)])
    np.testing.assert_allclose(row, every, atol=1e-6)
    assert [envelope["to"] for envelope, _ in page.sent[-3:]] == ["*"] * 3
    assert params["trace"]["sequences"][0]["text"] == "text 0"
    assert params["trace"]["sites"][1]["name"] == "layer.1"


def test_a_removed_panel_gets_no_payloads(page: Page) -> None:
    page.initialize()
    page.subscribe()
    assert page.ask("unsubscribe", {"panel": "p"})[0]["result"] is None
    page.run(call())
    assert all(not params["payloads"] for params, _ in page.pushes())


def test_a_panel_that_came_back_with_a_reloaded_page_is_drawn_once(page: Page) -> None:
    for client, head in (("before", 0), ("after", 1)):
        page.initialize(client)
        page.subscribe(client, size=0, focus={"site": 0, "head": head})
    page.run(call())
    drawn = [payload for params, _ in page.pushes() for payload in params["payloads"]]
    assert [(payload["kind"], payload["head"]) for payload in drawn] == [("head", 1)]


def test_a_page_that_asks_twice_keeps_its_panels(page: Page) -> None:
    page.initialize()
    page.subscribe(focus={"site": 0, "head": 0}, query=0)
    page.initialize()
    page.run(call())
    assert any(params["payloads"] for params, _ in page.pushes())


def test_a_page_that_reconnects_has_no_panels(page: Page) -> None:
    page.initialize()
    page.subscribe(focus={"site": 0, "head": 0}, query=0)
    page.ask("leave")
    page.initialize()
    page.run(call())
    assert all(not params["payloads"] for params, _ in page.pushes())


@pytest.mark.parametrize(
    ("focus", "query"),
    [({"site": SITES, "head": 0}, 0), ({"site": -1, "head": 0}, 0), ({"site": 0, "head": 9}, 99)],
)
def test_a_subscription_beyond_the_trace_gets_what_exists(
    page: Page, focus: Any, query: int
) -> None:
    page.initialize()
    page.subscribe(focus=focus, query=query)
    page.run(call())
    kinds = [payload["kind"] for params, _ in page.pushes() for payload in params["payloads"]]
    assert kinds == ["thumbnails"]


def test_simultaneous_calls_are_all_traces_and_the_last_has_payloads(page: Page) -> None:
    page.initialize()
    page.subscribe()
    page.run(call(0), call(1), call(2))
    traced = [params for params, _ in page.pushes() if "trace" in params]
    assert [params["trace"]["call"] for params in traced] == [0, 1, 2]
    assert [len(params["payloads"]) for params in traced] == [0, 0, 1]
    state = page.ask("state")[0]["result"]
    assert [trace["calls"] for trace in state["traces"]] == [3, 3, 3]


def test_a_rerun_replaces_the_cells_traces_and_leaves_those_of_other_cells(page: Page) -> None:
    page.initialize()
    page.run(call(0), call(1), cell="c")
    page.run(call(2), cell="d", execution=2)
    page.run(call(3), cell="c", execution=3)
    old = [params["trace"]["id"] for params, _ in page.pushes() if "trace" in params][:2]
    assert [params["removed"] for params, _ in page.pushes() if params["removed"]] == [old]
    state = page.ask("state")[0]["result"]
    assert [(trace["cell"], trace["execution"]) for trace in state["traces"]] == [
        ("d", 2),
        ("c", 3),
    ]


def test_a_run_that_generates_keeps_its_newest_traces(page: Page) -> None:
    page.initialize()
    page.run(*(call(tokens=2) for _ in range(RUN_LIMIT + 3)))
    state = page.ask("state")[0]["result"]
    assert [trace["call"] for trace in state["traces"]] == list(range(3, RUN_LIMIT + 3))
    assert sum(len(params["removed"]) for params, _ in page.pushes()) == 3


def test_pinned_traces_that_exceed_the_budget_add_a_note_to_each_trace(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = call().nbytes
    monkeypatch.setenv("ATTNLAB_MEMORY", str(size + 1))
    page.initialize()
    for cell in "ab":
        page.run(call(), cell=cell)
        page.subscribe(panel=cell, pinned=page.session.traces[-1].id)
    page.run(call(), cell="c")
    notes = [params["trace"]["notes"] for params, _ in page.pushes() if "trace" in params]
    assert notes[:2] == [[], []]
    ((note,),) = notes[2:]
    assert note.startswith(
        "The pinned traces take 2.8 KiB, more than the limit of 1.4 KiB for all traces, "
    )
    newest = page.session.newest()
    assert newest is not None
    assert newest.notes == [note]
    page.subscribe(panel="a", pinned=None)
    page.run(call(), cell="d")
    assert page.session.newest().notes == []  # type: ignore[union-attr]
    assert [trace.cell for trace in page.session.traces] == ["b", "d"]


def test_calls_that_wait_for_the_worker_stay_within_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATTNLAB_MEMORY", "100")
    pending, refusal = PendingCalls(), Refusal("title", "cause", "remedy")
    sizes = [40, 40, 0, 40, 200, 30, 30, 0, 60]
    for index, nbytes in enumerate(sizes):
        outcome = call() if nbytes else refusal
        pending.add(PendingCall(Run("c", 1), outcome, index, False, nbytes))
    assert [entry.index for entry in pending.take()] == [2, 6, 7, 8]
    assert pending.take() == []
    pending.add(PendingCall(Run("c", 1), call(), 0, False, 500))
    assert len(pending.take()) == 1


def test_a_problem_keeps_the_cells_last_trace_and_is_resolved_when_it_runs_again(
    page: Page,
) -> None:
    page.initialize()
    page.run(call())
    page.run(Refusal("title", "cause", "remedy"), execution=2)
    problem = {
        "cell": "c",
        "execution": 2,
        "title": "title",
        "cause": "cause",
        "remedy": "remedy",
    }
    state = page.ask("state")[0]["result"]
    assert len(state["traces"]) == 1
    assert state["problems"] == [problem]
    page.run(call(), execution=3)
    assert [params["resolved"] for params, _ in page.pushes() if "resolved" in params] == [["c"]]
    assert page.ask("state")[0]["result"]["problems"] == []


def test_a_run_without_a_model_call_marks_the_cells_trace_as_old(page: Page) -> None:
    page.initialize()
    page.run(execution=1)
    assert page.ask("state")[0]["result"]["problems"] == []
    page.run(call(), execution=2)
    page.run(execution=3)
    state = page.ask("state")[0]["result"]
    assert [trace["execution"] for trace in state["traces"]] == [2]
    [problem] = state["problems"]
    assert problem["title"] == "Cell [3] ran: no model call was found"
    assert page.pushes()[-1][0]["problem"] == state["problems"][0]
    page.run(call(), execution=4)
    assert page.ask("state")[0]["result"]["problems"] == []


def test_a_call_that_cannot_be_kept_is_a_problem_and_later_ones_are_kept(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    page.initialize()
    broken = call()
    broken.records[0] = None  # type: ignore[call-overload]
    page.run(broken, call())
    state = page.ask("state")[0]["result"]
    assert [trace["call"] for trace in state["traces"]] == [1]
    assert state["problems"][0]["title"] == "attnlab could not store the attention of Tiny"
    assert "could not keep a trace" in caplog.text


def test_a_lost_push_is_detected_as_a_gap_and_the_state_repairs_it(page: Page) -> None:
    page.initialize()
    page.run(call(0), cell="c")
    page.run(Refusal("t", "c", "r"), cell="d", execution=2)
    page.run(call(1), cell="c", execution=3)
    pushes = page.pushes()
    held = page.ask("state")[0]["result"]
    for lost in range(len(pushes) - 1):
        panel = Panel()
        gaps = 0
        for place, push in enumerate(pushes):
            if place != lost and panel.push(*push):
                gaps += 1
                panel.load(held)
        assert gaps == 1
        assert panel.revision == held["revision"]
        assert list(panel.traces.values()) == held["traces"]
        assert list(panel.problems.values()) == held["problems"]


def test_pushes_alone_lead_to_the_same_state(page: Page) -> None:
    page.initialize()
    page.run(call(0), cell="c")
    page.run(Refusal("t", "c", "r"), cell="c", execution=2)
    page.run(call(1), Refusal("t", "c", "r"), cell="d", execution=3)
    page.run(call(2), cell="c", execution=4)
    panel = Panel()
    gaps = [panel.push(*push) for push in page.pushes()]
    assert not any(gaps)
    held = page.ask("state")[0]["result"]
    assert panel.revision == held["revision"]
    assert list(panel.traces.values()) == held["traces"]
    assert list(panel.problems.values()) == held["problems"]
