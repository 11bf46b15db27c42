"""The values of a cell's names at one of its calls equal those when the cell runs."""

from __future__ import annotations

import ast
import contextlib
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.statements import names_at
from attnlab.live.findings import Finding

HELD = {"name": "Ada", "names": ["Ada", "Bob"], "tokenizer": object(), "load": lambda: "loaded"}


def followed(source, **held):
    """Find the argument of the cell's only call of `seen`, without running it."""
    tree = ast.parse(textwrap.dedent(source))
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "seen"
    )
    return evaluate(call.args[0], names_at(tree, call, HELD | held))


def run(source, **held):
    """Run the cell, and return the argument of its last call of `seen`."""
    given: list[Any] = []
    space = dict(HELD | held, seen=given.append, nothing=contextlib.nullcontext())
    exec(compile(textwrap.dedent(source), "cell", "exec"), space)
    return given[-1]


KNOWN = {
    "a literal": "seen('a cat')",
    "a name of the cell": "text = 'a cat'\nseen(text)",
    "the newest value of a name": "text = 'a'\ntext = text + ' cat'\nseen(text)\ntext = 'later'",
    "an earlier cell's name": "seen(f'hello {name}')",
    "a name that the cell then changes": "seen(name)\nother = 'x'",
    "added to": "text = 'a'\ntext += ' cat'\nseen(text)",
    "several names": "a, (b, c) = 'x', ('y', 'z')\nd = e = a + b + c\nseen(d + e)",
    "annotated": "text: str = 'a cat'\nseen(text)",
    "appended": "texts = ['a']\ntexts.append('b')\ntexts.extend(names)\nseen(texts)",
    "printed meanwhile": "texts = ['a']\nprint(texts)\nseen(texts)",
    "in a with statement": "text = 'a'\nwith nothing:\n    text = text + 'b'\n    seen(text)",
    "after a with statement": "with nothing:\n    text = 'a'\nseen(text)",
    "in a try statement": "try:\n    text = 'a'\n    seen(text)\nfinally:\n    pass",
    "where a condition holds": "if name:\n    text = 'a'\nelse:\n    text = 'b'\nseen(text)",
    "in a condition that holds": "if name:\n    seen(name + '!')",
    "an import in the cell": "import textwrap\nseen(textwrap.dedent('  a'))",
    "in a call of a call": "print(seen('a' + name))",
    "after what is not known": "inputs = tokenizer\nlength = id(inputs)\ntext = 'a'\nseen(text)",
    "a comprehension": "seen([f'{n}!' for n in names])",
    "deleted and made again": "text = 'a'\ndel text\ntext = 'b'\nseen(text)",
}


@pytest.mark.parametrize("source", KNOWN.values(), ids=KNOWN)
def test_a_cell_without_branches_is_evaluated(source):
    assert followed(source, textwrap=textwrap) == run(source)


UNKNOWN = {
    "a loop": ("for text in ['a']:\n    seen(text)", "comes from a loop", 1),
    "a comprehension around it": ("[seen(t) for t in names]", "comes from a loop", 1),
    "while": ("while name:\n    seen(name)\n    break", "comes from a loop", 1),
    "a function": ("def f():\n    seen('a')\nf()", "comes from a function", 1),
    "a lambda": ("(lambda: seen('a'))()", "comes from a function", 1),
    "a condition": ("if load():\n    seen('a')", "depends on a condition", 1),
    "a condition's other side": (
        "if name:\n    pass\nelse:\n    seen('a')",
        "branch that is not run",
        1,
    ),
    "a handler": ("try:\n    1 / 0\nexcept Exception:\n    seen('a')", "depends on a cond", 1),
    "a name from a loop": ("for text in ['a']:\n    pass\nseen(text)", "`text`.*loop", 1),
    "a name from a condition": ("text = 'a'\nif load():\n    text = 'b'\nseen(text)", "cond", 3),
    "appended in a loop": (
        "texts = []\nfor n in names:\n    texts.append(n)\nseen(texts)",
        "loop",
        3,
    ),
    "sorted in place": ("texts = ['b', 'a']\ntexts.sort()\nseen(texts)", "may have changed", 2),
    "shuffled": ("texts = ['b']\nprint()\nid(texts)\nlist(texts)\nseen(texts)", "changed", 3),
    "changed in place": ("d = {'k': 'a'}\nd['k'] = 'b'\nseen(d)", "value of .* cannot be", 2),
    "a call": ("text = load()\nseen(text)", "the result of `load`", 1),
    "what a with gives": ("with open('x') as text:\n    pass\nseen(text)", "with statement", 1),
    "in a handler": ("try:\n    t = 'a'\nexcept E:\n    t = 'b'\nseen(t)", "exception", 4),
    "assigned in an expression": ("print(text := load())\nseen(text)", "cannot be evaluated", 1),
    "deleted": ("text = 'a'\ndel text\nseen(text)", "`text`", 2),
    "the cell's own function": ("def f():\n    pass\nseen(f)", "function of the cell", 1),
    "too few values": (
        "a, b = names + names\nseen(a)",
        "4 values cannot be assigned to 2 names",
        1,
    ),
    "another name of it": ("a = b = []\na.append('x')\nseen(b)", "may be `a`", 1),
    "an earlier cell's, appended to": ("names.append('x')\nseen(names)", "changed", 1),
    "an earlier cell's, added to": ("names[0] = 'x'\nseen(names)", "value of .* cannot be", 1),
    "a later value of the kernel's": ("text = load()\nseen(text)", "the result of `load`", 1),
}


@pytest.mark.parametrize(("source", "why", "line"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_cell_that_is_not_live_reports_why_and_where(source, why, line):
    with pytest.raises(Finding, match=why) as found:
        followed(source, text="of the last run")
    assert found.value.line == line


simple = st.sampled_from(
    [
        "a = 'x'",
        "a = a + b",
        "b = a * 2",
        "a, b = b, a",
        "a += 'y'",
        "c = [a, b]",
        "c.append(b)",
        "c = c + [a]",
        "b = c[-1]",
        "print(c)",
        "c.reverse()",
        "d = c",
        "c.extend([b, b])",
        "del c",
        "import os",
        "a = str(len(c))",
    ]
)
blocks = st.recursive(
    st.lists(simple, min_size=1, max_size=4),
    lambda inner: st.tuples(
        st.sampled_from(
            ["with nothing:", "if len(a) > 2:", "if load():", "for _ in range(2):", "try:"]
        ),
        inner,
    ).map(
        lambda value: (
            [value[0], *[f"    {line}" for line in value[1]]]
            + (["except ZeroDivisionError:", "    a = 'never'"] if value[0] == "try:" else [])
        )
    ),
    max_leaves=3,
)


@given(parts=st.lists(blocks, max_size=5), asked=st.sampled_from("abcd"))
@settings(deadline=None, max_examples=400)
def test_every_known_value_is_correct(parts, asked):
    lines = ["a, b, c, d = 'p', 'q', [], []", *[line for part in parts for line in part]]
    source = "\n".join([*lines, f"seen({asked})"])
    try:
        found = followed(source)
    except Finding:
        return
    try:
        truth = run(source)
    except (IndexError, NameError):
        return  # such a cell is not run to its end
    assert found == truth
