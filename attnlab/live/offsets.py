"""Places in a cell: as `ast` counts them, and in UTF-16 code units, as editors do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

Range = tuple[int, int]
"""Start and end, in UTF-16 code units from the beginning of the cell."""


def utf16_length(text: str) -> int:
    """Count UTF-16 code units: two for each character beyond the basic plane."""
    return len(text) + sum(character > "\uffff" for character in text)


def offset(text: str, line: int, column: int) -> int:
    """Find the offset of a place as `ast` counts: lines from 1, columns in UTF-8 bytes."""
    lines = text.split("\n")
    before = lines[: line - 1]
    own = lines[line - 1].encode()[:column].decode(errors="ignore")
    return sum(utf16_length(row) + 1 for row in before) + utf16_length(own)


def span_of(text: str, node: ast.expr) -> Range:
    """Find the range of an expression."""
    last, column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return offset(text, node.lineno, node.col_offset), offset(text, last, column)


def apply_change(text: str, start: int, end: int, new: str) -> str:
    """Put a text in the place of a range; half a character goes with its other half."""
    units = text.encode("utf-16-le", "surrogatepass")
    changed = units[: 2 * start] + new.encode("utf-16-le", "surrogatepass") + units[2 * end :]
    return changed.decode("utf-16-le", "surrogatepass")
