"""The protocol's one source, its TypeScript twin, and the check of what a panel sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attnlab.server import typescript
from attnlab.server.messages import Envelope, SubscribeParams, TraceSummary
from attnlab.server.protocol.validation import MisfitError, check

GOOD: dict[str, Any] = {
    "panel": "p",
    "size": 48,
    "item": 0,
    "focus": {"site": 1, "head": 2},
    "query": None,
    "heads": [],
    "neuron": False,
    "pinned": None,
}


def test_the_committed_typescript_is_what_the_python_source_generates() -> None:
    assert typescript.TARGET.read_text(encoding="utf-8") == typescript.generate()


def test_the_check_fails_when_the_typescript_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(typescript, "TARGET", tmp_path / "messages.ts")
    assert typescript.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert typescript.main([]) == 0
    assert typescript.main(["--check"]) == 0


def test_every_kind_of_type_has_its_typescript_form() -> None:
    text = typescript.generate()
    for line in (
        "  kind: 'encoder' | 'decoder' | 'cross';",
        "  text?: string;",
        "  focus: Focus | null;",
        "  id: number | string;",
        "  rpc: Record<string, unknown>;",
        "  tokens: Token[];",
        "  state: { params: null; result: State };",
        "  '$/cancelRequest': CancelParams;",
        "  TRACE_GONE: -32011,",
    ):
        assert line + "\n" in text


def test_a_type_without_a_typescript_form_is_an_error() -> None:
    with pytest.raises(TypeError, match="bytes"):
        typescript.type_of(bytes)


def test_valid_params_pass() -> None:
    check(GOOD, SubscribeParams, "params")
    check({**GOOD, "focus": None, "query": 3}, SubscribeParams, "params")


def test_fields_of_a_newer_panel_are_allowed() -> None:
    check({**GOOD, "hover": True}, SubscribeParams, "params")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"panel": 7}, "params.panel must be a string, not 7"),
        ({"size": "48"}, "params.size must be an integer, not '48'"),
        ({"size": 4.5}, "params.size must be an integer, not 4.5"),
        ({"size": True}, "params.size must be an integer, not True"),
        ({"size": None}, "params.size must be an integer, not null"),
        ({"focus": {"site": 1}}, "params.focus.head is missing; it must be an integer"),
        ({"focus": {"site": 1, "head": "x"}}, "params.focus.head must be an integer, not 'x'"),
        ({"focus": []}, r"params.focus must be an object \(Focus\) or null, not \[\]"),
        ({"query": {}}, "params.query must be an integer or null, not {}"),
    ],
)
def test_an_invalid_value_is_refused_with_the_name_of_its_field(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(MisfitError, match=message):
        check({**GOOD, **change}, SubscribeParams, "params")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MisfitError, match=r"params\.panel is missing; it must be a string"):
        check({}, SubscribeParams, "params")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_message_that_is_not_an_object_is_refused(value: Any) -> None:
    with pytest.raises(MisfitError, match=r"envelope must be an object \(Envelope\)"):
        check(value, Envelope, "envelope")


def test_the_position_in_a_list_is_named() -> None:
    summary: dict[str, list[Any]] = {name: [] for name in ("sequences", "sites")}
    texts = {"id": "t", "cell": "c", "model": "M"}
    numbers = {"execution": 1, "call": 0, "calls": 1, "items": 1, "item": 0, "milliseconds": 1}
    with pytest.raises(MisfitError, match=r"trace.notes\[1\] must be a string, not 3"):
        check({**summary, **texts, **numbers, "notes": ["a", 3]}, TraceSummary, "trace")
