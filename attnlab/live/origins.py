"""Which characters of a cell the characters of one of its texts come from.

Found by marking: the characters of one literal after the other are replaced by marks, the
text is evaluated anew, and where a mark comes out, there its character has gone. So every
way of making a text is followed that can be evaluated at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.live.expressions import Unknown, evaluate
from attnlab.live.literals import literals
from attnlab.live.statements import names_at

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping

    from attnlab.live.offsets import Range

MARKS = 0xF0000
"""The first of 65,534 private code points, which no method of a string changes or splits at."""

LONGEST = 1 << 16
"""Characters of a text that are followed, and of a literal that are marked."""

TRIES = 48
"""How often a literal is marked: in whole, or in parts."""

KEPT = frozenset("{}%")
"""Characters that mean something to `.format` and ``%``."""


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
    for literal, ranges in literals(source, tree):
        if 0 < len(ranges) <= LONGEST - 2:
            for place, at in _marked(literal, value, text):
                found[place] = ranges[at]
    return found


def _marked(literal: ast.Constant, value: Callable[[], str], text: str) -> list[tuple[int, int]]:
    """Find which characters of a text are of a literal: places in the two.

    Some of its characters may decide on something: they name a field of a format, or are
    looked for. So where all cannot be marked at once, halves are.
    """
    plain = str(literal.value)
    found: list[tuple[int, int]] = []
    parts = [range(len(plain))]
    for _ in range(TRIES):
        if not parts:
            break
        part = parts.pop(0)
        literal.value = "".join(
            chr(MARKS + at) if at in part and not (own.isspace() or own in KEPT) else own
            for at, own in enumerate(plain)
        )
        try:
            own = _found(value(), text)
        except (Unknown, LookupError, TypeError):
            own = None
        finally:
            literal.value = plain
        if own is not None:
            found += own
        elif len(part) > 1:
            middle = len(part) // 2
            parts += [part[:middle], part[middle:]]
    return found


def _found(marked: str, text: str) -> list[tuple[int, int]] | None:
    """Find the marks in a text; None where it is another text beside them."""
    if len(marked) != len(text):
        return None
    places = [(place, ord(own) - MARKS) for place, own in enumerate(marked) if own != text[place]]
    return places if all(0 <= at < LONGEST for _, at in places) else None
