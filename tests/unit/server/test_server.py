"""The server over envelopes: clients, subscriptions, pushes and what a lost one costs."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.memory import VARIABLE
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.live.cells.run import Run
from attnlab.server.messages import PROTOCOL, ErrorCode
from attnlab.server.session.clients import MAX_CLIENTS
from attnlab.server.session.pending import PendingCall, PendingCalls
from attnlab.server.session.registry import RUN_LIMIT
from attnlab.server.session.summaries import item_of, summary
from attnlab.traces import thumbnails
from attnlab.traces.cancellation import CancelledError
from attnlab.traces.trace import Trace
from tests.panel import Panel, numbers
from tests.unit.page import HEADS, PATIENCE, SITES, TOKENS, Page, call, code, expected, words
from tests.unit.page import page as page

# --- who is talked to -------------------------------------------------------------------


def test_initialize_returns_capabilities_and_traces(page: Page) -> None:
    page.run(call())
    result = page.initialize()["result"]
    assert result["protocol"] == PROTOCOL
    assert result["server"] == "attnlab 0"
    assert result["session"] == page.session.name
    assert result["capabilities"] == ["busy/subshell"]
    assert result["missing"] == ["torch"]
    assert [trace["cell"] for trace in result["state"]["traces"]] == ["c"]


@pytest.mark.parametrize(
    ("theirs", "remedy"),
    [(PROTOCOL + 1, "restart the kernel"), (PROTOCOL - 1, "reload the page")],
)
def test_another_version_of_the_protocol_is_refused_with_the_remedy(
    page: Page, theirs: int, remedy: str
) -> None:
    answer = page.initialize(protocol=theirs)
    assert code(answer) is ErrorCode.VERSION_MISMATCH
    message = answer["error"]["message"]
    assert f"version {theirs}" in message
    assert f"version {PROTOCOL}" in message
    assert answer["error"]["data"] == {"remedy": "pip install --upgrade attnlab"}
    assert message.endswith(f"then {remedy}.")


def test_a_package_that_was_installed_since_is_no_longer_missing(page: Page) -> None:
    assert page.initialize()["result"]["missing"] == ["torch"]
    page.missing = []
    assert page.initialize()["result"]["missing"] == []


def test_nothing_is_answered_before_initialize(page: Page) -> None:
    for method in ("state", "trace/head"):
        head = {"trace": "t", "item": 0, "site": 0, "head": 0}
        params = head if method == "trace/head" else None
        assert code(page.ask(method, params)[0]) is ErrorCode.NOT_INITIALIZED


def test_clients_that_have_been_silent_longest_are_removed(page: Page) -> None:
    for number in range(MAX_CLIENTS):
        page.initialize(f"page {number}")
    page.ask("state", client="page 0")
    page.initialize("one more")
    assert len(page.session.clients) == MAX_CLIENTS
    assert code(page.ask("state", client="page 1")[0]) is ErrorCode.NOT_INITIALIZED
    assert "result" in page.ask("state", client="page 0")[0]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "text",
        {},
        {"id": "x", "kind": "anywidget-command"},
        {"sender": 1, "to": "kernel", "session": "", "rpc": {}},
        {"sender": "b", "to": "a", "session": "", "rpc": {"id": 1, "method": "state"}},
    ],
)
def test_messages_for_others_are_ignored(page: Page, content: Any) -> None:
    page.endpoint.receive(content)
    assert not page.sent


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rpc": "text"}, "envelope.rpc must be an object"),
        ({"session": 5}, "envelope.session must be a string, not 5"),
        ({"session": "another"}, "restarted"),
    ],
)
def test_a_bad_envelope_to_the_kernel_is_refused(
    page: Page, change: dict[str, Any], why: str
) -> None:
    rpc = {"jsonrpc": "2.0", "id": 9, "method": "state"}
    page.endpoint.receive({**page.envelope(rpc), **change})
    ((envelope, _),) = page.sent
    assert envelope["to"] == "a"
    assert envelope["rpc"]["id"] == (9 if change.get("rpc") is None else None)
    assert code(envelope["rpc"]) is ErrorCode.INVALID_REQUEST
    assert why in envelope["rpc"]["error"]["message"]


# --- pushes -----------------------------------------------------------------------------


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


# --- batches ----------------------------------------------------------------------------


def test_a_summary_names_the_sequences_along_the_axes_of_one_item(page: Page) -> None:
    page.run(call(items=3, generated=2))
    (trace,) = page.initialize()["result"]["state"]["traces"]
    assert (trace["items"], trace["item"], trace["generated"]) == (3, 0, 2)
    (sequence,) = trace["sequences"]
    assert (sequence["name"], sequence["text"]) == ("tokens", "text 0")
    assert words(trace["sequences"]) == [f"0t{i}" for i in range(TOKENS)]
    assert [token["padding"] for token in sequence["tokens"]] == [False] * 4 + [True]
    assert [(site["rows"], site["columns"]) for site in trace["sites"]] == [(0, 0)] * SITES
    assert "generated" not in summary_of(call())


def summary_of(made: RecordedCall) -> dict[str, Any]:
    trace = Trace.from_call(made, "t", "c", 1, 0)
    return dict(summary(trace, 1))


def test_a_summary_has_the_capture_method_of_each_call_and_its_doubts() -> None:
    made = call()
    known, other = made.records
    assert known.query is not None
    weights = torch.full((1, HEADS, TOKENS, TOKENS), 1 / TOKENS)
    made.records[1] = AttentionRecord(
        other.name, "layer.#", "encoder", 1, "tap", weights=weights, doubt="no output was seen"
    )
    first, second = summary_of(made)["sites"]
    assert (first["method"], first["terms"], first["stack"]) == ("interface", "qk", "layer.#")
    assert (second["method"], second["terms"]) == ("tap", "weights")
    assert "no output was seen" in second["uncertified"]


def test_exact_weights_carry_no_reason() -> None:
    made = call()
    for place, record in enumerate(made.records):
        assert record.value is not None
        truth = np.stack([expected(made, place, head) for head in range(HEADS)])
        mixed = torch.tensor(truth) @ record.value[0]
        made.records[place] = replace(
            record, rows=tuple(range(TOKENS)), output=mixed.transpose(0, 1)[None]
        )
    assert all("uncertified" not in site for site in summary_of(made)["sites"])


def test_any_item_and_its_payloads_can_be_requested(page: Page) -> None:
    page.initialize()
    made = call(items=3)
    page.run(made)
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    of = {"trace": trace, "item": 2}
    item = page.ask("trace/item", of)[0]["result"]
    assert (item["trace"], item["item"]) == (trace, 2)
    assert words(item["sequences"]) == [f"2t{i}" for i in range(TOKENS)]
    assert item["sequences"][0]["text"] == "text 2"
    answer, buffers = page.ask("trace/head", {**of, "site": 1, "head": 0})
    assert answer["result"]["item"] == 2
    head = numbers(answer["result"], buffers)
    np.testing.assert_allclose(head, expected(made, 1, 0, item=2), atol=1e-6)
    answer, buffers = page.ask("trace/row", {**of, "site": 0, "query": 4})
    row = np.stack([expected(made, 0, head, item=2)[4] for head in range(HEADS)])
    np.testing.assert_allclose(numbers(answer["result"], buffers), row, atol=1e-6)
    answer, buffers = page.ask("trace/thumbnails", {**of, "size": 64, "sampled": False})
    whole = np.stack([expected(made, s, h, 2) for s in range(SITES) for h in range(HEADS)])
    small = numbers(answer["result"], buffers)
    np.testing.assert_allclose(small, whole * 255, atol=0.51)


def test_an_axis_that_all_items_share_is_sent_for_each_of_them() -> None:
    made = call(items=2)
    patches = Sequence("patches", [Tokens([TokenInfo(-1, "0,0", "")] * TOKENS)])
    made.sequences.append(patches)
    trace = Trace.from_call(made, "t", "c", 1, 0)
    first, second = (item_of(trace, item)["sequences"][1] for item in range(2))
    assert first == second
    assert "text" not in first


def test_a_push_contains_the_items_that_panels_show(page: Page) -> None:
    for client, item in (("a", 2), ("b", 0), ("c", 7)):
        page.initialize(client)
        page.subscribe(client, client, focus={"site": 0, "head": 1}, item=item)
    made = call(items=3)
    page.run(made)
    (params, buffers), *_ = (push for push in page.pushes() if "trace" in push[0])
    assert words(params["trace"]["sequences"])[0] == "0t0"
    assert [(it["item"], words(it["sequences"])[0]) for it in params["items"]] == [(2, "2t0")]
    drawn = [(payload["kind"], payload["item"]) for payload in params["payloads"]]
    assert drawn == [("thumbnails", 0), ("thumbnails", 2), ("head", 0), ("head", 2)]
    head = numbers(params["payloads"][3], buffers)
    np.testing.assert_allclose(head, expected(made, 0, 1, item=2), atol=1e-6)


# --- long texts and full memory ---------------------------------------------------------


def test_a_push_contains_sampled_thumbnails_if_sampling_saves_time(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "AT_ONCE", 0)
    page.initialize()
    page.subscribe(size=1)
    page.run(call(tokens=40))
    (params, buffers), *_ = (push for push in page.pushes() if "trace" in push[0])
    (payload,) = params["payloads"]
    assert payload["sampled"] is True
    rough = numbers(payload, buffers)
    of = {"trace": params["trace"]["id"], "item": 0, "size": 1}
    answer, buffers = page.ask("trace/thumbnails", {**of, "sampled": False})
    assert answer["result"]["sampled"] is False
    whole = numbers(answer["result"], buffers)
    assert (rough <= whole).all()
    assert (rough < whole).any()
    answer, _ = page.ask("trace/thumbnails", {**of, "size": 20, "sampled": True})
    assert answer["result"]["sampled"] is False, "each pixel has few queries"


def test_a_dropped_trace_is_refused_with_the_reason(page: Page) -> None:
    page.initialize()
    page.run(call())
    old = page.ask("state")[0]["result"]["traces"][0]["id"]
    page.run(call(), execution=2)
    answer, _ = page.ask("trace/item", {"trace": old, "item": 0})
    assert code(answer) is ErrorCode.TRACE_GONE
    assert answer["error"]["message"] == (
        "The kernel no longer has this trace. A newer run of its cell replaced it. "
        "Run the cell again."
    )


def test_a_pinned_trace_outlives_the_traces_of_other_cells(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    page.initialize()
    page.run(call(), cell="kept")
    (kept,) = page.ask("state")[0]["result"]["traces"]
    page.subscribe(pinned=kept["id"])
    for execution in (2, 3):
        page.run(call(), cell=f"other {execution}", execution=execution)
    cells = [trace["cell"] for trace in page.ask("state")[0]["result"]["traces"]]
    assert cells == ["kept", "other 3"]
    page.run(call(), cell="kept", execution=4)
    traces = page.ask("state")[0]["result"]["traces"]
    assert [(trace["cell"], trace["execution"]) for trace in traces] == [("kept", 4)]


def test_unpinning_a_panel_releases_its_trace(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    page.initialize()
    page.run(call(), cell="kept")
    (kept,) = page.ask("state")[0]["result"]["traces"]
    page.subscribe(pinned=kept["id"])
    page.run(call(), cell="other", execution=2)
    page.ask("unsubscribe", {"panel": "p"})
    page.run(call(), cell="third", execution=3)
    traces = page.ask("state")[0]["result"]["traces"]
    assert [trace["cell"] for trace in traces] == ["third"]


# --- what is asked of a trace -----------------------------------------------------------


def test_payloads_are_exact_and_name_their_position(page: Page) -> None:
    page.initialize()
    made = call()
    page.run(made)
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    of = {"trace": trace, "item": 0}
    answer, buffers = page.ask("trace/head", {**of, "site": 1, "head": 0})
    payload = answer["result"]
    assert (payload["site"], payload["head"]) == (1, 0)
    assert "query" not in payload
    np.testing.assert_allclose(numbers(payload, buffers), expected(made, 1, 0), atol=1e-6)
    answer, buffers = page.ask("trace/row", {**of, "site": 0, "query": 4})
    payload = answer["result"]
    assert (payload["site"], payload["query"]) == (0, 4)
    assert "head" not in payload
    row = np.stack([expected(made, 0, head)[4] for head in range(HEADS)])
    np.testing.assert_allclose(numbers(payload, buffers), row, atol=1e-6)
    answer, buffers = page.ask("trace/thumbnails", {**of, "size": 64, "sampled": False})
    small = numbers(answer["result"], buffers)
    whole = np.stack([expected(made, s, h) for s in range(SITES) for h in range(HEADS)])
    np.testing.assert_allclose(small, whole * 255, atol=0.51)


@pytest.mark.parametrize(
    ("method", "params", "error", "words"),
    [
        ("trace/head", {"site": 9, "head": 0}, ErrorCode.NO_SUCH_HEAD, "sites 0 to 1"),
        ("trace/head", {"site": 0, "head": 9}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("trace/head", {"site": 0, "head": -1}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("trace/row", {"site": 0, "query": 9}, ErrorCode.NO_SUCH_HEAD, "queries 0 to 4"),
        ("trace/head", {"item": 1, "site": 0, "head": 0}, ErrorCode.NO_SUCH_HEAD, "items 0 to 0"),
        ("trace/item", {"item": 1}, ErrorCode.NO_SUCH_HEAD, "items 0 to 0"),
        ("trace/item", {"item": -1}, ErrorCode.NO_SUCH_HEAD, "items 0 to 0"),
        ("trace/item", {"trace": "x"}, ErrorCode.TRACE_GONE, "Run the cell"),
        ("trace/thumbnails", {"size": 0}, ErrorCode.INVALID_PARAMS, "1 to 512 pixels, not 0"),
        ("trace/thumbnails", {"size": 9999}, ErrorCode.INVALID_PARAMS, "not 9999"),
        ("trace/head", {"trace": "x", "site": 0, "head": 0}, ErrorCode.TRACE_GONE, "Run the cell"),
    ],
)
def test_an_invalid_index_is_refused_with_the_valid_range(
    page: Page, method: str, params: dict[str, Any], error: ErrorCode, words: str
) -> None:
    page.initialize()
    page.run(call())
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    answer, _ = page.ask(method, {"trace": trace, "item": 0, "sampled": False, **params})
    assert code(answer) is error
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("method", "place"),
    [("head", {"site": 0, "head": 0}), ("row", {"site": 0, "query": 0})],
)
def test_a_cancelled_request_stops_and_is_answered_as_cancelled(
    page: Page, monkeypatch: pytest.MonkeyPatch, method: str, place: dict[str, Any]
) -> None:
    entered = threading.Event()

    def slow(*place: Any) -> None:
        *_, cancelled = place
        entered.set()
        while not cancelled():
            time.sleep(0.001)
        raise CancelledError

    page.initialize()
    page.run(call())
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    monkeypatch.setattr(Trace, method, slow)
    params = {"trace": trace, "item": 0, **place}
    asked = {"jsonrpc": "2.0", "id": "slow", "method": f"trace/{method}", "params": params}
    page.endpoint.receive(page.envelope(asked))
    assert entered.wait(PATIENCE)
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "slow"}}
    page.endpoint.receive(page.envelope(cancel))
    answers = page.wait(
        lambda: [it[0]["rpc"] for it in page.sent if it[0]["rpc"].get("id") == "slow"]
    )
    assert [code(answer) for answer in answers] == [ErrorCode.REQUEST_CANCELLED]
