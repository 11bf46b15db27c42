"""Which expressions of a cell are the texts that one of its calls was given.

Found when the call is made: the arguments are evaluated without running them, and must be
exactly what arrived. Later, in an edited cell, the same arguments give the new texts.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.live.edits import Step, at, check, path_to
from attnlab.live.expressions import Unknown, evaluate, said
from attnlab.live.statements import COMPREHENSIONS, names_at

if TYPE_CHECKING:
    from collections.abc import Mapping

Position = tuple[int, int, int, int]
"""First and last line, from 1, and first and last column, in UTF-8 bytes from 0."""


@dataclass(frozen=True, eq=False)
class Wording:
    """Where the texts of one call come from.

    Attributes
    ----------
    tree
        The cell as it ran.
    call
        Way to the call in the cell.
    texts
        Ways to the expressions, by the name of what they gave.
    """

    tree: ast.Module
    call: list[Step]
    texts: dict[str, list[Step]]

    @classmethod
    def of(
        cls, tree: ast.Module, place: Position, given: Mapping[str, Any], held: Mapping[str, Any]
    ) -> Wording:
        """Find the expressions of the texts that a call is given, while it is made.

        Parameters
        ----------
        tree
            The cell that runs.
        place
            Where in it the call stands.
        given
            The texts that arrived, by name.
        held
            The kernel's namespace.

        Raises
        ------
        Unknown
            Where a text is not found, with the reason.
        """
        call = call_at(tree, place)
        names = names_at(tree, call, held)
        offered = [_worth(node, names) for node in _arguments(call)]
        texts = {}
        for name, text in given.items():
            found = [node for node, value in offered if _same(value, text)]
            if not found:
                unknown = [value for _, value in offered if isinstance(value, Unknown)]
                why = f"`{said(call.func)}` is given another text than the cell writes"
                raise unknown[0] if unknown else Unknown.at(call, why)
            texts[name] = path_to(tree, found[0])
        return cls(tree, path_to(tree, call), texts)

    def reread(
        self, new: ast.Module, held: Mapping[str, Any], calls: list[list[Step]]
    ) -> dict[str, Any]:
        """Give the texts of an edited cell.

        Parameters
        ----------
        new
            The cell as it is now.
        held
            The kernel's namespace.
        calls
            Ways to other calls that must stay as they were.

        Raises
        ------
        Unknown
            Where only running the cell can tell, with the reason.
        """
        check(self.tree, new, [self.call, *calls], list(self.texts.values()))
        return self.read(new, held)

    def read(self, new: ast.Module, held: Mapping[str, Any]) -> dict[str, Any]:
        """Give the texts of an edited cell that is known to be like the one that ran.

        Raises
        ------
        Unknown
            Where only running the cell can tell, with the reason.
        """
        call = at(new, self.call)
        if not isinstance(call, ast.Call):
            raise Unknown("the call has gone")
        names = names_at(new, call, held)
        found = {}
        for name, path in self.texts.items():
            node = at(new, path)
            if not isinstance(node, ast.expr):
                raise Unknown.at(call, "the text has gone")
            found[name] = evaluate(node, names)
        return found


def call_at(tree: ast.Module, place: Position) -> ast.Call:
    """Find the call that stands at a place of a cell.

    Raises
    ------
    Unknown
        Where none does.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.Call, *COMPREHENSIONS)):
            own = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
            if own == place and isinstance(node, ast.Call):
                return node
            if own == place:
                raise Unknown.at(node, "the text comes from a loop")
    raise Unknown("the call is not written in this cell", place[0], place[2])


def _arguments(call: ast.Call) -> list[ast.expr]:
    """Arguments of a call, and of the calls around whose results it is made on."""
    plain = [node for node in call.args if not isinstance(node, ast.Starred)]
    return [*plain, *(keyword.value for keyword in call.keywords if keyword.arg is not None)]


def _worth(node: ast.expr, names: Mapping[str, Any]) -> tuple[ast.expr, Any]:
    try:
        return node, evaluate(node, names)
    except Unknown as found:
        return node, found


def _same(value: Any, text: Any) -> bool:
    """Whether two values are equal, and of the same types: True is no 1."""
    if type(value) is not type(text):
        return False
    if isinstance(value, list | tuple):
        return len(value) == len(text) and all(map(_same, value, text))
    if isinstance(value, dict):
        return value.keys() == text.keys() and all(_same(value[key], text[key]) for key in value)
    return bool(value == text)
