"""The origins of a text's characters in the cell: changing one changes the other."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.statements import names_at
from attnlab.live.findings import Finding
from attnlab.live.source.offsets import apply_change, offset, utf16_length
from attnlab.live.texts.origins import origins

ALPHABET = "aé猫🐈b c\n\"'\\{}%xN"


def call_of(tree: ast.Module) -> ast.Call:
    """Find the call of `tok`."""
    return next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tok"
    )


def text_of(source: str, **held: Any) -> str:
    """Evaluate the argument of `tok`."""
    tree = ast.parse(source)
    call = call_of(tree)
    value = evaluate(call.args[0], names_at(tree, call, held))
    assert isinstance(value, str)
    return value


def places(source: str, **held: Any) -> list[tuple[int, int] | None]:
    """Find the positions of the characters of the argument of `tok`."""
    tree = ast.parse(source)
    call = call_of(tree)
    return origins(source, tree, call, call.args[0], held)


def written(source: str, place: tuple[int, int]) -> str:
    """Return a range of a source."""
    units = source.encode("utf-16-le")
    return units[2 * place[0] : 2 * place[1]].decode("utf-16-le")


def shown(source: str, **held: Any) -> str:
    """Replace each character of a text by its source; by a dot if it has none."""
    return "".join(
        "." if place is None else written(source, place) for place in places(source, **held)
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('tok("abc")', "abc"),
        ("tok('''a\nb''')", "a.b"),
        (r'tok("a\n\x41é\\")', r"a.\x41é\\"),
        (r'tok(r"a\n")', r"a\n"),
        ('tok("a" \'b\'  # c\n    "d")'.replace("tok(", "tok(("), ""),
        ('a = "xy"; tok(a + a)', "xyxy"),
        ('who = "cat"\ntok(f"The {who}!")', "The.cat!"),
        ('tok(f"{{a}} {1 + 1} {"x"!r:>4}")'.replace('"x"', "'x'"), ""),
        ('tok("The {} {x}".format("cat", x="sat"))', "The.cat.sat"),
        ('tok("%s is %d" % ("cat", 4))', "cat.is.."),
        ('tok(" ".join(["ab", "cd"]))', "ab.cd"),
        ('tok("  ab ".strip().upper())', "ab"),
        ('tok("abc"[::-1])', "cba"),
        ('tok("aXc".replace("X", "yy"))', "ayyc"),
        ('tok(earlier + "b")', ".b"),
        ('t = "a"\nt += "b"\ntok(t)', "ab"),
        ('tok("🐈é" + "猫")', "🐈é猫"),
        ('tok("ab" if 1 < 2 else "cd")', "ab"),
        ('new = "cd"; tok("abab".replace("ab", new))', "cdcd"),
        ('tok("Hi NAME!".replace("NAME", earlier * 4))', "Hi.....!"),
        ('tok("".join(sorted("ba")))', ".b"),
        ('tok("-".join("a,b".split(",")))', "a-b"),
        ('tok("{a} {b!r:>4}|{a}".format(a="x", b=7))', "x.....|x"),
        ('tok(\'{"a": {b}}\' + "%s" % "x")', '."a":..b..x'),
        ('x = "on"; tok("up" if x == "on" else x)', "up"),
        ('x = "a"; tok(f"q{x:\'>3}b" "c")', "q..abc"),
        ('tok({"k": "v"}["k"])', "v"),
    ],
)
def test_a_character_is_found_where_it_is_written(source: str, said: str) -> None:
    if not said:
        source, said = SPECIAL[source.count("{")]
    assert shown(source, earlier="e") == said


SPECIAL = {
    0: ('tok(("a" \'b\'  # "c"\n    "d"))', "abd"),
    4: ("tok(f\"{{a}} {1 + 1} {'x'!r:>4}|\")", ".a........|"),
}


@st.composite
def literal(draw: st.DrawFn) -> str:
    """Write a text as a literal, in one of several notations."""
    text = draw(st.text(ALPHABET, max_size=8))
    style = draw(st.sampled_from(["repr", "ascii", "triple", "format", "raw"]))
    if style == "ascii":
        return ascii(text)
    if style == "triple":
        return "'''" + text.replace("\\", "\\\\").replace("'", "\\'") + "'''"
    if style == "format":
        inner = repr(text).replace("{", "{{").replace("}", "}}")
        return "f" + inner
    if style == "raw" and not set(text) & set("\\\n\"'"):
        return f'r"{text}"'
    return repr(text)


@st.composite
def cells(draw: st.DrawFn) -> str:
    """Write a cell that composes a text of several literals."""
    first, second, third = (draw(literal()) for _ in range(3))
    made = draw(
        st.sampled_from(
            [
                "a + b",
                "b + a * 2",
                "f'{a}-{b}'",
                "'-'.join([a, b, a])",
                "'{}/{}'.format(a, b)",
                "(a + b)[1:]",
                "(a + b).strip()",
                "a.lower() + b",
                "[a, b][0] + third",
                "'%s %s' % (a, b)",
                "(a + b).replace('b', a)",
                "a.replace(b, third)",
                "'{x}-{x}'.replace('{x}', a)",
                "'+'.join((a + b).split('b'))",
            ]
        )
    )
    return f"a = {first}; b = {second}\nthird = (\n  {third} {second}\n)\ntok({made})"


@settings(max_examples=300, deadline=None)
@given(cells(), st.data())
def test_changing_a_character_changes_what_came_of_it(source: str, data: st.DataObject) -> None:
    text, found = text_of(source), places(source)
    assert len(found) == len(text)
    plain = [
        (at, place)
        for at, place in enumerate(found)
        if place is not None and written(source, place) == text[at] and text[at] not in "{}"
    ]
    if not plain:
        return
    at, place = data.draw(st.sampled_from(plain))
    changed = text_of(apply_change(source, *place, "z"))
    same = [other for other, thread in enumerate(found) if thread == place]
    assert at in same
    expected = [("z" if other in same else thread) for other, thread in enumerate(text)]
    assert changed == "".join(expected)


@given(st.text(ALPHABET, max_size=20), st.data())
def test_offsets_count_as_editors_do(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    before = text[:at]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
    assert offset(text, line, column) == utf16_length(before)
    end = data.draw(st.integers(at, len(text)))
    edited = apply_change(text, utf16_length(text[:at]), utf16_length(text[:end]), "🐈")
    assert edited == text[:at] + "🐈" + text[end:]


def test_an_expression_has_its_range() -> None:
    source = 'é = 1; f("🐈", b)'
    (call,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    ranges = []
    for node in call.args:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = offset(source, node.lineno, node.col_offset)
        ranges.append((start, offset(source, node.end_lineno, node.end_col_offset)))
    assert [written(source, found) for found in ranges] == ['"🐈"', "b"]


def test_a_text_that_only_a_run_computes_has_no_positions() -> None:
    with pytest.raises(Finding):
        places("tok(open('x').read())")


def evaluations(source: str) -> tuple[str, int]:
    """Return the origins that were found, and the number of evaluations."""
    tree = ast.parse(source)
    call = call_of(tree)
    seen: list[str] = []

    def tokenizer(text: str) -> str:
        seen.append(text)
        return text

    found = origins(source, tree, call, call.args[0], {}, tokenizer)
    marked = [entry for entry in seen[0] if not entry.isspace()]
    assert sum(place is not None for place in found) == len(marked)
    return seen[0], len(seen)


@pytest.mark.parametrize(
    "source",
    [
        't = ""\n' + f't += "{"word " * 50}"\n' * 40 + "tok(t)",
        't = ""\n' + 't += "to {a} or {b}".format(a="be", b="not")\n' * 40 + "tok(t)",
        f'm = [{{"role": "user", "text": "{"word " * 50}"}}] * 40\n'
        'tok("".join([own["role"] + ": " + own["text"] for own in m]))',
    ],
    ids=["appended", "formatted", "messages"],
)
def test_a_long_text_of_many_literals_is_followed_at_once(source: str) -> None:
    text, times = evaluations(source)
    assert len(text) > 400
    assert times == 2


def test_a_template_that_branches_on_the_role_keeps_the_text_known() -> None:
    says = "".join(
        f'm += [{{"role": "{role}", "text": "{role} says {turn}"}}]\n'
        for turn in range(20)
        for role in ("user", "assistant")
    )
    source = f"m = []\n{says}" + (
        'tok(" ".join([own["text"] for own in m if own["role"] in ("user", "assistant")]))'
    )
    text, _ = evaluations(source)
    assert text.startswith("user says 0 assistant says 0")


def test_a_text_that_is_too_long_has_no_positions() -> None:
    assert places('tok("ab" * 40_000)') == [None] * 80_000
