"""Which characters of a cell the characters of one of its texts come from.

Found by marking: characters of the cell's literals are replaced by marks, the text is
evaluated anew, and where a mark comes out, there its character has gone. So every way of
making a text is followed that can be evaluated at all.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.live.expressions import Unknown, evaluate
from attnlab.live.literals import literals
from attnlab.live.statements import names_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from attnlab.live.offsets import Range

MARKS = 0xF0000
"""The first of the private code points, which no method of a string changes or splits at."""

MOST = 65_534
"""How many of these there are."""

LONGEST = 1 << 16
"""Characters of a text that are followed."""

TRIES = 64
"""How often a text is evaluated anew."""

KEPT = frozenset("{}%")
"""Characters that mean something to `.format` and ``%``."""

FIELD = re.compile(r"\{[\w.\[\]]*(?:![rsa])?(?::[^{}]*)?\}|%(?:\([^)]*\))?[-+ #0-9.]*[a-zA-Z]")
"""What may name a value of a format, and may be plain text."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Characters of a literal that are marked together.

    Attributes
    ----------
    ranges
        Of all characters of the literal.
    start, stop
        Which of these are of the stretch.
    whole
        Whether it stands or falls in whole, as a field's name does.
    """

    literal: ast.Constant
    ranges: list[Range]
    start: int
    stop: int
    whole: bool = False


def origins(
    source: str,
    tree: ast.Module,
    call: ast.Call,
    node: ast.expr,
    held: Mapping[str, Any],
    leaf: Callable[[Any], str] = str,
) -> list[Range | None]:
    """Find where the characters of a text are written.

    Parameters
    ----------
    source, tree
        The cell.
    call
        The call in it that the text is given to.
    node
        The expression of the text, or of what holds it.
    held
        The kernel's namespace.
    leaf
        Finds the text in the value of `node`.

    Returns
    -------
    list
        For each character its range in UTF-16 code units; None where it is of no literal.

    Raises
    ------
    Unknown
        Where the text cannot be told.
    """

    def value() -> str:
        return leaf(evaluate(node, names_at(tree, call, held)))

    text = value()
    found: list[Range | None] = [None] * len(text)
    if len(text) > LONGEST:
        return found
    parts = list(_parts(source, tree))
    missing = {place for place, own in enumerate(text) if _can_be_marked(own)}
    for _ in range(TRIES):
        if not parts or not missing:
            break
        part = max(parts, key=_size)
        parts.remove(part)
        own = _marked(part, value, text)
        if own is None:
            parts.extend(_halves(part))
        else:
            for place, written in own:
                found[place] = found[place] or written
                missing.discard(place)
    return found


def _parts(source: str, tree: ast.Module) -> Iterator[list[Stretch]]:
    """Divide a cell's literals: what is text, and what looks like the fields of a format."""
    texts: list[Stretch] = []
    fields: list[Stretch] = []
    deciding = set(_deciding(tree))
    for literal, ranges in literals(source, tree):
        if literal in deciding:
            continue
        start = 0
        for field in FIELD.finditer(str(literal.value)):
            texts.append(Stretch(literal, ranges, start, field.start()))
            fields.append(Stretch(literal, ranges, *field.span(), whole=True))
            start = field.end()
        texts.append(Stretch(literal, ranges, start, len(ranges)))
    # Long literals are texts; short ones, e.g. roles and separators, may decide on something.
    for part in (texts, fields):
        filled = [own for own in part if own.start < own.stop]
        if filled:
            yield sorted(filled, key=lambda own: own.start - own.stop)


def _deciding(tree: ast.Module) -> Iterator[ast.AST]:
    """Find literals that pick a value and are none: keys, and what is compared."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys):
                yield from (key for key in keys if key is not None)
            case ast.Subscript(_, key):
                yield key
            case ast.Compare(left, _, others):
                yield from (own for side in (left, *others) for own in ast.walk(side))


def _marked(
    part: list[Stretch], value: Callable[[], str], text: str
) -> list[tuple[int, Range]] | None:
    """Find what characters of a text are of some stretches; None where these decide on it."""
    marks: list[tuple[str, Range]] = []
    plain = {own.literal: str(own.literal.value) for own in part}
    written = {literal: list(before) for literal, before in plain.items()}
    for own in part:
        characters = written[own.literal]
        for at in range(own.start, own.stop):
            if _can_be_marked(characters[at]):
                marks.append((characters[at], own.ranges[at]))
                characters[at] = chr(MARKS + len(marks) - 1)
    if len(marks) > MOST:
        return None
    try:
        for literal, new in written.items():
            literal.value = "".join(new)
        marked = value()
    except (Unknown, LookupError, TypeError):
        return None
    finally:
        for literal, before in plain.items():
            literal.value = before
    return _found(marked, text, marks)


def _can_be_marked(character: str) -> bool:
    return not character.isspace() and character not in KEPT


def _found(
    marked: str, text: str, marks: list[tuple[str, Range]]
) -> list[tuple[int, Range]] | None:
    """Find the marks in a text; None where it is another text beside them, or under them."""
    if len(marked) != len(text):
        return None
    found = []
    for place, (own, true) in enumerate(zip(marked, text, strict=True)):
        if own == true:
            continue
        number = ord(own) - MARKS
        if not 0 <= number < len(marks):
            return None
        before, written = marks[number]
        # A character may change its case on the way; else another has come in its place.
        if true != before and true not in (before.upper(), before.lower(), before.title()):
            return None
        found.append((place, written))
    return found


def _size(part: list[Stretch]) -> int:
    return sum(own.stop - own.start for own in part)


def _halves(part: list[Stretch]) -> list[list[Stretch]]:
    """Divide stretches, or the characters of one; one character is left alone."""
    if len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    (own,) = part
    middle = (own.start + own.stop) // 2
    if own.whole or middle == own.start:
        return []
    return [[replace(own, stop=middle)], [replace(own, start=middle)]]
