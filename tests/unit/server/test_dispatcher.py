"""Every request is answered exactly once, whatever happens to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.server.messages import ErrorCode
from attnlab.server.protocol.dispatcher import REMEMBERED_CANCELS, Dispatcher
from attnlab.server.protocol.errors import RpcError
from attnlab.server.protocol.request import Handler, Reply, RequestContext
from attnlab.server.protocol.worker import Worker

PATIENCE = 10.0


class Peer:
    """A client, and the kernel's end with handlers that a test steers."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        self.news = threading.Condition()
        self.entered = threading.Event()
        self.released = threading.Event()
        self.worker = Worker()
        table = {
            "state": Handler(lambda *_: ("held", [])),
            "subscribe": Handler(lambda _, params: (params["panel"], [])),
            "unsubscribe": Handler(self._raise),
            "trace/head": Handler(lambda _, params: (params["head"], [b"x"]), computes=True),
            "trace/thumbnails": Handler(self._slow, computes=True),
            "trace/row": Handler(self._raise, computes=True),
        }
        self.notices = {"selection/didChange": self._noted}
        self.dispatcher = Dispatcher(table, self.notices, lambda *_: None, self.worker, self._send)
        self.error: BaseException = RuntimeError("broken")
        self.noted: list[tuple[str, Any]] = []

    def _send(self, client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        with self.news:
            self.sent.append((client, rpc, buffers))
            self.news.notify_all()

    def _noted(self, client: str, params: Any) -> None:
        if params["panel"] == "broken":
            raise self.error
        self.noted.append((client, params))

    def _raise(self, _call: RequestContext, _params: Any) -> Reply:
        raise self.error

    def _slow(self, call: RequestContext, _params: Any) -> Reply:
        self.entered.set()
        while not self.released.wait(0.001):
            if call.stopped():
                raise InterruptedError
        return "drawn", []

    def ask(self, id_: Any, method: str, params: Any = None, client: str = "a") -> None:
        rpc = {"jsonrpc": "2.0", "id": id_, "method": method}
        if id_ is None:
            del rpc["id"]
        if params is not None:
            rpc["params"] = params
        self.dispatcher.receive(client, rpc)

    def slow(self, id_: Any) -> None:
        self.ask(id_, "trace/thumbnails", {"trace": "t", "item": 0, "size": 8, "sampled": True})

    def cancel(self, id_: Any, client: str = "a") -> None:
        rpc = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id_}}
        self.dispatcher.receive(client, rpc)

    def answers(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many answers have come, and return all that have."""

        def come() -> list[dict[str, Any]]:
            return [rpc for _, rpc, _ in self.sent if "method" not in rpc]

        with self.news:
            assert self.news.wait_for(lambda: len(come()) >= count, PATIENCE), self.sent
            return come()

    def answer(self, id_: Any) -> dict[str, Any]:
        with self.news:
            found: list[dict[str, Any]] = []

            def here() -> bool:
                found[:] = [rpc for _, rpc, _ in self.sent if rpc.get("id") == id_]
                return bool(found)

            assert self.news.wait_for(here, PATIENCE), f"no answer to {id_}: {self.sent}"
            assert len(found) == 1, found
            return found[0]

    def code(self, id_: Any) -> ErrorCode:
        return ErrorCode(self.answer(id_)["error"]["code"])


@pytest.fixture
def peer() -> Iterator[Peer]:
    it = Peer()
    yield it
    it.released.set()
    it.worker.close()


def test_a_request_is_answered_to_its_client_with_its_id_and_buffers(peer: Peer) -> None:
    peer.ask(1, "trace/head", {"trace": "t", "item": 0, "site": 0, "head": 5}, client="b")
    assert peer.answer(1) == {"jsonrpc": "2.0", "id": 1, "result": 5}
    assert peer.sent[0][0] == "b"
    assert peer.sent[0][2] == [b"x"]


def test_ids_of_two_clients_do_not_collide(peer: Peer) -> None:
    peer.slow(1)
    peer.ask(1, "state", client="b")
    assert peer.answers()[0]["result"] == "held"
    peer.released.set()
    assert [(client, rpc["result"]) for client, rpc, _ in (peer.answers(2), peer.sent)[1]] == [
        ("b", "held"),
        ("a", "drawn"),
    ]


def test_a_lone_null_by_position_is_no_params(peer: Peer) -> None:
    peer.ask("x", "state", [None])
    assert peer.answer("x")["result"] == "held"


def test_a_waiting_request_is_cancelled_at_once(peer: Peer) -> None:
    peer.slow(1)
    assert peer.entered.wait(PATIENCE)
    peer.ask(2, "trace/head", {"trace": "t", "item": 0, "site": 0, "head": 0})
    peer.cancel(2)
    assert peer.code(2) is ErrorCode.REQUEST_CANCELLED
    assert peer.dispatcher.open == 1
    peer.released.set()
    assert peer.answer(1)["result"] == "drawn"
    assert len(peer.answers(2)) == 2


def test_a_running_request_is_cancelled_while_it_computes(peer: Peer) -> None:
    peer.slow(1)
    assert peer.entered.wait(PATIENCE)
    peer.cancel(1)
    assert peer.code(1) is ErrorCode.REQUEST_CANCELLED
    assert peer.dispatcher.open == 0


def test_a_cancel_that_comes_before_its_request_is_remembered(peer: Peer) -> None:
    peer.cancel(7)
    peer.ask(7, "state")
    assert peer.code(7) is ErrorCode.REQUEST_CANCELLED


def test_an_early_cancel_affects_only_its_client(peer: Peer) -> None:
    peer.cancel(7, client="b")
    peer.ask(7, "state")
    assert peer.answer(7)["result"] == "held"


def test_early_cancels_are_bounded(peer: Peer) -> None:
    for id_ in range(3 * REMEMBERED_CANCELS):
        peer.cancel(id_)
    assert len(peer.dispatcher._early_cancels) == REMEMBERED_CANCELS


def test_an_id_that_is_open_is_refused_and_its_first_request_keeps_its_answer(peer: Peer) -> None:
    peer.slow(1)
    peer.ask(1, "state")
    refusal = peer.answers()[0]
    assert refusal["id"] is None
    assert refusal["error"]["code"] == ErrorCode.INVALID_REQUEST
    peer.released.set()
    assert peer.answer(1)["result"] == "drawn"


@pytest.mark.parametrize(
    ("rpc", "id_"),
    [
        (None, None),
        ([], None),
        ("text", None),
        ({}, None),
        ({"jsonrpc": "2.0", "id": 4}, 4),
        ({"jsonrpc": "1.0", "id": 4, "method": "state"}, 4),
        ({"id": 4, "method": "state"}, 4),
        ({"jsonrpc": "2.0", "id": 4, "method": 7}, 4),
        ({"jsonrpc": "2.0", "id": None, "method": "state"}, None),
        ({"jsonrpc": "2.0", "id": True, "method": "state"}, None),
        ({"jsonrpc": "2.0", "id": {"a": 1}, "method": "state"}, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "state"}, None),
    ],
)
def test_a_message_that_is_not_a_request_is_refused(peer: Peer, rpc: Any, id_: Any) -> None:
    peer.dispatcher.receive("a", rpc)
    assert peer.code(id_) is ErrorCode.INVALID_REQUEST


SELECTED = {
    "item": 0,
    "site": 0,
    "head": 0,
    "heads": [0],
    "query": None,
    "key": None,
    "dimension": None,
    "pairs": "all",
}


def test_a_notification_is_taken_where_it_fits_the_protocol(peer: Peer) -> None:
    good = {"panel": "p", "selection": SELECTED}
    for params in (good, {"panel": "p"}, {**good, "selection": {**SELECTED, "pairs": "ac"}}, None):
        peer.ask(None, "selection/didChange", params, client="b")
    assert peer.noted == [("b", good)]
    assert not peer.sent


def test_a_notification_that_fails_is_logged_and_the_next_is_taken(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    for panel in ("broken", "whole"):
        params = {"panel": panel, "selection": SELECTED}
        peer.ask(None, "selection/didChange", params)
    assert [params["panel"] for _, params in peer.noted] == ["whole"]
    assert "failed with a notification" in caplog.text


def test_answers_and_unknown_notifications_are_left_alone(peer: Peer) -> None:
    peer.dispatcher.receive("a", {"jsonrpc": "2.0", "id": 1, "result": None})
    peer.dispatcher.receive("a", {"jsonrpc": "2.0", "id": 1, "error": {}})
    peer.dispatcher.receive("a", {"jsonrpc": "2.0", "method": "hello", "params": {}})
    peer.dispatcher.receive("a", {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {}})
    assert not peer.sent


def test_an_unknown_method_is_refused_by_name(peer: Peer) -> None:
    peer.ask(1, "trace/tile", {})
    assert peer.code(1) is ErrorCode.METHOD_NOT_FOUND
    assert "'trace/tile'" in peer.answer(1)["error"]["message"]


def test_wrong_params_are_refused_by_the_name_of_the_field(peer: Peer) -> None:
    peer.ask(1, "trace/head", {"trace": "t", "item": 0, "site": "0", "head": 1})
    assert peer.code(1) is ErrorCode.INVALID_PARAMS
    message = peer.answer(1)["error"]["message"]
    assert message == "trace/head: params.site must be an integer, not '0'."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("broken"), ErrorCode.INTERNAL_ERROR),
        (MemoryError("much"), ErrorCode.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), ErrorCode.OUT_OF_MEMORY),
        (IndexError("site 0 has no head 9"), ErrorCode.NO_SUCH_HEAD),
        (RpcError(ErrorCode.TRACE_GONE, "gone"), ErrorCode.TRACE_GONE),
        (KeyboardInterrupt(), ErrorCode.INTERNAL_ERROR),
        (SystemExit(1), ErrorCode.INTERNAL_ERROR),
        (GeneratorExit(), ErrorCode.INTERNAL_ERROR),
    ],
)
def test_whatever_a_handler_raises_on_the_worker_is_answered_and_the_worker_lives(
    peer: Peer, error: BaseException, code: ErrorCode
) -> None:
    peer.error = error
    peer.ask(1, "trace/row", {"trace": "t", "item": 0, "site": 0, "query": 0})
    assert peer.code(1) is code
    peer.ask(2, "trace/head", {"trace": "t", "item": 0, "site": 0, "head": 3})
    assert peer.answer(2)["result"] == 3


def test_an_index_error_reaches_the_panel_as_a_sentence(peer: Peer) -> None:
    peer.error = IndexError("site 0 has no head 9")
    peer.ask(1, "trace/row", {"trace": "t", "item": 0, "site": 0, "query": 0})
    assert peer.answer(1)["error"]["message"] == "Site 0 has no head 9."


def test_an_interrupt_on_the_kernels_thread_is_answered_and_then_raised(peer: Peer) -> None:
    peer.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        peer.ask(1, "unsubscribe", {"panel": "p"})
    assert peer.code(1) is ErrorCode.INTERNAL_ERROR
    assert peer.dispatcher.open == 0


def test_a_result_that_cannot_be_sent_is_answered_by_an_error() -> None:
    sent: list[dict[str, Any]] = []

    def send(client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        if "result" in rpc:
            raise ValueError("not JSON")
        sent.append(rpc)

    handlers = {"state": Handler(lambda *_: (object(), []))}
    dispatcher = Dispatcher(handlers, {}, lambda *_: None, Worker(), send)
    dispatcher.receive("a", {"jsonrpc": "2.0", "id": 1, "method": "state"})
    assert [rpc["error"]["code"] for rpc in sent] == [ErrorCode.INTERNAL_ERROR]


def test_the_newest_of_waiting_requests_is_answered_first(peer: Peer) -> None:
    peer.slow("first")
    assert peer.entered.wait(PATIENCE)
    for head in range(4):
        peer.ask(head, "trace/head", {"trace": "t", "item": 0, "site": 0, "head": head})
    peer.released.set()
    assert [rpc["id"] for rpc in peer.answers(5)] == ["first", 3, 2, 1, 0]


def test_a_running_request_yields_to_a_push_and_is_answered_after_it(peer: Peer) -> None:
    pushed = threading.Event()
    peer.slow(1)
    assert peer.entered.wait(PATIENCE)
    peer.worker.push(pushed.set)
    assert pushed.wait(PATIENCE)
    assert not peer.sent
    peer.released.set()
    assert peer.answer(1)["result"] == "drawn"


def test_a_request_that_yields_can_still_be_cancelled(peer: Peer) -> None:
    holding, go = threading.Event(), threading.Event()

    def push() -> None:
        holding.set()
        go.wait(PATIENCE)

    peer.slow(1)
    assert peer.entered.wait(PATIENCE)
    peer.worker.push(push)
    assert holding.wait(PATIENCE)
    peer.cancel(1)
    go.set()
    assert peer.code(1) is ErrorCode.REQUEST_CANCELLED


def test_a_long_request_reports_its_progress_but_not_too_often(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnlab.server.protocol.request.FIRST_PROGRESS", 0.05)

    def slow(call: RequestContext, _params: Any) -> Reply:
        for done in range(30):
            call.progress(done, 30, "heads")
            time.sleep(0.01)
        return None, []

    dispatcher = Dispatcher(
        {"state": Handler(slow, computes=True)}, {}, lambda *_: None, peer.worker, peer._send
    )
    dispatcher.receive("a", {"jsonrpc": "2.0", "id": 1, "method": "state"})
    peer.answers()
    reported = [rpc["params"] for _, rpc, _ in peer.sent if rpc.get("method") == "$/progress"]
    assert 1 <= len(reported) <= 3
    assert reported[0]["id"] == 1
    assert reported[0]["done"] >= 4
    assert (reported[0]["total"], reported[0]["operation"]) == (30, "heads")


Action = tuple[str, int]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["quick", "head", "slow", "fails", "dies", "unknown", "wrong", "cancel", "push"]
        ),
        st.integers(0, 12),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS, threads=st.integers(1, 3))
def test_in_any_order_of_events_every_request_is_answered_exactly_once(
    actions: list[Action], threads: int
) -> None:
    peer = Peer()
    peer.error = KeyboardInterrupt()
    asked: list[str] = []
    head = {"trace": "t", "item": 0, "site": 0, "head": 0}
    asks: dict[str, Callable[[str], None]] = {
        "quick": lambda id_: peer.ask(id_, "state"),
        "head": lambda id_: peer.ask(id_, "trace/head", head),
        "slow": peer.slow,
        "fails": lambda id_: peer.ask(
            id_, "trace/row", {"trace": "t", "item": 0, "site": 0, "query": 0}
        ),
        "dies": lambda id_: _interrupted(peer, id_),
        "unknown": lambda id_: peer.ask(id_, "nothing"),
        "wrong": lambda id_: peer.ask(id_, "trace/head", {}),
    }
    try:

        def play(thread: int) -> None:
            for place, (what, id_) in enumerate(actions[thread::threads]):
                if what == "cancel":
                    peer.cancel(f"{thread}.{id_}")
                elif what == "push":
                    peer.worker.push(lambda: None)
                else:
                    # Every id is new, and some of them were cancelled before.
                    name = f"{thread}.{place}"
                    asked.append(name)
                    asks[what](name)

        players = [threading.Thread(target=play, args=(thread,)) for thread in range(threads)]
        for player in players:
            player.start()
        for player in players:
            player.join(PATIENCE)
        peer.released.set()
        answered = Counter(rpc["id"] for rpc in peer.answers(len(asked)))
        assert answered == Counter(asked)
        assert peer.dispatcher.open == 0
    finally:
        peer.released.set()
        peer.worker.close()


def _interrupted(peer: Peer, id_: str) -> None:
    with contextlib.suppress(KeyboardInterrupt):  # Not where it was cancelled before.
        peer.ask(id_, "unsubscribe", {"panel": "p"})
