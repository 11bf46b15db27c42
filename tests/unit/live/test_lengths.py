"""Texts that are too long are rejected before they are processed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from attnlab.live.findings import Finding, TooLongError
from attnlab.live.texts.limits import LONGEST, MOST, check_texts
from attnlab.live.values.budget import Budget
from tests.unit.live.test_chat_templates import tokenizer
from tests.unit.page import Page
from tests.unit.page import page as page


def change(page: Page, version: int, *changes: dict[str, Any], base: int = 0) -> dict[str, Any]:
    """Edit a cell, and return the response."""
    params = {"cell": "c", "base": base, "version": version, "changes": [*changes], "limit": 1024}
    return page.ask("textDocument/didChange", params)[0]


@pytest.fixture
def unparsed(page: Page, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A page on which no text may be parsed or processed."""

    def used(*_: Any) -> None:
        raise AssertionError("the text was used")

    page.initialize()
    monkeypatch.setattr(page.endpoint.passes, "submit", used)
    monkeypatch.setattr("ast.parse", used)
    return page


@pytest.mark.parametrize("text", ["a" * 10**6, "é🐈" * 10**6, "1,\n" * 10**6, "!ls\n" * 10**6])
def test_a_long_cell_is_refused_unread(unparsed: Page, text: str) -> None:
    for method in ("textDocument/didOpen", "textDocument/didChange"):
        result = (
            unparsed.ask(method, {"cell": "c", "version": 1, "text": text})[0]
            if method.endswith("Open")
            else change(unparsed, 1, {"text": text})
        )["result"]
        (said,) = result["diagnostics"]
        assert (result["live"], said["code"]) == (False, "long")
        assert f"{LONGEST:,}" in said["message"]
        assert "run the cell" in said["message"]


def test_a_long_paste_is_refused_and_its_undo_is_sent_whole(unparsed: Page) -> None:
    unparsed.ask("textDocument/didOpen", {"cell": "c", "version": 1, "text": "x"})
    paste = {"span": {"start": 1, "end": 1}, "text": "a" * 10**6}
    assert change(unparsed, 2, paste, base=1)["result"]["diagnostics"][0]["code"] == "long"
    undo = {"span": {"start": 1, "end": 10**6 + 1}, "text": ""}
    assert "send the whole text" in change(unparsed, 3, undo, base=2)["error"]["message"]


class Never:
    """A tokenizer that must not be called."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.mark.parametrize(
    "texts",
    [
        {"text": "a" * (LONGEST + 1)},
        {"text": ["a" * 999] * 200},
        {"text": "a" * LONGEST, "text_pair": "b"},
    ],
)
def test_long_texts_are_refused_before_the_tokenizer_runs(texts: Any) -> None:
    with pytest.raises(TooLongError, match=f"{LONGEST:,}"):
        check_texts(called(["a"]), [texts], Budget())


def called(texts: list[str]) -> Any:
    """Create a feed with texts."""
    call = SimpleNamespace(tokenizer=Never(), method="__call__", texts={"text": texts})
    return SimpleNamespace(tokenized=[call])


def test_a_batch_grows_to_a_limit_or_to_what_has_run() -> None:
    check_texts(called(["a"]), [{"text": ["a"] * MOST}], Budget())
    with pytest.raises(TooLongError, match=str(MOST)):
        check_texts(called(["a"]), [{"text": ["a"] * (MOST + 1)}], Budget())
    check_texts(called(["a"] * 999), [{"text": ["b"] * 999}], Budget())


def chatting(template: str) -> Any:
    """Create a feed with a conversation."""
    chat = tokenizer(chat_template=template)
    options = {"return_tensors": "pt"}
    call = SimpleNamespace(tokenizer=chat, method="apply_chat_template", options=options, texts={})
    return SimpleNamespace(tokenized=[call])


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for i in range(messages[0].content|int) %}a long text{% endfor %}", "99,000|steps"),
        ("{{ 'a' * messages[0].content|int * 2 }}", "conversation is rendered as"),
        ("{{ 'a' * messages[0].content|int ** 2 }}", "would create a text"),
    ],
)
def test_a_rendered_conversation_is_checked_before_it_is_tokenized(template: str, why: str) -> None:
    feed, typed = chatting(template), [{"role": "user", "content": "99000"}]
    with pytest.raises(Finding, match=why):
        check_texts(feed, [{"conversation": typed}], Budget())
    typed[0]["content"] = "9"
    check_texts(feed, [{"conversation": typed}], Budget())
