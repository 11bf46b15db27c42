"""What is asked of a trace: exact numbers, refusals and cancellation."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from attnlab.server.messages import ErrorCode
from attnlab.traces.cancellation import CancelledError
from attnlab.traces.trace import Trace
from tests.panel import numbers
from tests.unit.page import HEADS, PATIENCE, SITES, Page, call, code, expected
from tests.unit.page import page as page


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
