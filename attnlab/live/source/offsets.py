"""Positions in a cell: as `ast` counts them, and in UTF-16 code units, as editors do."""

from __future__ import annotations

Range = tuple[int, int]
"""Start and end, in UTF-16 code units from the beginning of the cell."""


def utf16_length(text: str) -> int:
    """Count UTF-16 code units: two for each character beyond the basic multilingual plane."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def offset(text: str, line: int, column: int) -> int:
    """Convert a position of `ast` (lines from 1, columns in UTF-8 bytes) to an offset."""
    lines = text.split("\n")
    before = lines[: line - 1]
    within = lines[line - 1].encode()[:column].decode(errors="ignore")
    return sum(utf16_length(row) + 1 for row in before) + utf16_length(within)


def apply_change(text: str, start: int, end: int, new: str) -> str:
    """Replace a range by a new text; a character is replaced even if only half is in range."""
    units = text.encode("utf-16-le", "surrogatepass")
    changed = units[: 2 * start] + new.encode("utf-16-le", "surrogatepass") + units[2 * end :]
    return changed.decode("utf-16-le", "surrogatepass")
