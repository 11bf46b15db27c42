"""A call is located in the cell that runs: its node, and the functions in between."""

from __future__ import annotations

import ast
import textwrap
from types import FunctionType
from typing import Any

import pytest
import torch

from attnlab.capture.feed.callsite import callsite


def ran(code, **names):
    """Run a cell in which ``seen(…)`` notes where it is called from; return the notes."""
    noted = []
    names |= {"__name__": "__main__", "torch": torch}

    def seen(*_args, **_kwargs):
        noted.append(callsite(names))
        return "text"

    # Functions of the watcher, a known library.
    names["seen"] = FunctionType(
        seen.__code__, {**globals(), "__name__": "attnlab.watch"}, None, None, seen.__closure__
    )
    code = textwrap.dedent(code)
    exec(compile(code, "<ipython-input-1>", "exec"), names)
    return code, noted


def node(code, place):
    """Return the source of the call at a position in the cell."""
    first, last, start, end = place.position
    found = [
        entry
        for entry in ast.walk(ast.parse(code))
        if isinstance(entry, ast.Call)
        and (entry.lineno, entry.end_lineno, entry.col_offset, entry.end_col_offset)
        == (first, last, start, end)
    ]
    assert len(found) == 1, place
    return ast.get_source_segment(code, found[0])


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("seen('a')", ["seen('a')"]),
        ("x = seen('a'); y = seen('b')", ["seen('a')", "seen('b')"]),
        ("seen(seen('a'), seen('b'))", ["seen('a')", "seen('b')", "seen(seen('a'), seen('b'))"]),
        ("x = [seen('é'), seen('😀'), seen('c')]", ["seen('é')", "seen('😀')", "seen('c')"]),
        ("if True:\n  seen(\n    'a',\n    'b',\n  )", ["seen(\n    'a',\n    'b',\n  )"]),
        ("with torch.no_grad():\n    seen(seen('a')).upper()", ["seen('a')", "seen(seen('a'))"]),
        ("seen('a').join([seen('b')])", ["seen('a')", "seen('b')"]),
        ("for x in range(2):\n    seen(x)", ["seen(x)", "seen(x)"]),
    ],
)  # fmt: skip
def test_the_position_is_that_of_the_call(code, written):
    code, noted = ran(code)
    assert [node(code, place) for place in noted] == written
    assert [place.through for place in noted] == [""] * len(noted)
    assert all(place.filename == "<ipython-input-1>" for place in noted)


@pytest.mark.parametrize(
    ("code", "written", "through"),
    [
        ("def f(x):\n    return seen(x)\nf('a')", "f('a')", "f"),
        ("def f(x):\n    return seen(x)\ndef g(x):\n    return f(x)\ng('a')", "g('a')", "g"),
        ("f = lambda x: seen(x)\nf('a')", "f('a')", "<lambda>"),
        ("f = torch.no_grad()(lambda x: seen(x))\nf('a')", "f('a')", "<lambda>"),
        ("class A:\n    def go(self):\n        seen('a')\nA().go()", "A().go()", "go"),
        ("exec('seen(1)')", "exec('seen(1)')", "<module>"),
        ("exec(compile('x = seen(1)', '<timed exec>', 'exec'))",
         "exec(compile('x = seen(1)', '<timed exec>', 'exec'))", "<module>"),
    ],
)  # fmt: skip
def test_a_function_in_between_is_named_and_the_position_is_its_call(code, written, through):
    code, (place,) = ran(code)
    assert node(code, place) == written
    assert place.through == through


def test_a_module_of_a_library_in_between_is_not_a_function_of_the_user():
    code, (place,) = ran("net = torch.nn.Softmax()\nnet.forward = seen\nnet('a')")
    assert node(code, place) == "net('a')"
    assert place.through == ""


def test_outside_a_cell_there_is_no_position():
    assert callsite({}) is None


def test_a_cell_with_other_names_is_not_mistaken_for_the_watched_one():
    noted = []
    names = {"seen": lambda: noted.append(callsite({}))}
    exec("seen()", names)
    assert noted == [None]


def test_code_without_positions_has_no_callsite():
    noted = []
    names: dict[str, Any] = {"__name__": "__main__"}
    names["seen"] = lambda: noted.append(callsite(names))
    code = compile("seen()", "<cell>", "exec")
    exec(code.replace(co_linetable=b""), names)
    assert noted == [None]
