"""Clients: what they are told first, which are refused, and which messages are ignored."""

from __future__ import annotations

from typing import Any

import pytest

from attnlab.server.messages import PROTOCOL, ErrorCode
from attnlab.server.session.clients import MAX_CLIENTS
from tests.unit.page import Page, call, code
from tests.unit.page import page as page


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
