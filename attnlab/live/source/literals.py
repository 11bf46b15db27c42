"""Maps the characters of string literals to the characters of the cell that write them."""

from __future__ import annotations

import ast
import bisect
import functools
import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnlab.live.source.offsets import Range

PREFIX = re.compile(r"([rRbBuUfF]{0,2})('''|\"\"\"|'|\")")
ESCAPE = re.compile(
    r"\\(\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)", re.DOTALL
)
SIMPLE = dict(zip("\n\\'\"abfnrtv", ["", *"\\'\"\a\b\f\n\r\t\v"], strict=True))
"""Values of one-character escapes; an escaped line end has no value."""

WORD = re.compile(r"\w+")
COMMENT = re.compile(r"#[^\n]*")

Piece = tuple[str, int, int]
"""A character of a value, and the start and end of the source characters that write it."""


def literals(source: str, tree: ast.AST) -> Iterator[tuple[ast.Constant, list[Range]]]:
    """Find the string literals of a cell, and the position of each of their characters.

    Literals that cannot be mapped are omitted; f-strings give their constant parts.

    Yields
    ------
    tuple of (ast.Constant, list of ranges)
        One range for each character of the constant's value.
    """
    index = _indices(source)
    lengths = (1 + (character > "\uffff") for character in source)
    units = list(itertools.accumulate(lengths, initial=0))
    for node in _strings(tree):
        first = index(node.lineno, node.col_offset)
        last = index(node.end_lineno or 1, node.end_col_offset or 0)
        pieces = _pieces(source, first, last)
        parts = [node] if isinstance(node, ast.Constant) else _constants(node)
        at = 0
        for part in parts:
            written = pieces[at : at + len(str(part.value))]
            if "".join(character for character, *_ in written) != str(part.value):
                break  # The positions of the following parts would be wrong.
            at += len(written)
            yield part, [(units[begin], units[end]) for _, begin, end in written]


def _strings(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Find strings; an f-string is one string, not several."""
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


def _indices(source: str) -> Callable[[int, int], int]:
    """Create a function from positions of `ast` to indices; it encodes each line only once."""
    rows = source.split("\n")
    starts = list(itertools.accumulate((len(row) + 1 for row in rows), initial=0))

    @functools.cache
    def ends(line: int) -> list[int]:
        return list(itertools.accumulate(len(character.encode()) for character in rows[line - 1]))

    def index(line: int, column: int) -> int:
        within = column if rows[line - 1].isascii() else bisect.bisect_right(ends(line), column)
        return starts[line - 1] + within

    return index


def _pieces(source: str, first: int, last: int) -> list[Piece]:
    """Read the literals between two indices: one, or several adjacent ones."""
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
        if formatted and source.startswith(("{{", "}}"), at):
            at += 2
        elif formatted and source[at] == "{":
            at = _field(source, at, last)
        elif source[at] == "\\" and not (formatted and source.startswith(("{", "}"), at + 1)):
            at += 2
        else:
            at += 1
    return min(at, last)


def _field(source: str, at: int, last: int) -> int:
    """Skip a replacement field; its expression may contain strings and brackets."""
    at, depth = at + 1, 0
    while at < last:
        if string := PREFIX.match(source, at, last):
            formatted = "f" in string[1].lower()
            at = _end(source, string.end(), last, string[2], formatted) + len(string[2])
        elif skipped := WORD.match(source, at, last) or COMMENT.match(source, at, last):
            at = skipped.end()
        elif not depth and source[at] in ":}":
            return at + 1 if source[at] == "}" else _spec(source, at + 1, last)
        else:
            depth += (source[at] in "([{") - (source[at] in ")]}")
            at += 1
    return last


def _spec(source: str, at: int, last: int) -> int:
    """Skip a format spec and the closing brace; a quote in it does not start a string."""
    while at < last and source[at] != "}":
        at = _field(source, at, last) if source[at] == "{" else at + 1
    return min(at + 1, last)


def _read(source: str, at: int, end: int, raw: bool, formatted: bool) -> Iterator[Piece]:
    while at < end:
        if formatted and source.startswith(("{{", "}}"), at):
            yield source[at], at, at + 2
            at += 2
        elif formatted and source[at] == "{":
            at = _field(source, at, end)
        elif source[at] == "\\" and not raw and (value := _escaped(source, at, end, formatted)):
            character, after = value
            if character:  # a line end gives none
                yield character, at, after
            at = after
        else:
            yield source[at], at, at + 1
            at += 1


def _escaped(source: str, at: int, end: int, formatted: bool) -> tuple[str, int] | None:
    """Read an escape: its value and its end; None if it is not an escape."""
    escape = ESCAPE.match(source, at, end)
    if escape is None or (formatted and escape[1] in ("{", "}")):
        return None
    code = escape[1]
    if code in SIMPLE:
        return SIMPLE[code], escape.end()
    if code[0] in "01234567":
        return chr(int(code, 8)), escape.end()
    if len(code) == 1:
        return None
    if code[0] != "N":
        return chr(int(code[1:], 16)), escape.end()
    try:
        return unicodedata.lookup(code[2:-1]), escape.end()
    except KeyError:
        return None
