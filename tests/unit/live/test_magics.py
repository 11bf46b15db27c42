"""Typed cells are converted to Python without IPython's shell, which may run user code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from attnlab.live.findings import Finding, TooLongError
from attnlab.live.source import magics
from attnlab.live.source.magics import code_of
from attnlab.live.source.script import Script, SyntaxFinding
from tests.unit.tripwire import TRIPPED, wires

LINES = [
    *("x = 1", "", "  ", "%matplotlib inline", "y = !ls", "z = %pwd", "!ls {x}", "x?", "?x"),
    *("if x:", "    y = 2", "t = '''", ">>> a", "... b", "'''", "await f()", "# é 🐈", "%%time"),
    *("f(", ")", "model(**tok('a'))", "In [1]: x", "x = 1;", "\tz = 3", "t = 'a\\", "b'", "/f x"),
]


SHELL: Any = InteractiveShell()


@given(lines=st.lists(st.sampled_from(LINES), min_size=2, max_size=6))
@settings(deadline=None, max_examples=300)
def test_a_cell_becomes_what_the_shell_makes_of_it(lines: list[str]) -> None:
    text = "\n".join([*lines, "x = 2"])
    try:
        expected = SHELL.transform_cell(text)
    except SyntaxError:
        with pytest.raises(SyntaxError):
            code_of(text)
    else:
        assert code_of(text).rstrip("\n") == expected.rstrip("\n")


@pytest.mark.parametrize("kind", wires())
def test_a_typed_name_is_not_looked_up(kind: str) -> None:
    script = Script.of("x = 1\ny = 2", SHELL.transform_cell)
    SHELL.user_ns["tok"] = wires()[kind]
    TRIPPED.clear()
    for text in ("tok.boom", "tok.boom(1)", "tok", "tok.boom.more 1", "tok.boom?", "x = 1\ny = 3"):
        try:
            script.edited(text, SHELL.transform_cell)
        except SyntaxFinding:
            continue
    assert not TRIPPED
    del SHELL.user_ns["tok"]


def test_a_transformer_of_a_user_does_not_run_on_typed_text() -> None:
    seen: list[Any] = []

    def transformer(lines: list[str]) -> list[str]:
        seen.append(lines)
        return lines

    script = Script.of("x = 1\ny = 2", SHELL.transform_cell)
    for added in (SHELL.input_transformers_post, SHELL.input_transformers_cleanup):
        added.append(transformer)
        with pytest.raises(Finding, match="input transformers"):
            script.edited("x = 1\ny = 3", SHELL.transform_cell)
        added.remove(transformer)
    assert not seen
    assert script.edited("x = 1\ny = 3", SHELL.transform_cell).code == "x = 1\ny = 3\n"


def test_other_changes_of_a_cell_are_not_guessed() -> None:
    script = Script.of("x = 1", lambda text: text.replace("1", "2"))
    with pytest.raises(Finding, match="custom transformation"):
        script.edited("x = 3", lambda text: text)


def test_many_magics_in_a_long_cell_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(magics, "_manager", None)
    with pytest.raises(TooLongError, match="magics"):
        code_of("!ls\n" * 30_000)
