"""Finds the characters of a cell from which the characters of a text originate.

Characters of the cell's literals are replaced by marks, and the text is evaluated again. Where a
mark appears in the result, the marked character originates. This works for all expressions that
can be evaluated.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.names import Names
from attnlab.live.evaluation.statements import names_at
from attnlab.live.findings import Finding
from attnlab.live.source.literals import literals
from attnlab.live.values.budget import CHARACTERS, STEPS, Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from attnlab.live.source.offsets import Range

MARKS = 0xF0000
"""First private code point. String methods neither change nor split at these."""

MOST = 65_534
"""Number of private code points in this plane."""

LONGEST = 1 << 16
"""Characters of the longest text whose origins are found."""

TRIES = 64
"""Most evaluations of a text."""

EVALUATIONS = 4
"""Size of the budget for all texts of a cell, in budgets of one evaluation."""

KEPT = frozenset("{}%")
"""Characters with a special meaning in `.format` and ``%``, which are never replaced."""

FIELD = re.compile(r"\{[\w.\[\]]*(?:![rsa])?(?::[^{}]*)?\}|%(?:\([^)]*\))?[-+ #0-9.]*[a-zA-Z]")
"""A replacement field of a format, or text that looks like one."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Characters of a literal that are marked together.

    Attributes
    ----------
    ranges
        Ranges of all characters of the literal.
    start, stop
        First character of the stretch, and the one after its last.
    whole
        Whether it must not be divided, because it may be a replacement field.
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
    namespace: Mapping[str, Any],
    select: Callable[[Any], str] = str,
    budget: Budget | None = None,
) -> list[Range | None]:
    """Find the origin of each character of a text.

    Parameters
    ----------
    source, tree
        The cell.
    call
        The call that receives the text.
    node
        The expression of the text, or of a value that contains it.
    namespace
        The kernel's namespace.
    select
        Selects the text from the value of `node`.
    budget
        Budget for all evaluations; if it is exceeded, the remaining origins are not found.

    Returns
    -------
    list
        The range of each character in UTF-16 code units; None if it is not from a literal.

    Raises
    ------
    Finding
        If the text is known only by running the cell.
    """
    budget = budget or marking_budget()
    names = Names(namespace, budget)

    def value() -> str:
        return select(evaluate(node, names_at(tree, call, names, budget), budget))

    text = value()
    found: list[Range | None] = [None] * len(text)
    if len(text) > LONGEST:
        return found
    parts = list(_parts(source, tree))
    missing = {index for index, character in enumerate(text) if _can_be_marked(character)}
    for _ in range(TRIES):
        if not parts or not missing:
            break
        part = max(parts, key=_size)
        parts.remove(part)
        marked = _marked(part, value, text)
        if marked is None:
            parts.extend(_halves(part))
        else:
            for index, written in marked:
                found[index] = found[index] or written
                missing.discard(index)
    return found


def marking_budget() -> Budget:
    """Create a budget for finding the origins of all texts of a cell."""
    return Budget(EVALUATIONS * STEPS, EVALUATIONS * CHARACTERS)


def _parts(source: str, tree: ast.Module) -> Iterator[list[Stretch]]:
    """Divide the literals of a cell into text and possible replacement fields."""
    texts: list[Stretch] = []
    fields: list[Stretch] = []
    excluded = set(_selecting(tree))
    for literal, ranges in literals(source, tree):
        if literal in excluded:
            continue
        start = 0
        for field in FIELD.finditer(str(literal.value)):
            texts.append(Stretch(literal, ranges, start, field.start()))
            fields.append(Stretch(literal, ranges, *field.span(), whole=True))
            start = field.end()
        texts.append(Stretch(literal, ranges, start, len(ranges)))
    # Longest first: short literals, e.g. roles and separators, may select another text.
    for part in (texts, fields):
        stretches = [stretch for stretch in part if stretch.start < stretch.stop]
        if stretches:
            yield sorted(stretches, key=lambda stretch: stretch.start - stretch.stop)


def _selecting(tree: ast.Module) -> Iterator[ast.AST]:
    """Find literals that only select other values: keys, and operands of comparisons."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys):
                yield from (key for key in keys if key is not None)
            case ast.Subscript(_, key):
                yield key
            case ast.Compare(left, _, others):
                yield from (inner for side in (left, *others) for inner in ast.walk(side))


def _marked(
    part: list[Stretch], value: Callable[[], str], text: str
) -> list[tuple[int, Range]] | None:
    """Find the characters of a text that come from some stretches.

    Returns None if replacing the stretches by marks changes other characters.
    """
    marks: list[tuple[str, Range]] = []
    originals = {stretch.literal: str(stretch.literal.value) for stretch in part}
    replaced = {literal: list(original) for literal, original in originals.items()}
    for stretch in part:
        characters = replaced[stretch.literal]
        for index in range(stretch.start, stretch.stop):
            if _can_be_marked(characters[index]):
                marks.append((characters[index], stretch.ranges[index]))
                characters[index] = chr(MARKS + len(marks) - 1)
    if len(marks) > MOST:
        return None
    try:
        for literal, new in replaced.items():
            literal.value = "".join(new)
        marked = value()
    except (Finding, LookupError, TypeError):
        return None
    finally:
        for literal, original in originals.items():
            literal.value = original
    return _found(marked, text, marks)


def _can_be_marked(character: str) -> bool:
    return not character.isspace() and character not in KEPT


def _found(
    marked: str, text: str, marks: list[tuple[str, Range]]
) -> list[tuple[int, Range]] | None:
    """Find the marks in a text; None if it differs from the original text apart from marks."""
    if len(marked) != len(text):
        return None
    found = []
    for index, (mark, character) in enumerate(zip(marked, text, strict=True)):
        if mark == character:
            continue
        number = ord(mark) - MARKS
        if not 0 <= number < len(marks):
            return None
        source, written = marks[number]
        # The cell may change the case of a character; any other difference is another text.
        if character not in (source, source.upper(), source.lower(), source.title()):
            return None
        found.append((index, written))
    return found


def _size(part: list[Stretch]) -> int:
    return sum(stretch.stop - stretch.start for stretch in part)


def _halves(part: list[Stretch]) -> list[list[Stretch]]:
    """Divide stretches, or the characters of one; empty if it cannot be divided."""
    if len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    (stretch,) = part
    middle = (stretch.start + stretch.stop) // 2
    if stretch.whole or middle == stretch.start:
        return []
    return [[replace(stretch, stop=middle)], [replace(stretch, start=middle)]]
