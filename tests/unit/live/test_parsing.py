"""Reading a cell's text has no effect on the warnings and the syntax trees of other threads."""

from __future__ import annotations

import ast
import gc
import warnings
from typing import Any

import pytest

from attnlab.live.source.parsing import parse
from attnlab.live.source.script import Script

ESCAPE = r"'\d\w'"
"""Python warns of the escape sequence when it parses this."""

LONG = "\n".join(f"model(tok('a'), [{at}, {{'b': {at}}}])" for at in range(2000))


def test_a_filter_that_another_thread_sets_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    actual = ast.parse

    def interrupted(code: str) -> Any:
        warnings.filterwarnings("ignore", "of another thread")
        return actual(code)

    with warnings.catch_warnings():
        monkeypatch.setattr(ast, "parse", interrupted)
        filters = warnings.filters
        Script.of("a = 1")
        assert warnings.filters is filters
        assert filters[0][1].pattern == "of another thread"  # type: ignore[union-attr]


@pytest.mark.parametrize("action", ["always", "default", "once"])
def test_a_warning_is_shown_when_the_cell_runs_and_not_before(action: Any) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter(action)
        parse(ESCAPE)
        Script.of(ESCAPE)
        assert not shown
        compile(ESCAPE, "<cell>", "exec")
        assert len(shown) == 1


def test_a_text_is_parsed_while_another_thread_parses() -> None:
    # In Python 3.11, the garbage collector may run while a tree is made, and let another thread
    # run. All threads count the depth of their trees in one number.
    def collected(phase: str, _: Any) -> None:
        if phase == "start" and gc.callbacks:
            gc.callbacks.remove(collected)
            ast.parse("f(1)")

    threshold = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(collected)
    gc.set_threshold(50)
    try:
        tree = parse(LONG)
    finally:
        gc.set_threshold(*threshold)
    assert collected not in gc.callbacks
    assert ast.dump(tree) == ast.dump(ast.parse(LONG))
