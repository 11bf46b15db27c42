"""Reasons why something cannot be known without running the cell."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from typing import Self

QUOTED = 40
"""Characters of an expression that a reason quotes."""


@dataclass(frozen=True)
class Finding(Exception):  # noqa: N818 - a result, not a fault
    """Why a value cannot be known without running the cell, and the position of the cause.

    Attributes
    ----------
    why
        The reason, as a clause to follow a colon.
    line, column
        Position in the cell as `ast` counts: lines from 1, columns from 0 in UTF-8 bytes.
    """

    why: str
    line: int = 1
    column: int = 0

    @classmethod
    def at(cls, node: ast.AST, why: str) -> Finding:
        """Create a finding at the position of a node."""
        return cls(why, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))

    @property
    def bare(self) -> Self:
        """A copy without traceback, to store or to raise again: a traceback keeps frames alive."""
        return type(self)(self.why, self.line, self.column)


class OpaqueError(Finding):
    """A name refers to something other than plain data, e.g. a module."""


class TooLongError(Finding):
    """A cell or a text has more characters than are evaluated while typing."""


class NotComputedError(Exception):
    """Why an operation is not computed; raised where its position in the cell is unknown.

    Attributes
    ----------
    why
        The reason, a clause.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def quote(node: ast.AST) -> str:
    """Quote the source of a node, shortened to fit into a sentence."""
    try:
        return textwrap.shorten(ast.unparse(node)[: 4 * QUOTED], QUOTED, placeholder="…")
    except RecursionError:
        return "…"
