"""Typed text never runs user code and never exceeds its budget."""

from __future__ import annotations

import ast
import contextlib
import re
import textwrap
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.statements import names_at
from attnlab.live.findings import Finding
from attnlab.live.texts.arguments import TextArguments
from attnlab.live.texts.origins import origins
from attnlab.live.values.budget import Budget
from tests.unit.memory import at_most
from tests.unit.tripwire import TRIPPED, wires

MEMORY = 96 << 20
"""Memory for more than all characters of a budget, with up to four bytes each."""

WIRES = wires()

CALL = "tok(text)"


def typed(source: str, held: dict[str, Any], budget: Budget | None = None) -> Any:
    """Find the argument of the call of `tok` in a cell."""
    tree = ast.parse(source)
    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tok"
    )
    budget = budget or Budget()
    return evaluate(call.args[0], names_at(tree, call, held, budget), budget)


POSITIONS = [
    *("x", "[x]", "(x, 'a')", "{'k': x}", "{x: 'k'}", "{**x}", "[*x]", "f'{x}'", "f'{x!r:>{x}}'"),
    *("'{}'.format(x)", "'{0.boom}'.format(x)", "'{0[k]}'.format(x)", "'{x.boom}'.format(x=x)"),
    *("'{x}'.format_map({'x': x})", "'{x}'.format_map(x)", "'{:{}}'.format('a', x)", "x.format()"),
    *("'%s' % x", "'%s' % (x,)", "'%(k)s' % x", "'%*d' % (x, 1)", "x % 'a'", "'a' * x", "x * 3"),
    *("'a' + x", "x + 'a'", "x + x", "[1] + x", "-x", "not x", "x and 'a'", "x or 'a'", "x ** 2"),
    *("x == 'a'", "'a' == x", "x != x", "'a' in x", "x in 'a'", "x in ['a']", "x < 2", "2 < x"),
    *("'a' if x else 'b'", "x['k']", "x[0]", "x[1:]", "'abc'[x]", "'abc'[:x]", "{'a': 'b'}[x]"),
    *("x()", "x(1)", "x.boom", "x.boom()", "x.content", "x.mask_token", "x.upper()", "x.get('k')"),
    *("x.apply_chat_template([{'content': 'a'}], tokenize=False)", "'a'.join(x)", "'a'.join([x])"),
    *("str(x)", "repr(x)", "len(x)", "list(x)", "tuple(x)", "dict(x)", "int(x)", "float(x)"),
    *("bool(x)", "abs(x)", "round(x)", "round(1, x)", "sorted(x)", "sorted([x, x])", "min(x)"),
    *("max([x], default=x)", "sum(x)", "sum([1], x)", "range(x)", "zip(x)", "list(enumerate(x))"),
    *("reversed(x)", "str.upper(x)", "sorted(['a'], key=x)", "str(**x)", "str(*x)", "str(k=x)"),
    *("[i for i in x]", "['a' for i in 'a' if x]", "[x for i in 'a']", "' '.join(i for i in x)"),
    *("'a'.replace(x, 'b')", "'a'.ljust(x)", "'a'.translate(x)", "'a'.split(x)", "'a'.strip(x)"),
    *("'a'.startswith(x)", "'a'.center(2, x)", "['a'].index(x)", "textwrap.dedent(x)", "[[[x]]]"),
]
STATEMENTS = [
    *("text = {}", "text = 'a'; text += {}", "text = ['a']; text.append({})", "a = {}; text = a"),
    *("a, text = {}", "text = ['a']; text.extend({})", "text = 'b'\nif {}: text = 'a'"),
    *("text = 'a'\nwith x as y: text = {}", "text = 'a'\nfor i in {}: text = i", "x.boom = {}"),
    *(
        "text = ['a']; print({})",
        "text = ['a']; x.sort({})",
        "text: x = {}",
        "text = ['a']; x += {}",
    ),
    *("x[0] = {}; text = x", "(text := {})", "text = 'a'; del x", "import x; text = {}"),
]


@pytest.mark.parametrize("kind", [kind for kind in WIRES if kind != "metaclass"])
@pytest.mark.parametrize(
    "position", ["f'{x}'", "x == 'a'", "[i for i in x]", "'%s' % (x,)", "x.boom"]
)
def test_a_tripwire_trips(kind: str, position: str) -> None:
    TRIPPED.clear()
    with pytest.raises(AssertionError):
        eval(position, {"x": WIRES[kind]})
    assert TRIPPED


@pytest.mark.parametrize("kind", WIRES)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_code_of_a_user_runs(kind: str, statement: str) -> None:
    wired = WIRES[kind]
    inside = [wired, [wired], {"a": wired}, (wired,)]
    TRIPPED.clear()
    for at, position in enumerate(POSITIONS):
        held = {"x": wired if at % 2 else inside[at % 4], "textwrap": textwrap}
        source = f"{statement.format(position)}\n{CALL}"
        with contextlib.suppress(Finding):
            typed(source, held)
        assert not TRIPPED, source
    for position in POSITIONS:
        with contextlib.suppress(Finding):
            typed(f"{statement.format(position)}\n{CALL}", {"x": wired, "textwrap": textwrap})
        assert not TRIPPED, position


@pytest.mark.parametrize("name", ["str", "len", "sorted", "range", "textwrap", "dict", "print"])
@pytest.mark.parametrize("kind", WIRES)
def test_a_name_that_hides_a_builtin_is_not_called(kind: str, name: str) -> None:
    TRIPPED.clear()
    for source in (f"tok({name}('a'))", f"tok({name}.dedent('a'))", f"{name}('b')\ntok('a')"):
        with contextlib.suppress(Finding):
            typed(source, {name: WIRES[kind]})
    assert not TRIPPED


class Collides:
    """A key that records comparisons with names."""

    def __hash__(self) -> int:
        return hash("text")

    def __eq__(self, other: object) -> bool:
        TRIPPED.append("__eq__")
        return False


class Namespace(dict[str, Any]):
    """A namespace with custom lookups."""

    def __getitem__(self, name: str) -> Any:
        TRIPPED.append("__getitem__")
        return "a"

    __missing__ = get = items = __iter__ = keys = __getitem__  # type: ignore[assignment]


@pytest.mark.parametrize("held", [{Collides(): "a"}, Namespace(text="a")], ids=["key", "mapping"])
def test_a_namespace_runs_no_code(held: Any) -> None:
    TRIPPED.clear()
    with pytest.raises(Finding, match="`text` is not defined"):
        typed(CALL, held)
    assert not TRIPPED


@pytest.mark.parametrize("kind", WIRES)
def test_arguments_of_a_call_are_not_queried(kind: str) -> None:
    tree = ast.parse("tok('a')")
    place = (1, 1, 0, 8)
    TRIPPED.clear()
    wired = WIRES[kind]
    for text in (wired, [wired], {"content": wired}, [{"role": wired}], ("a", wired)):
        with pytest.raises(Finding):
            TextArguments.of(tree, place, {"text": text}, {})
    assert not TRIPPED


# -- budgets -----------------------------------------------------------------------------------

BIG = ["9" * 3, "99999", "900000000", "9" * 19, "10 ** 9", "10 ** 10 ** 9", "0xfff ** 99999", "-1"]
numbers = st.sampled_from(BIG) | st.integers(0, 40).map(str)
leaves = st.sampled_from(
    ["'a'", "'a b c'", "'\\t\\n'", "'é🐈'", "a", "''", "long", "words", "table"]
)


def filled(form: str, own: tuple[str, str, str]) -> str:
    """Fill a form with two texts and a number."""
    return form.format(*own)


texts = st.recursive(
    leaves | numbers.map(lambda n: f"str({n})"),
    lambda inner: st.one_of(
        *(
            st.tuples(inner, inner, numbers).map(partial(filled, form))
            for form in (
                *("({0} * ({2}))", "(({2}) * {0})", "({0} + {1})", "f'{{{0}:>{{{2}}}}}'"),
                *("'%{2}d' % ({2})", "('%*d' % ({2}, 1))", "('%(a)9999s' * ({2})) % {{'a': {0}}}"),
                *(
                    "('%.*f' % ({2}, 1.5))",
                    "'{{:{{}}}}'.format({0}, {2})",
                    "'{{0}}{{0}}'.format({0})",
                ),
                *("'{{0:{{1}}}}'.format({0}, str({2}))", "('{{}}' * 99).format(*[{0}] * 99)"),
                *(
                    "{0}.ljust({2})",
                    "{0}.zfill({2})",
                    "{0}.center({2}, 'x')",
                    "{0}.expandtabs({2})",
                ),
                *("{0}.replace({1}, {0})", "{0}.replace('', {0})", "{0}.join([{1}] * ({2}))"),
                *("{0}.join(list({1}))", "{0}.translate({{97: {1}}})", "{0}.split({1} or 'a')"),
                *("' '.join({0}.split())", "' '.join({0}.splitlines())", "{0}.upper().title()"),
                *("' '.join([{1} for i in range({2})])", "''.join(i * ({2}) for i in {0})"),
                *("''.join([{0} for i in {1} for j in {0}])", "repr([{0}] * ({2}))"),
                *("str([{0}, {1}] * ({2}))", "str(({2}) * ({2}))", "str(({2}) ** ({2}))"),
                *(
                    "str(round({2}, -({2})))",
                    "str(sum([[{0}]] * ({2}), []))",
                    "str(list(range({2})))",
                ),
                *(
                    "str(sorted({0} * ({2})))",
                    "str(list(zip({0}, {1})))",
                    "str(list(enumerate({0})))",
                ),
                *(
                    "str({0} in {1})",
                    "str([{0}] * ({2}) == [{1}] * ({2}))",
                    "str({2} in range({2}))",
                ),
                *("str(dict(zip(range({2}), range({2}))))", "{0}[::({2}) or 1]", "{0}.strip({1})"),
                *("str(int('9' * ({2})))", "str({{'a': [{0}] * ({2}), **table}})", "ascii({0})"),
                *(
                    "f'{{{0}!r}}'",
                    "textwrap.dedent({0})",
                    "{0}.maketrans({1}, {1})",
                    "{0}.count({1})",
                ),
            )
        )
    ),
    max_leaves=8,
)
HARMLESS = {
    "a": "hello",
    "long": "ab " * 30_000,
    "words": ["a", "b"] * 9,
    "table": {"k": "v"},
    "textwrap": textwrap,
}


@given(source=texts)
@settings(
    deadline=None,
    max_examples=500,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_any_expression_has_pythons_value_or_is_refused(source: str) -> None:
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError:
        assume(False)  # Quotes in quotes, before Python 3.12.
    with at_most(MEMORY):
        try:
            found = evaluate(tree.body, _names(), Budget())
        except Finding:
            return
    with at_most(2 * MEMORY):
        # An expression that is cheap to evaluate is also cheap for Python.
        assert found == eval(source, dict(HARMLESS))


def _names() -> Any:
    tree = ast.parse("tok('')")
    return names_at(tree, tree.body[0].value, dict(HARMLESS))  # type: ignore[attr-defined]


ENDLESS = {
    "doubled": "t = 'ab'\n" + "t += t\n" * 99 + "tok(t)",
    "nested lists": "t = ['ab']\n" + "t = [t, t]\n" * 99 + "tok(t)",
    "appended": "t = ['ab']\n" + "t.append(t)\n" * 99 + "tok(t)",
    "extended": "t = ['ab']\n" + "t.extend(t)\n" * 99 + "tok(t)",
    "squared": "n = 9\n" + "n = n * n\n" * 99 + "tok(str(n))",
    "joined": "t = 'ab'\n" + "t = t.join(list(t))\n" * 99 + "tok(t)",
    "formatted": "t = 'ab'\n" + "t = f'{t}{t}'\n" * 99 + "tok(t)",
    "many": "t = 'ab'\n" + "t = 'x' * 999999\n" * 999 + "tok(t)",
    "in a condition": "if 'a' * 10 ** 9:\n    t = 'a'\nelse:\n    t = 'b'\ntok(t)",
    "beside the text": "u = 'a' * 10 ** 9\nv = [0] * 10 ** 9\nt = 'a'\ntok(t)",
    "equal keys": "tok(str(dict([(i * (2 ** 61 - 1), 0) for i in range(30000)])))",
    "stripped": "tok(('a' * 999999).strip('b' * 999999 + 'a'))",
    "loops": "tok(str([0 for i in range(9999) for j in range(9999) if False]))",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_a_cell_as_a_whole_keeps_to_its_budget(source: str) -> None:
    with at_most(MEMORY):
        why = "a"
        try:
            why = typed(source, {})
        except Finding as found:
            why = found.why
    assert why == "a" or re.search(
        "while typing|it would create|it would compute|too deeply|depends on a condition", why
    )


def test_a_cyclic_or_huge_value_does_not_affect_other_names() -> None:
    loop: list[Any] = []
    loop.append(loop)
    shared: list[Any] = ["a"]
    for _ in range(99):
        shared = [shared, shared]
    huge = ["a"] * 10**6
    for entry in (loop, shared, huge):
        with pytest.raises(Finding, match="`x` is unknown"):
            typed("tok(x)", {"x": entry})
        assert typed("print(x)\nx.sort()\ntok('a')", {"x": entry}) == "a"


def test_a_large_text_of_the_notebook_may_be_sliced() -> None:
    assert typed("tok(book[:3])", {"book": "abc" * 10**6}) == "abc"


def test_finding_where_characters_are_written_keeps_to_one_budget() -> None:
    pieces = "".join(f"t += ('{at}' * 999)[:9].replace('x', '{at}')\n" for at in range(400))
    source = f"t = ''\n{pieces}tok(t)"
    tree = ast.parse(source)
    call = tree.body[-1].value  # type: ignore[attr-defined]
    spent = Budget(2000)
    with pytest.raises(Finding, match="too many steps"):
        origins(source, tree, call, call.args[0], {}, str, spent)
