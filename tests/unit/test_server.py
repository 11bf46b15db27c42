"""The server over envelopes: clients, subscriptions, pushes and what a lost one costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from attnlab.capture.call import Call, Refusal
from attnlab.capture.records import Record
from attnlab.capture.tokens import TokenInfo
from attnlab.live.run import Run
from attnlab.server.clients import REMEMBERED
from attnlab.server.endpoint import Endpoint
from attnlab.server.messages import PROTOCOL, Envelope, ErrorCode
from attnlab.server.session import RUN_LIMIT
from tests.panel import Panel, numbers

PATIENCE = 10.0
HEADS, TOKENS, WIDTH, SITES = 3, 5, 4, 2


def call(seed: int = 0, tokens: int = TOKENS) -> Call:
    """A made-up call of a model with two attention layers."""
    generator = torch.Generator().manual_seed(seed)

    def tensor() -> torch.Tensor:
        return torch.randn(HEADS, tokens, WIDTH, generator=generator)

    records = [
        Record(f"layer.{i}", "encoder", i, tensor(), tensor(), tensor(), 0.5) for i in range(SITES)
    ]
    infos = [TokenInfo(i, f"t{i}", f"t{i}") for i in range(tokens)]
    return Call("Tiny", records, infos, None, "text", 1.5)


def expected(made: Call, site: int, head: int) -> np.ndarray[Any, Any]:
    record = made.records[site]
    scores = record.query[head] @ record.key[head].T * record.scale
    return scores.softmax(-1).numpy()


class Page:
    """The wire, with one or more clients at its other end."""

    def __init__(self) -> None:
        self.sent: list[tuple[Envelope, list[bytes]]] = []
        self.changes: list[tuple[int, str | None]] = []
        self.news = threading.Condition()
        self.missing = ["torch"]
        self.endpoint = Endpoint(
            self._post,
            lambda *change: self.changes.append(change),
            "attnlab 0",
            ["busy/subshell"],
            lambda: self.missing,
        )
        self.session = self.endpoint.session
        self._ids = iter(range(10**6))

    def _post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        with self.news:
            self.sent.append((envelope, buffers))
            self.news.notify_all()

    def wait(self, ready: Callable[[], Any]) -> Any:
        with self.news:
            assert self.news.wait_for(lambda: bool(ready()), PATIENCE), self.sent
            return ready()

    def envelope(self, rpc: Any, client: str = "a") -> dict[str, Any]:
        return {"sender": client, "to": "kernel", "session": self.session.name, "rpc": rpc}

    def ask(self, method: str, params: Any = None, client: str = "a") -> tuple[dict[str, Any], Any]:
        """The answer to a request, and its buffers."""
        id_ = next(self._ids)
        rpc = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        self.endpoint.receive(self.envelope(rpc, client))
        sent, buffers = self.wait(
            lambda: [it for it in self.sent if it[0]["rpc"].get("id") == id_]
        )[0]
        assert sent["to"] == client
        assert sent["sender"] == "kernel"
        return sent["rpc"], buffers

    def initialize(self, client: str = "a", protocol: int = PROTOCOL) -> dict[str, Any]:
        params = {"protocol": protocol, "client": "test", "capabilities": []}
        return self.ask("initialize", params, client)[0]

    def subscribe(
        self,
        client: str = "a",
        panel: str = "p",
        size: int = 4,
        focus: Any = None,
        query: Any = None,
    ) -> dict[str, Any]:
        params = {"panel": panel, "size": size, "focus": focus, "query": query}
        return self.ask("subscribe", params, client)[0]

    def run(self, *outcomes: Call | Refusal, cell: str = "c", execution: int = 1) -> None:
        """A run of a watched cell with these model calls; returns when it is published."""
        before = len(self.changes)
        run = Run(cell, execution)
        self.session.began(run)
        for outcome in outcomes:
            self.session.called(run, outcome)
        self.session.ended(run)
        done = threading.Event()
        self.endpoint.worker.push(done.set)
        assert done.wait(PATIENCE)
        assert len(self.changes) == before + 2 + len(outcomes)

    def pushes(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [
            (envelope["rpc"]["params"], buffers)
            for envelope, buffers in self.sent
            if envelope["rpc"].get("method") == "publish"
        ]


@pytest.fixture
def page() -> Iterator[Page]:
    it = Page()
    yield it
    it.endpoint.close()


def code(answer: dict[str, Any]) -> ErrorCode:
    return ErrorCode(answer["error"]["code"])


# --- who is talked to -------------------------------------------------------------------


def test_initialize_says_what_the_kernel_can_and_holds(page: Page) -> None:
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
def test_another_version_of_the_protocol_is_refused_with_the_way_out(
    page: Page, theirs: int, remedy: str
) -> None:
    answer = page.initialize(protocol=theirs)
    assert code(answer) is ErrorCode.VERSION_MISMATCH
    message = answer["error"]["message"]
    assert f"version {theirs}" in message
    assert f"version {PROTOCOL}" in message
    assert answer["error"]["data"] == {"remedy": "pip install --upgrade attnlab"}
    assert message.endswith(f"then {remedy}.")


def test_a_package_that_was_installed_meanwhile_is_missing_no_more(page: Page) -> None:
    assert page.initialize()["result"]["missing"] == ["torch"]
    page.missing = []
    assert page.initialize()["result"]["missing"] == []


def test_nothing_is_answered_before_initialize(page: Page) -> None:
    for method in ("state", "trace/head"):
        params = {"trace": "t", "site": 0, "head": 0} if method == "trace/head" else None
        assert code(page.ask(method, params)[0]) is ErrorCode.NOT_INITIALIZED


def test_clients_that_have_been_silent_longest_are_given_up(page: Page) -> None:
    for number in range(REMEMBERED):
        page.initialize(f"page {number}")
    page.ask("state", client="page 0")
    page.initialize("one more")
    assert len(page.session.clients) == REMEMBERED
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
def test_what_is_not_for_the_kernel_is_left_alone(page: Page, content: Any) -> None:
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
    assert page.changes == [(1, "c"), (2, "c"), (3, None)]


def test_one_message_brings_a_new_trace_with_all_that_panels_show(page: Page) -> None:
    page.initialize("a")
    page.initialize("b")
    page.subscribe("a", focus={"site": 1, "head": 2}, query=3)
    page.subscribe("b", "q", focus={"site": 1, "head": 2}, size=0)
    made = call()
    page.run(made)
    began, traced, ended = page.pushes()
    assert (began[0]["running"], traced[0]["running"], ended[0]["running"]) == ("c", "c", None)
    params, buffers = traced
    assert [picture["kind"] for picture in params["pictures"]] == ["thumbnails", "head", "row"]
    thumbnails, head, row = (numbers(picture, buffers) for picture in params["pictures"])
    assert thumbnails.shape == (SITES * HEADS, 4, 4)
    np.testing.assert_allclose(head, expected(made, 1, 2), atol=1e-6)
    every = np.stack([expected(made, 1, head)[3] for head in range(HEADS)])
    np.testing.assert_allclose(row, every, atol=1e-6)
    assert [envelope["to"] for envelope, _ in page.sent[-3:]] == ["*"] * 3
    assert params["trace"]["text"] == "text"
    assert params["trace"]["sites"][1]["name"] == "layer.1"


def test_a_panel_that_is_gone_gets_no_pictures(page: Page) -> None:
    page.initialize()
    page.subscribe()
    assert page.ask("unsubscribe", {"panel": "p"})[0]["result"] is None
    page.run(call())
    assert all(not params["pictures"] for params, _ in page.pushes())


def test_a_panel_that_came_back_with_a_reloaded_page_is_drawn_once(page: Page) -> None:
    for client, head in (("before", 0), ("after", 1)):
        page.initialize(client)
        page.subscribe(client, size=0, focus={"site": 0, "head": head})
    page.run(call())
    drawn = [picture for params, _ in page.pushes() for picture in params["pictures"]]
    assert [(picture["kind"], picture["head"]) for picture in drawn] == [("head", 1)]


def test_a_page_that_initializes_anew_has_no_panels(page: Page) -> None:
    page.initialize()
    page.subscribe()
    page.initialize()
    page.run(call())
    assert all(not params["pictures"] for params, _ in page.pushes())


@pytest.mark.parametrize(
    ("focus", "query"),
    [({"site": SITES, "head": 0}, 0), ({"site": -1, "head": 0}, 0), ({"site": 0, "head": 9}, 99)],
)
def test_a_subscription_beyond_the_trace_brings_what_there_is(
    page: Page, focus: Any, query: int
) -> None:
    page.initialize()
    page.subscribe(focus=focus, query=query)
    page.run(call())
    kinds = [picture["kind"] for params, _ in page.pushes() for picture in params["pictures"]]
    assert kinds == ["thumbnails"]


def test_of_calls_made_at_once_all_are_traces_and_the_last_has_pictures(page: Page) -> None:
    page.initialize()
    page.subscribe()
    page.run(call(0), call(1), call(2))
    traced = [params for params, _ in page.pushes() if "trace" in params]
    assert [params["trace"]["call"] for params in traced] == [0, 1, 2]
    assert [len(params["pictures"]) for params in traced] == [0, 0, 1]
    state = page.ask("state")[0]["result"]
    assert [trace["calls"] for trace in state["traces"]] == [3, 3, 3]


def test_a_rerun_replaces_the_cells_traces_and_leaves_those_of_other_cells(page: Page) -> None:
    page.initialize()
    page.run(call(0), call(1), cell="c")
    page.run(call(2), cell="d", execution=2)
    page.run(call(3), cell="c", execution=3)
    old = [params["trace"]["id"] for params, _ in page.pushes() if "trace" in params][:2]
    assert [params["forgotten"] for params, _ in page.pushes() if params["forgotten"]] == [old]
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
    assert sum(len(params["forgotten"]) for params, _ in page.pushes()) == 3


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


def test_a_run_that_calls_no_model_says_that_its_cells_trace_is_old(page: Page) -> None:
    page.initialize()
    page.run(execution=1)
    assert page.ask("state")[0]["result"]["problems"] == []
    page.run(call(), execution=2)
    page.run(execution=3)
    state = page.ask("state")[0]["result"]
    assert [trace["execution"] for trace in state["traces"]] == [2]
    assert [problem["title"] for problem in state["problems"]] == ["The cell called no model"]
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
    assert state["problems"][0]["title"] == "attnlab could not keep what Tiny did"
    assert "could not keep a trace" in caplog.text


def test_a_lost_push_shows_as_a_gap_and_the_state_heals_it(page: Page) -> None:
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


# --- what is asked of a trace -----------------------------------------------------------


def test_pictures_are_exact_and_name_their_place(page: Page) -> None:
    page.initialize()
    made = call()
    page.run(made)
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    answer, buffers = page.ask("trace/head", {"trace": trace, "site": 1, "head": 0})
    picture = answer["result"]["picture"]
    assert (picture["site"], picture["head"], picture["query"]) == (1, 0, -1)
    np.testing.assert_allclose(numbers(picture, buffers), expected(made, 1, 0), atol=1e-6)
    answer, buffers = page.ask("trace/row", {"trace": trace, "site": 0, "query": 4})
    picture = answer["result"]["picture"]
    assert (picture["site"], picture["head"], picture["query"]) == (0, -1, 4)
    row = np.stack([expected(made, 0, head)[4] for head in range(HEADS)])
    np.testing.assert_allclose(numbers(picture, buffers), row, atol=1e-6)
    answer, buffers = page.ask("trace/thumbnails", {"trace": trace, "size": 64})
    small = numbers(answer["result"]["picture"], buffers)
    whole = np.stack([expected(made, s, h) for s in range(SITES) for h in range(HEADS)])
    np.testing.assert_allclose(small, whole * 255, atol=0.51)


@pytest.mark.parametrize(
    ("method", "params", "error", "words"),
    [
        ("trace/head", {"site": 9, "head": 0}, ErrorCode.NO_SUCH_HEAD, "sites 0 to 1"),
        ("trace/head", {"site": 0, "head": 9}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("trace/head", {"site": 0, "head": -1}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("trace/row", {"site": 0, "query": 9}, ErrorCode.NO_SUCH_HEAD, "queries 0 to 4"),
        ("trace/thumbnails", {"size": 0}, ErrorCode.INVALID_PARAMS, "1 to 512 pixels, not 0"),
        ("trace/thumbnails", {"size": 9999}, ErrorCode.INVALID_PARAMS, "not 9999"),
        ("trace/head", {"trace": "x", "site": 0, "head": 0}, ErrorCode.TRACE_GONE, "Run the cell"),
    ],
)
def test_what_a_trace_does_not_have_is_refused_with_what_it_has(
    page: Page, method: str, params: dict[str, Any], error: ErrorCode, words: str
) -> None:
    page.initialize()
    page.run(call())
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    answer, _ = page.ask(method, {"trace": trace, **params})
    assert code(answer) is error
    assert words in answer["error"]["message"]
