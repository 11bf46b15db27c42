"""The position of each character of a literal: changing the source there changes it."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.live.source.literals import literals
from attnlab.live.source.offsets import apply_change

PLAIN = ["a", "é", "猫", "🐈", " ", "e\u0301", "%", "\t", "N", "u"]
ESCAPES = [r"\n", r"\x41", r"\u00e9", r"\U0001F408", r"\N{BULLET}", r"\101", r"\0", "\\\n", r"\\"]
QUOTED = [r"\'", r"\"", r"\d"]
FIELDS = [
    *("{{", "}}", "{v}", "{v!r}", "{v:>4}", "{v:{w}}", "{d['k']}", "{'a'}", "{v:'>5}", "{'}'}"),
    *("{(lambda q: q)(1)}", "{ {'z': 1}['z'] }", r"\{v}", "{v=}", "{v::>3}"),
]


@st.composite
def written_literal(draw: st.DrawFn) -> str:
    """Write a literal, which may be invalid."""
    prefix = draw(st.sampled_from(["", "r", "u", "f", "R", "F", "rf", "fR"]))
    quote = draw(st.sampled_from(["'", '"', "'''", '"""']))
    atoms = PLAIN + ESCAPES + QUOTED + (FIELDS if "f" in prefix.lower() else ["{", "}"])
    if len(quote) == 3:
        atoms.append("\n")
    return prefix + quote + "".join(draw(st.lists(st.sampled_from(atoms), max_size=6))) + quote


@st.composite
def written_cell(draw: st.DrawFn) -> str:
    """Write adjacent literals with separators."""
    parts = draw(st.lists(written_literal(), min_size=1, max_size=3))
    between = draw(st.sampled_from([" ", "\n ", "  # c'\n"]))
    return f"# 猫'\nx = ('é', {between.join(parts)}\n)"


def parsed(source: str) -> ast.Module | None:
    """Parse a cell; None if it is invalid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return None


def constants(tree: ast.Module) -> list[ast.Constant]:
    """List the constants of a cell, in an order that is stable under edits of one."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def written(source: str, place: tuple[int, int]) -> str:
    """Return a range of a source."""
    units = source.encode("utf-16-le")
    return units[2 * place[0] : 2 * place[1]].decode("utf-16-le")


@settings(max_examples=500, deadline=None)
@given(written_cell())
def test_every_character_has_the_reported_position(source: str) -> None:
    tree = parsed(source)
    if tree is None:
        return
    for constant, ranges in literals(source, tree):
        value = str(constant.value)
        assert len(ranges) == len(value)
        for character, place in zip(value, ranges, strict=True):
            token = written(source, place)
            if token in (character, character * 2):  # A brace of an f-string is doubled.
                continue
            assert ast.literal_eval(f'"""{token}"""') == character


@settings(max_examples=500, deadline=None)
@given(written_cell(), st.data())
def test_changing_a_plain_character_changes_that_one_alone(
    source: str, data: st.DataObject
) -> None:
    tree = parsed(source)
    if tree is None:
        return
    # A backslash before a quote, and the character after a backslash, are escaped even in r"".
    plain = [
        (constant, at, place)
        for constant, ranges in literals(source, tree)
        for at, place in enumerate(ranges)
        if written(source, place) == str(constant.value)[at] != "\\"
        and written(source, (0, place[0]))[-1] != "\\"
    ]
    if not plain:
        return
    constant, at, place = data.draw(st.sampled_from(plain))
    changed = parsed(apply_change(source, *place, "Z"))
    assert changed is not None
    pairs = zip(constants(tree), constants(changed), strict=True)
    ((found, new),) = [pair for pair in pairs if pair[0].value != pair[1].value]
    assert found is constant
    assert new.value == str(found.value)[:at] + "Z" + str(found.value)[at + 1 :]


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("f'{v:\"^5}b' 'c'", ["b", "c"]),
        ("f'{v:\"^5}' r'\\n'", ["\\", "n"]),
        ("f'\\{v}b'", ["\\", "b"]),
        ("f'{v if\"a\"else w}b'", ["b", "a"]),
        ("f'{{{v}}}b'", ["{{", "}}", "b"]),
        ("'a\\\nb' # 'c'", ["a", "b"]),
        ("b'a'", []),
    ],
)
def test_an_awkward_literal_is_followed(source: str, pieces: list[str]) -> None:
    tree = parsed(source)
    assert tree is not None
    assert [
        written(source, place) for _, ranges in literals(source, tree) for place in ranges
    ] == pieces


def test_an_invalid_escape_sequence_causes_no_warning() -> None:
    source = r"'\d\w'"
    tree = parsed(source)
    assert tree is not None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        ((_, ranges),) = literals(source, tree)
    assert not warned
    assert [written(source, place) for place in ranges] == ["\\", "d", "\\", "w"]
