"""A cell's text, the Python code that it becomes, and the syntax tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.live.findings import Finding
from attnlab.live.source.magics import check_transformers, code_of
from attnlab.live.source.offsets import offset, utf16_length
from attnlab.live.source.parsing import parse

if TYPE_CHECKING:
    import ast

Transform = Callable[[str], str]
"""Converts a cell to Python: magics and shell commands become calls."""


class SyntaxFinding(Finding):
    """Python cannot parse the cell."""


@dataclass(frozen=True, eq=False)
class Script:
    """One text of a cell.

    Attributes
    ----------
    text
        The text in the editor.
    code
        The Python code after the transformation.
    tree
        The syntax tree of the code.
    """

    text: str
    code: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str, transform: Transform = code_of) -> Script:
        """Parse a cell.

        Parameters
        ----------
        text
            The cell.
        transform
            Conversion to Python. The shell's may run user code, and must only be used for a cell
            that is about to run.

        Raises
        ------
        SyntaxFinding
            If Python cannot parse it.
        """
        try:
            code = transform(text)
            return cls(text, code, parse(code))
        except SyntaxError as error:
            # The column counts characters from 1; line and column may be missing.
            line = error.lineno or 1
            lines = text.splitlines() or [""]
            row = lines[min(line, len(lines)) - 1]
            column = len(row[: max(0, (error.offset or 1) - 1)].encode())
            raise SyntaxFinding(error.msg or "it is not valid Python", line, column) from None
        except (ValueError, RecursionError, MemoryError) as error:  # NUL; too deep
            raise SyntaxFinding(str(error) or type(error).__name__) from None

    def edited(self, text: str, transform: Transform) -> Script:
        """Parse an edited text of the same cell, without running code.

        Parameters
        ----------
        text
            The edited text.
        transform
            The shell's conversion, which produced the code of this script.

        Raises
        ------
        Finding
            If Python cannot parse it, or the shell has custom transformations.
        """
        if text == self.text:
            return Script.of(text, lambda _: self.code)
        check_transformers(transform)
        if code_of(self.text).rstrip("\n") != self.code.rstrip("\n"):
            raise Finding("the notebook has a custom transformation of cells")
        return Script.of(text)

    def span(self, found: Finding) -> tuple[int, int]:
        """Find the range of a finding: the rest of its line, in UTF-16 code units."""
        return span(self.text, found)

    @property
    def as_written(self) -> bool:
        """Whether code and text are equal, so that positions in one are valid in the other."""
        return self.code.rstrip("\n") == self.text.rstrip("\n")


def span(text: str, found: Finding) -> tuple[int, int]:
    """Find the range of a finding: the rest of its line, in UTF-16 code units."""
    lines = text.split("\n")
    line = min(max(found.line, 1), len(lines))
    row = lines[line - 1]
    start = offset(text, line, min(found.column, len(row.encode())))
    end = offset(text, line, len(row.rstrip().encode()))
    return (start, end) if start < end else (max(0, end - 1), max(end, utf16_length(row[:1])))
