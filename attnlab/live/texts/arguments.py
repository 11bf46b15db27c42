"""The expressions of a cell that are the text arguments of one of its calls.

They are found when the call is made: the arguments are evaluated without running them, and must
equal the values that the call received. In an edited cell, the same arguments give the new texts.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.statements import COMPREHENSIONS, names_at
from attnlab.live.findings import Finding, NotComputedError, quote
from attnlab.live.texts.edits import check_edit
from attnlab.live.texts.paths import Step, node_at, path_to
from attnlab.live.values.budget import Budget
from attnlab.live.values.plain_data import copy_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

Position = tuple[int, int, int, int]
"""First and last line, from 1, and first and last column, in UTF-8 bytes from 0."""


@dataclass(frozen=True, eq=False)
class TextArguments:
    """The expressions of the texts of one call.

    Attributes
    ----------
    tree
        The cell as it ran.
    call
        Path to the call in the cell.
    texts
        Paths to the expressions, by argument name.
    """

    tree: ast.Module
    call: list[Step]
    texts: dict[str, list[Step]]

    @classmethod
    def of(
        cls,
        tree: ast.Module,
        position: Position,
        given: Mapping[str, Any],
        namespace: Mapping[str, Any],
    ) -> TextArguments:
        """Find the expressions of the texts of a call while it is made.

        Parameters
        ----------
        tree
            The cell that runs.
        position
            Position of the call in the cell.
        given
            The texts that the call received, by argument name.
        namespace
            The kernel's namespace.

        Raises
        ------
        Finding
            If the expression of a text is not found.
        """
        call = call_at(tree, position)
        budget = Budget()
        names = names_at(tree, call, namespace, budget)
        values = [_value(node, names, budget) for node in _arguments(call)]
        texts = {}
        for name, text in given.items():
            received = _plain(call, text, budget)
            found = [node for node, value in values if _same(value, received)]
            if not found:
                unknown = [value for _, value in values if isinstance(value, Finding)]
                why = f"`{quote(call.func)}` received a text that is not in the cell"
                raise unknown[0].bare if unknown else Finding.at(call, why)
            texts[name] = path_to(tree, found[0])
        return cls(tree, path_to(tree, call), texts)

    def reread(
        self, new: ast.Module, namespace: Mapping[str, Any], calls: list[list[Step]]
    ) -> dict[str, Any]:
        """Check an edited cell, and evaluate its texts.

        Parameters
        ----------
        new
            The edited cell.
        namespace
            The kernel's namespace.
        calls
            Paths to other calls that must be unchanged.

        Raises
        ------
        Finding
            If a text is known only by running the cell.
        """
        check_edit(self.tree, new, [self.call, *calls], list(self.texts.values()))
        return self.read(new, namespace, Budget())

    def read(self, new: ast.Module, namespace: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
        """Evaluate the texts of an edited cell that `check_edit` has accepted.

        Parameters
        ----------
        new, namespace
            As in `reread`.
        budget
            Budget for the evaluation.

        Raises
        ------
        Finding
            If a text is known only by running the cell.
        """
        call = node_at(new, self.call)
        if not isinstance(call, ast.Call):
            raise Finding("the call was removed")
        names = names_at(new, call, namespace, budget)
        found = {}
        for name, path in self.texts.items():
            node = node_at(new, path)
            if not isinstance(node, ast.expr):
                raise Finding.at(call, "the text was removed")
            found[name] = evaluate(node, names, budget)
        return found


def call_at(tree: ast.Module, position: Position) -> ast.Call:
    """Find the call at a position of a cell.

    Raises
    ------
    Finding
        If there is no call.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.Call, *COMPREHENSIONS)):
            found = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
            if found == position and isinstance(node, ast.Call):
                return node
            if found == position:
                raise Finding.at(node, "the text comes from a loop")
    raise Finding("the call is not written in this cell", position[0], position[2])


def _arguments(call: ast.Call) -> list[ast.expr]:
    """Arguments of a call, except those that are unpacked with ``*`` or ``**``."""
    plain = [node for node in call.args if not isinstance(node, ast.Starred)]
    return [*plain, *(keyword.value for keyword in call.keywords if keyword.arg is not None)]


def _plain(call: ast.Call, text: Any, budget: Budget) -> Any:
    """Copy a text that a call received: comparing anything but plain data may run code."""
    try:
        return copy_plain(text, budget)
    except NotComputedError as found:
        raise Finding.at(
            call, f"`{quote(call.func)}` received something other than text: {found.why}"
        ) from None


def _value(node: ast.expr, names: Mapping[str, Any], budget: Budget) -> tuple[ast.expr, Any]:
    try:
        return node, evaluate(node, names, budget)
    except Finding as found:
        return node, found.bare


def _same(value: Any, text: Any) -> bool:
    """Whether two values are equal and have the same types: True is not 1."""
    if type(value) is not type(text):
        return False
    if isinstance(value, list | tuple):
        return len(value) == len(text) and all(map(_same, value, text))
    if isinstance(value, dict):
        return value.keys() == text.keys() and all(_same(value[key], text[key]) for key in value)
    return bool(value == text)
