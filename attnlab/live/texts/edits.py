"""Checks that an edit of a cell changes only the texts of its model calls.

Two cells are compared as syntax trees. They may differ in the expressions of the texts, because
these are evaluated again. If they differ anywhere else, or if the call also depends on a changed
text in another way, the result is known only by running the cell.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnlab.live.findings import Finding
from attnlab.live.texts.paths import children, node_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.live.texts.paths import Step


class ChangedError(Finding):
    """More than the texts has changed."""


SHOWN = ("print", "display")
"""Functions that only show their arguments."""


def check_edit(
    old: ast.Module, new: ast.Module, calls: list[list[Step]], texts: list[list[Step]]
) -> None:
    """Reject an edit that changes more than texts.

    Parameters
    ----------
    old, new
        The cell as it ran, and the edited cell.
    calls
        Paths to the calls, which must be unchanged except for their texts.
    texts
        Paths to the expressions of the texts.

    Raises
    ------
    Finding
        With the reason and the position of the other change in `new`.
    """
    edit = _Edit()
    for tree in (old, new):
        made = [node for path in texts if isinstance(node := node_at(tree, path), ast.expr)]
        edit.texts |= {id(node) for node in made}
        edit.made |= {id(node) for node in _sources(tree, made)}
    edit.compare(old, new, new)
    tainted = edit.tainted
    for statement in _in_order(new.body):
        if not _only_shows(statement) and tainted & {name.id for name in edit.loads(statement)}:
            tainted |= _stored(statement)
    for path in calls:
        call = node_at(new, path)
        if call is None:
            raise ChangedError("the call was removed")
        for name in edit.loads(call):
            if name.id in tainted:
                raise Finding.at(name, f"`{name.id}` also depends on the text")


@dataclass
class _Edit:
    made: set[int] = field(default_factory=set)
    """Identities of the expressions that are evaluated again, in both cells."""
    texts: set[int] = field(default_factory=set)
    """Identities of those among them that are arguments of the calls."""
    tainted: set[str] = field(default_factory=set)
    """Names whose values may differ from the last run."""

    def compare(self, old: ast.AST, new: ast.AST, within: ast.AST) -> None:
        """Compare two nodes and their children; `within` is the statement around them."""
        within = new if isinstance(new, ast.stmt) else within
        if id(old) in self.made or id(new) in self.made:
            # Only assigned values taint a name; results of the calls are computed again.
            if isinstance(within, ast.stmt) and new is _assigned(within) and _differ(old, new):
                self.tainted |= _targets(within)
            return
        before, after = list(children(old)), list(children(new))
        same = type(old) is type(new) and _leaves(old) == _leaves(new)
        if not same or [step for step, _ in before] != [step for step, _ in after]:
            raise ChangedError.at(
                new if hasattr(new, "lineno") else within, "more than the text has changed"
            )
        for (_, one), (_, other) in zip(before, after, strict=True):
            self.compare(one, other, within)

    def loads(self, node: ast.AST) -> Iterator[ast.Name]:
        """Names that a node reads, except in the texts of the calls."""
        if id(node) in self.texts:
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node
        for _, child in children(node):
            yield from self.loads(child)


def _differ(old: ast.AST, new: ast.AST) -> bool:
    return ast.dump(old) != ast.dump(new)


def _sources(tree: ast.Module, texts: list[ast.expr]) -> list[ast.expr]:
    """Expressions that determine texts: the texts themselves and assignments to their names."""
    found = list(texts)
    needed = {name for text in texts for name in _loaded(text)}
    for statement in reversed(list(_in_order(tree.body))):
        value = _assigned(statement)
        if value is not None and _targets(statement) & needed:
            found.append(value)
            needed |= _loaded(value)
    return found


def _in_order(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in order; those of a block follow the block itself."""
    for statement in body:
        yield statement
        for _, child in children(statement):
            if isinstance(child, ast.stmt):
                yield from _in_order([child])


def _assigned(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(_, value) | ast.AugAssign(_, _, value) | ast.AnnAssign(_, _, value):
            return value
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(), "append" | "extend"), [value], [])):
            return value
    return None


def _targets(statement: ast.AST) -> set[str]:
    """Names that a simple statement assigns or appends to."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append" | "extend"))):
            return {name}
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            # `ast.Store` is not enough: the root of `d["k"]` has the context `ast.Load`.
            return {
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return set()


def _stored(statement: ast.stmt) -> set[str]:
    """Names that a statement, or a statement inside its block, may assign."""
    names = (
        part.id
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
    return {*names, *(name for inner in _in_order([statement]) for name in _targets(inner))}


def _loaded(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _only_shows(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Name(name))):
            return name in SHOWN
    return False


def _leaves(node: ast.AST) -> list[tuple[str, object]]:
    """Fields of a node that are not nodes."""
    return [
        (
            name,
            [item for item in value if not isinstance(item, ast.AST)]
            if isinstance(value, list)
            else value,
        )
        for name, value in ast.iter_fields(node)
        if not isinstance(value, ast.AST)
    ]
