"""Whether an edit of a cell changes nothing of a call but its texts.

Two cells are compared as syntax trees. They may differ in the expressions that make the
texts, since those are evaluated anew; wherever else they differ, or where something else
that the call depends on follows from a changed text, only running the cell can tell.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnlab.live.expressions import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ChangedError(Unknown):
    """More than the texts has changed."""


Step = tuple[str, int | None]
"""From a node to one of its children: a field, and a place where the field is a list."""

SHOWN = ("print", "display")


def path_to(tree: ast.Module, node: ast.AST) -> list[Step]:
    """Find the way from a cell to one of its nodes.

    Raises
    ------
    LookupError
        Where the node is none of the cell's.
    """
    for step, child in _children(tree):
        if child is node:
            return [step]
        if any(part is node for part in ast.walk(child)):
            return [step, *path_to(child, node)]  # type: ignore[arg-type]
    raise LookupError("the node is not in the tree")


def at(tree: ast.AST, path: Iterable[Step]) -> ast.AST | None:
    """Go a way; None where it leads nowhere."""
    node: ast.AST | None = tree
    for name, index in path:
        held = getattr(node, name, None)
        if index is not None:
            held = held[index] if isinstance(held, list) and index < len(held) else None
        if not isinstance(held, ast.AST):
            return None
        node = held
    return node


def check(
    old: ast.Module, new: ast.Module, calls: list[list[Step]], texts: list[list[Step]]
) -> None:
    """Refuse an edit that changes more than texts.

    Parameters
    ----------
    old, new
        The cell as it ran, and as it is.
    calls
        Ways to the calls that must stay as they were, but for their texts.
    texts
        Ways to the expressions that the texts are made of.

    Raises
    ------
    Unknown
        Says what else has changed, and where in `new`.
    """
    edit = _Edit()
    for tree in (old, new):
        made = [node for path in texts if isinstance(node := at(tree, path), ast.expr)]
        edit.texts |= {id(node) for node in made}
        edit.made |= {id(node) for node in _sources(tree, made)}
    edit.compare(old, new, new)
    tainted = edit.tainted
    for statement in _in_order(new.body):
        if not _only_shows(statement) and tainted & {name.id for name in edit.loads(statement)}:
            tainted |= _stored(statement)
    for path in calls:
        call = at(new, path)
        if call is None:
            raise ChangedError("the call has gone")
        for name in edit.loads(call):
            if name.id in tainted:
                raise Unknown.at(name, f"`{name.id}` also depends on the text")


@dataclass
class _Edit:
    made: set[int] = field(default_factory=set)
    """Identities of the expressions that are evaluated anew, in both cells."""
    texts: set[int] = field(default_factory=set)
    """Of those, what is given to the calls."""
    tainted: set[str] = field(default_factory=set)
    """Names whose values may differ from those of the last run."""

    def compare(self, old: ast.AST, new: ast.AST, within: ast.AST) -> None:
        """Go through two nodes side by side; `within` is the statement that holds them."""
        within = new if isinstance(new, ast.stmt) else within
        if id(old) in self.made or id(new) in self.made:
            # What is given to a call is no name's value; what the call returns is made anew.
            if isinstance(within, ast.stmt) and new is _assigned(within) and _differ(old, new):
                self.tainted |= _targets(within)
            return
        before, after = list(_children(old)), list(_children(new))
        same = type(old) is type(new) and _leaves(old) == _leaves(new)
        if not same or [step for step, _ in before] != [step for step, _ in after]:
            raise ChangedError.at(
                new if hasattr(new, "lineno") else within, "more than the text has changed"
            )
        for (_, one), (_, other) in zip(before, after, strict=True):
            self.compare(one, other, within)

    def loads(self, node: ast.AST) -> Iterator[ast.Name]:
        """Names that a node reads, but in the texts that are given to the calls."""
        if id(node) in self.texts:
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node
        for _, child in _children(node):
            yield from self.loads(child)


def _differ(old: ast.AST, new: ast.AST) -> bool:
    return ast.dump(old) != ast.dump(new)


def _sources(tree: ast.Module, texts: list[ast.expr]) -> list[ast.expr]:
    """Expressions that texts are made of: themselves, and what is assigned to their names."""
    found = list(texts)
    needed = {name for text in texts for name in _loaded(text)}
    for statement in reversed(list(_in_order(tree.body))):
        value = _assigned(statement)
        if value is not None and _targets(statement) & needed:
            found.append(value)
            needed |= _loaded(value)
    return found


def _in_order(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in order, with those of blocks after the block itself."""
    for statement in body:
        yield statement
        for _, child in _children(statement):
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
    """Names that a simple statement assigns, or adds to."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append" | "extend"))):
            return {name}
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            # The root of `d["k"]` is read, not stored.
            return {
                part.id for own in targets for part in ast.walk(own) if isinstance(part, ast.Name)
            }
    return set()


def _stored(statement: ast.stmt) -> set[str]:
    """Names that a statement, or a block that it decides on, may assign."""
    inner = (own for own in _in_order([statement]))
    names = (
        part.id
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
    return {*names, *(name for own in inner for name in _targets(own))}


def _loaded(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _only_shows(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Name(name))):
            return name in SHOWN
    return False


def _children(node: ast.AST) -> Iterator[tuple[Step, ast.AST]]:
    for name, held in ast.iter_fields(node):
        if isinstance(held, ast.AST):
            yield (name, None), held
        elif isinstance(held, list):
            for index, child in enumerate(held):
                if isinstance(child, ast.AST):
                    yield (name, index), child


def _leaves(node: ast.AST) -> list[tuple[str, object]]:
    """Fields of a node without the nodes in them."""
    return [
        (
            name,
            [own for own in held if not isinstance(own, ast.AST)]
            if isinstance(held, list)
            else held,
        )
        for name, held in ast.iter_fields(node)
        if not isinstance(held, ast.AST)
    ]
