"""attnlab's server, spoken to by vscode-jsonrpc, the client of language servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attnlab.server.messages import PROTOCOL, REQUESTS, ErrorCode
from attnlab.server.protocol.validation import check

ROOT = Path(__file__).parents[2]
HOSTILE = 10_000


@pytest.fixture(scope="module")
def found() -> Any:
    """Return what the client has found."""
    node = shutil.which("node")
    assert node, "the tests need Node"
    client = Path(__file__).parent / "client.mjs"
    command = [node, str(client), sys.executable, str(HOSTILE), str(PROTOCOL)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_client_that_has_not_initialized_gets_an_error(found: Any) -> None:
    assert found["early"]["code"] == ErrorCode.NOT_INITIALIZED


def test_a_client_that_has_left_must_initialize_again(found: Any) -> None:
    assert found["left"]["code"] == ErrorCode.NOT_INITIALIZED


def test_every_request_is_answered_with_its_result(found: Any) -> None:
    rest = {"initialize", "subscribe", "unsubscribe"}
    assert set(found["answers"]) | rest == set(REQUESTS)
    check(found["initialize"], REQUESTS["initialize"][1], "result")
    for method, result in found["answers"].items():
        hint = REQUESTS[method][1]
        if hint is None:
            assert result is None
        else:
            check(result, hint, method)


def test_an_edited_document_is_live_and_pushed_before_its_answer(found: Any) -> None:
    answer = found["answers"]["textDocument/didChange"]
    assert answer["live"]
    assert answer["version"] == 2
    assert any({"source", "trace"} <= set(keys) for keys in found["pushed"])


def test_a_cancelled_request_is_answered_as_cancelled(found: Any) -> None:
    # One that was answered before the cancel came has its result.
    assert found["cancelled"] is None or (found["cancelled"]["code"] == ErrorCode.REQUEST_CANCELLED)


def test_only_the_last_of_several_edits_counts(found: Any) -> None:
    *lost, last = found["superseded"]
    assert last is None
    assert {entry["code"] for entry in lost if entry is not None} <= {ErrorCode.CONTENT_MODIFIED}


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("unknown", ErrorCode.METHOD_NOT_FOUND, "no/such"),
        ("misfit", ErrorCode.INVALID_PARAMS, "head"),
        ("beyond", ErrorCode.NO_SUCH_HEAD, "99"),
    ],
)
def test_errors_have_their_codes(found: Any, what: str, code: ErrorCode, said: str) -> None:
    assert found[what]["code"] == code
    assert said in found[what]["message"]


def test_after_each_hostile_message_the_next_request_is_answered(found: Any) -> None:
    hostile = found["hostile"]
    assert hostile["sent"] > 0.9 * HOSTILE
    assert hostile["valid"] == hostile["sent"]
    assert hostile["failed"] == 0
    assert hostile["unanswered"] == 0
    assert hostile["strangers"] == []
