"""A cell's text as Python reads it, and as its person does."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from attnlab.live.expressions import Unknown
from attnlab.live.offsets import offset, utf16_length

Transform = Callable[[str], str]
"""How IPython makes Python of a cell: magics and shell commands become calls."""


class SyntaxUnknown(Unknown):
    """Python does not parse the cell."""


@dataclass(frozen=True, eq=False)
class Script:
    """One text of a cell.

    Attributes
    ----------
    text
        As it is written.
    code
        As Python gets it.
    tree
        What Python makes of it.
    """

    text: str
    code: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str, transform: Transform) -> Script:
        """Parse a cell.

        Raises
        ------
        SyntaxUnknown
            Where Python does not.
        """
        try:
            code = transform(text)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Running the cell warns; typing in it does not.
                return cls(text, code, ast.parse(code))
        except SyntaxError as error:
            # Its column counts characters, from 1, and both may be missing.
            line = error.lineno or 1
            lines = text.splitlines() or [""]
            row = lines[min(line, len(lines)) - 1]
            column = len(row[: max(0, (error.offset or 1) - 1)].encode())
            raise SyntaxUnknown(error.msg or "it is no Python", line, column) from None
        except (ValueError, RecursionError, MemoryError) as error:  # NUL; too deep
            raise SyntaxUnknown(str(error) or type(error).__name__) from None

    def span(self, found: Unknown) -> tuple[int, int]:
        """Find the rest of the line that a finding is about, in UTF-16 code units."""
        return span(self.text, found)

    @property
    def as_written(self) -> bool:
        """Whether Python gets what is written, so that places in one are places in the other."""
        return self.code.rstrip("\n") == self.text.rstrip("\n")


def span(text: str, found: Unknown) -> tuple[int, int]:
    """Find the rest of the line that a finding is about, in UTF-16 code units."""
    lines = text.split("\n")
    line = min(max(found.line, 1), len(lines))
    row = lines[line - 1]
    start = offset(text, line, min(found.column, len(row.encode())))
    end = offset(text, line, len(row.rstrip().encode()))
    return (start, end) if start < end else (max(0, end - 1), max(end, utf16_length(row[:1])))
