"""The texts found in an edited cell without running it equal those when it runs."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.live.findings import Finding
from attnlab.live.texts.arguments import TextArguments
from attnlab.live.texts.paths import node_at, path_to


class Kernel:
    """Runs a cell as a notebook does, and records the arguments and positions of its calls."""

    def __init__(self, **names):
        self.names = names | {"tokenizer": self.tokenizer, "model": self.model, "load": lambda: "x"}
        self.given, self.options, self.place = None, None, None

    def tokenizer(self, text, **options):
        self.given, self.options = {"text": text}, options
        frame = sys._getframe(1)
        while frame.f_code.co_filename != "cell":
            assert frame.f_back is not None
            frame = frame.f_back
        positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        first, last, start, end = (own for own in positions if own is not None)
        self.place = (first, last, start, end)
        self.arguments = None
        try:
            self.arguments = TextArguments.of(self.tree, self.place, self.given, self.names)
        except Finding as why:
            self.why = why
        return {"ids": text}

    def model(self, *args, **options):
        self.called = options

    def run(self, source):
        self.tree = ast.parse(source)
        exec(compile(source, "cell", "exec"), self.names)
        return self


def reread(old, new, **names):
    kernel = Kernel(**names).run(old)
    if kernel.arguments is None:
        raise kernel.why
    models = [
        path_to(kernel.tree, node)
        for node in ast.walk(kernel.tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "model"
    ]
    return kernel.arguments.reread(ast.parse(new), kernel.names, models)["text"]


LIVE = {
    "a literal": ("model(tokenizer('a'))", "model(tokenizer('a cat'))"),
    "a name": ("t = 'a'\nmodel(tokenizer(t))", "t = 'a cat'\nmodel(tokenizer(t))"),
    "an f-string": ("t = f'a {n}'\ntokenizer(t)", "t = f'{n} sees a {n} cat'\ntokenizer(t)"),
    "several names": (
        "a = 'x'\nb = 'y'\nt = a + b\ntokenizer(t)",
        "a = 'p'\nb = 'q'\nt = a + b\ntokenizer(t)",
    ),
    "a list with an item more": ("tokenizer(['a', 'b'])", "tokenizer(['a', 'b', 'c'])"),
    "a list with an item less": ("tokenizer(['a', 'b'])", "tokenizer(['a'])"),
    "from a literal to a sum": ("tokenizer('a')", "tokenizer('a' + n)"),
    "from one name to another": ("s = 'x'\ntokenizer('a')", "s = 'x'\ntokenizer('a' + s)"),
    "format": ("tokenizer('a {}'.format(n))", "tokenizer('b {} c'.format(n))"),
    "percent": ("tokenizer('a %s' % n)", "tokenizer('b %s' % (n,))"),
    "added to": ("t = 'a'\nt += ' b'\ntokenizer(t)", "t = 'c'\nt += ' d'\ntokenizer(t)"),
    "appended": ("t = []\nt.append('a')\ntokenizer(t)", "t = ['x']\nt.append('b')\ntokenizer(t)"),
    "a keyword": ("tokenizer(text='a', pad=1)", "tokenizer(text='b', pad=1)"),
    "messages": (
        "m = [{'role': 'user', 'content': 'a'}]\ntokenizer(m)",
        "m = [{'role': 'user', 'content': 'b'}, {'role': 'system', 'content': n}]\ntokenizer(m)",
    ),
    "comments and blank lines": ("t = 'a'\ntokenizer(t)", "# new\n\nt = 'b'  # cat\ntokenizer(t)"),
    "other quotes": ("t = 'a'\ntokenizer(t)", 't = """\nb\n"""\ntokenizer(t)'),
    "printed": ("t = 'a'\nprint(len(t))\ntokenizer(t)", "t = 'b'\nprint(len(t))\ntokenizer(t)"),
    "a text that is also counted": (
        "t = 'a'\nn_words = len(t)\ntokenizer(t)",
        "t = 'ab'\nn_words = len(t)\ntokenizer(t)",
    ),
    "in a with statement": (
        "with nothing:\n    tokenizer('a')",
        "with nothing:\n    tokenizer('b')",
    ),
    "unicode before the call": ("é = '🌍'; tokenizer('a')", "é = '🌍'; tokenizer('ü')"),
    "over several lines": ("tokenizer(\n    'a'\n    'b'\n)", "tokenizer(\n    'a c'\n    'b'\n)"),
    "a method": ("tokenizer('A'.lower())", "tokenizer(' B '.strip().lower())"),
    "a comprehension": (
        "tokenizer([f'{w}!' for w in ['a', 'b']])",
        "tokenizer([f'{w}?' for w in ['a', 'c', 'd']])",
    ),
    "nothing changed": ("tokenizer('a')", "tokenizer('a')"),
}


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(("old", "new"), LIVE.values(), ids=LIVE)
def test_an_edited_text_gives_the_same_as_running_the_cell(old, new):
    names = {"n": "Ada", "nothing": Nothing()}
    kernel = Kernel(**names).run(new)
    assert reread(old, new, **names) == kernel.given["text"]


REFUSED = {
    "another model": (
        "tokenizer('a')\nm = 'x'",
        "tokenizer('b')\nm = 'y'",
        "more than the text",
        2,
    ),
    "another option": ("tokenizer('a', n=1)", "tokenizer('a', n=2)", "more than the text", 1),
    "a line more": ("tokenizer('a')", "x = 1\ntokenizer('a')", "more than the text", 1),
    "an option that follows from the text": (
        "t = 'a'\ntokenizer(t, n=len(t))",
        "t = 'ab'\ntokenizer(t, n=len(t))",
        "`t` also depends on the text",
        2,
    ),
    "by another name": (
        "t = 'a'\nu = t + '!'\nk = len(u)\ntokenizer(t, n=k)",
        "t = 'ab'\nu = t + '!'\nk = len(u)\ntokenizer(t, n=k)",
        "`k` also depends on the text",
        4,
    ),
    "the model's option": (
        "t = 'a'\nx = tokenizer(t)\nk = len(t)\nmodel(x, n=k)",
        "t = 'ab'\nx = tokenizer(t)\nk = len(t)\nmodel(x, n=k)",
        "`k` also depends on the text",
        4,
    ),
    "decided by the text": (
        "t = 'a'\nk = 1\nif len(t) > 1:\n    k = 2\nmodel(tokenizer(t), n=k)",
        "t = 'ab'\nk = 1\nif len(t) > 1:\n    k = 2\nmodel(tokenizer(t), n=k)",
        "`k` also depends on the text",
        5,
    ),
    "a text from a call": (
        "t = load()\ntokenizer(t)",
        "t = load()\ntokenizer(t)",
        "result of `load`",
        1,
    ),
    "a loop": ("for t in ['a']:\n    tokenizer(t)", "", "comes from a loop", 1),
    "a function": ("def f():\n    tokenizer('a')\nf()", "", "another text|from a function", 3),
    "a text that the call changes": (
        "def f(t):\n    tokenizer(t + '!')\nf('a')",
        "",
        "function of the cell|another text",
        3,
    ),
    "a name that is no text": ("tokenizer('a')", "tokenizer(nothing)", "is unknown", 1),
    "a broken literal": ("tokenizer('a')", "tokenizer('a' + 1)", "TypeError", 1),
}


@pytest.mark.parametrize(("old", "new", "why", "line"), REFUSED.values(), ids=REFUSED)
def test_values_that_need_a_run_are_refused_with_their_position(old, new, why, line):
    with pytest.raises(Finding, match=why) as found:
        reread(old, new, nothing=Nothing())
    assert found.value.line in (line, 1)


def test_a_helper_of_an_earlier_cell_is_followed_to_the_cell():
    kernel = Kernel()
    exec("def encode(text):\n    return tokenizer(text)", kernel.names)
    kernel.run("encode('a')")
    assert kernel.arguments is not None
    assert kernel.arguments.reread(ast.parse("encode('b')"), kernel.names, []) == {"text": "b"}


def test_a_path_leads_only_to_its_node():
    tree = ast.parse("a = f(1, g(2))\nb = 3")
    for node in ast.walk(tree):
        if node is not tree and not isinstance(node, ast.expr_context):
            assert node_at(tree, path_to(tree, node)) is node
    with pytest.raises(LookupError):
        path_to(tree, ast.parse("c"))
    assert node_at(tree, [("body", 7)]) is None
    assert node_at(tree, [("body", 0), ("nothing", None)]) is None


lines = st.sampled_from(
    [
        "a = '{}'",
        "a = '{}' + b",
        "b = a",
        "b += '{}'",
        "k = len(a)",
        "k = len(b)",
        "j = k",
        "k = j + 1",
        "print(a)",
        "if k > 2:\n    b = '{}'",
        "if len(a) > 2:\n    k = 7",
        "for _ in a:\n    j = j + 1",
        "c = [a, '{}']",
        "c.append(b)",
        "k = len('{}')",
    ]
)
words = st.sampled_from(["x", "xyz"])
ENDS = ["model(tokenizer(a), n=k)", "model(tokenizer(a, k=k, j=j))", "x = tokenizer(c)\nmodel(x)"]


@given(cell=st.lists(st.tuples(lines, words, words), max_size=6), end=st.sampled_from(ENDS))
@settings(deadline=None, max_examples=800)
def test_every_live_result_equals_a_run(cell, end):
    first = ["a = 'm'", "b = 'n'", "k = 1", "j = 2", "c = []"]
    old = "\n".join([*first, *[line.format(entry) for line, entry, _ in cell], end])
    new = "\n".join([*first, *[line.format(entry) for line, _, entry in cell], end])
    try:
        found = reread(old, new)
    except Finding:
        return
    before, after = Kernel().run(old), Kernel().run(new)
    assert found == after.given["text"]
    assert before.options == after.options
    assert before.called == after.called
