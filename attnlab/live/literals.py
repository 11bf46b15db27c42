"""Which characters of a cell each character of a string literal is written with."""

from __future__ import annotations

import ast
import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.live.offsets import Range

PREFIX = re.compile(r"([a-zA-Z]*)('''|\"\"\"|'|\")")
ESCAPE = re.compile(
    r"\\(\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)", re.DOTALL
)

Piece = tuple[str, int, int]
"""A character of a value, and the first and one past the last character that it is written with."""


def literals(source: str, tree: ast.AST) -> Iterator[tuple[ast.Constant, list[Range]]]:
    """Find the string literals of a cell, and where each of their characters is written.

    A literal that cannot be followed is left out; f-strings give their constant parts.

    Yields
    ------
    tuple of (ast.Constant, list of ranges)
        One range for each character of the constant's value.
    """
    starts = _starts(source)
    units = list(itertools.accumulate((1 + (own > "\uffff") for own in source), initial=0))
    for node in _strings(tree):
        first = _index(source, starts, node.lineno, node.col_offset)
        last = _index(source, starts, node.end_lineno or 1, node.end_col_offset or 0)
        pieces = _pieces(source, first, last)
        parts = [node] if isinstance(node, ast.Constant) else _constants(node)
        at = 0
        for part in parts:
            own = pieces[at : at + len(str(part.value))]
            if "".join(character for character, *_ in own) != str(part.value):
                break  # What follows would be found in the wrong place.
            at += len(own)
            yield part, [(units[begin], units[end]) for _, begin, end in own]


def _strings(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Find strings, but not the parts of an f-string by themselves."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        elif isinstance(node, ast.JoinedStr):
            yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _strings(ast.Expr(part.value))
        else:
            yield from _strings(node)


def _constants(node: ast.JoinedStr) -> list[ast.Constant]:
    return [part for part in node.values if isinstance(part, ast.Constant)]


def _starts(source: str) -> list[int]:
    """Give the index at which each line begins."""
    return [0, *(found.end() for found in re.finditer("\n", source))]


def _index(source: str, starts: list[int], line: int, column: int) -> int:
    start = starts[line - 1]
    row = source[start : source.find("\n", start) if "\n" in source[start:] else len(source)]
    return start + len(row.encode()[:column].decode(errors="ignore"))


def _pieces(source: str, first: int, last: int) -> list[Piece]:
    """Read the literals between two places: one, or several side by side."""
    found: list[Piece] = []
    at = first
    while at < last:
        match = PREFIX.match(source, at, last)
        if match is None:  # between two literals: spaces, comments, line ends
            skipped = re.compile(r"[^\S\n]+|\\?\n|#[^\n]*").match(source, at, last)
            if skipped is None:
                return found
            at = skipped.end()
            continue
        prefix, quote = match[1].lower(), match[2]
        end = _end(source, match.end(), last, quote, "f" in prefix)
        found += _read(source, match.end(), end, "r" in prefix, "f" in prefix)
        at = end + len(quote)
    return found


def _end(source: str, at: int, last: int, quote: str, formatted: bool) -> int:
    """Find the closing quote."""
    while at < last and not source.startswith(quote, at):
        if source[at] == "\\" or (formatted and source.startswith(("{{", "}}"), at)):
            at += 2
        elif formatted and source[at] == "{":
            at = _field(source, at, last)
        else:
            at += 1
    return at


def _field(source: str, at: int, last: int) -> int:
    """Skip a replacement field; its expression may hold strings and brackets."""
    depth = 0
    while at < last:
        character = source[at]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
        elif character in "'\"":
            quote = source[at : at + 3] if source[at : at + 3] in ("'''", '"""') else character
            at = _end(source, at + len(quote), last, quote, formatted=False) + len(quote) - 1
        at += 1
    return at


def _read(source: str, at: int, end: int, raw: bool, formatted: bool) -> Iterator[Piece]:
    while at < end:
        escape = None if raw else ESCAPE.match(source, at, end)
        if escape is not None:
            value = _unescaped(escape[0])
            if len(value) == 1:
                yield value, at, escape.end()
            else:  # a line that goes on, or no escape at all
                yield from ((own, at + place, at + place + 1) for place, own in enumerate(value))
            at = escape.end()
        elif formatted and source.startswith(("{{", "}}"), at):
            yield source[at], at, at + 2
            at += 2
        elif formatted and source[at] == "{":
            at = _field(source, at, end)
        else:
            yield source[at], at, at + 1
            at += 1


def _unescaped(escape: str) -> str:
    if escape == "\\\n":
        return ""
    try:
        return str(ast.literal_eval(f'"{escape}"')) if escape != '\\"' else '"'
    except (SyntaxError, ValueError):
        return escape
