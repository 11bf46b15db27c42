"""What the names of a cell are worth before one of its calls, found without running it.

Statements are followed in order, as far as they run one after another. What a loop, a
condition that cannot be told or a function decides is not followed: names that are
assigned there are `Unknown`, with the place.
"""

from __future__ import annotations

import ast
import textwrap
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from attnlab.live.expressions import (
    PURE,
    OpaqueError,
    Unknown,
    bound,
    evaluate,
    is_tokenizer,
    plain,
    said,
)

FOLLOWED = (ast.With, ast.AsyncWith, ast.Try)
"""Blocks whose statements run once, in order, where they run at all."""

LOOPS = (ast.For, ast.AsyncFor, ast.While)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Names(Mapping[str, Any]):
    """The notebook's names as an evaluation may read them: plain data, tokenizers, pure functions.

    Parameters
    ----------
    held
        The kernel's namespace; each name is read once, when it is asked for first.
    """

    def __init__(self, held: Mapping[str, Any]) -> None:
        self._held = held
        self._read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            self._read[name] = self._readable(name, self._held[name])
        return self._read[name]

    def _readable(self, name: str, value: Any) -> Any:
        if value is textwrap or is_tokenizer(value) or any(value is own for own in PURE):
            return value
        try:
            return plain(ast.Name(name), value)
        except Unknown as found:
            return OpaqueError(f"`{name}` is not known: {found.why}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def names_at(tree: ast.Module, place: ast.AST, held: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find what names are worth when a cell comes to one of its nodes.

    Parameters
    ----------
    tree
        The cell.
    place
        One of its nodes.
    held
        The kernel's namespace. A name that the cell assigns is never read from it: it
        holds what the name was at the end of the last run.

    Raises
    ------
    Unknown
        Where the node runs more than once, or in a function.
    """
    own: dict[str, Any] = {}
    names = ChainMap(own, Names(held))  # type: ignore[arg-type]
    _follow(tree.body, place, own, names)
    return names


def _follow(
    body: list[ast.stmt], place: ast.AST, own: dict[str, Any], names: Mapping[str, Any]
) -> None:
    for statement in body:
        if not _holds(statement, place):
            _apply(statement, own, names)
        elif isinstance(statement, FOLLOWED) and any(
            _holds(part, place) for part in statement.body
        ):
            _enter(statement, own, names)
            return _follow(statement.body, place, own, names)
        elif isinstance(statement, ast.If) and (branch := _branch(statement, names)) is not None:
            if not any(_holds(part, place) for part in branch):
                raise Unknown.at(statement, "the condition above the text does not hold")
            return _follow(branch, place, own, names)
        else:
            _check_once(statement, place)
            return None
    return None


def _check_once(statement: ast.stmt, place: ast.AST) -> None:
    """Refuse a place that may be come to many times, or never."""
    for node in ast.walk(statement):
        if node is place or not _holds(node, place):
            continue
        if isinstance(node, (*LOOPS, *COMPREHENSIONS)):
            raise Unknown.at(node, "the text comes from a loop")
        if isinstance(node, FUNCTIONS):
            raise Unknown.at(node, "the text comes from a function of the cell")
        if isinstance(node, ast.If | ast.Match | ast.IfExp | ast.Try):
            raise Unknown.at(node, "the text depends on a condition")


def _apply(statement: ast.stmt, own: dict[str, Any], names: Mapping[str, Any]) -> None:
    """Change names as a statement does."""
    _forget_inner(statement, own)
    match statement:
        case ast.Assign(targets, value):
            for target in targets:
                _assign(target, value, own, names)
        case ast.AnnAssign(target, _, ast.expr() as value):
            _assign(target, value, own, names)
        case ast.AugAssign(ast.Name(name) as target, operation, value):
            before = ast.copy_location(ast.Name(name, ast.Load()), target)
            added = ast.copy_location(ast.BinOp(before, operation, value), statement)
            _forget_aliases(name, own, names)
            _assign(target, added, own, names)
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), method), [value], [])) if (
            method in ("append", "extend") and name in own
        ):
            _forget_aliases(name, own, names)
            _assign(ast.Name(name, ast.Store()), _grown(name, method, value), own, names)
        case ast.With() | ast.AsyncWith() | ast.Try():
            _enter(statement, own, names)
            for part in statement.body:
                _apply(part, own, names)
            if isinstance(statement, ast.Try):
                for rest in (*statement.handlers, *statement.orelse, *statement.finalbody):
                    _forget(rest, own, names, "an exception may have changed it")
        case ast.If() if (branch := _branch(statement, names)) is not None:
            for part in branch:
                _apply(part, own, names)
        case ast.Import(aliases) | ast.ImportFrom(_, aliases):
            for alias in aliases:  # what it is now is what it was
                own.pop((alias.asname or alias.name).split(".")[0], None)
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            own[name] = Unknown.at(statement, f"`{name}` is a function of the cell")
        case ast.Expr(ast.Call(ast.Name("print" | "display"))):
            pass
        case ast.Expr(ast.Call() as call):
            _forget_changed(call, own, names, f"`{said(call)}` may have changed it")
        case ast.Expr():
            pass
        case _ if isinstance(statement, LOOPS):
            _forget(statement, own, names, "it comes from a loop")
        case _:
            _forget(statement, own, names, "it depends on a condition")


def _grown(name: str, method: str, value: ast.expr) -> ast.List:
    """Write ``name.append(value)`` or ``name.extend(value)`` as a new list."""
    before = ast.Starred(ast.Name(name, ast.Load()), ast.Load())
    item = value if method == "append" else ast.Starred(value, ast.Load())
    return ast.fix_missing_locations(ast.copy_location(ast.List([before, item], ast.Load()), value))


def _assign(
    target: ast.expr, value: ast.expr, own: dict[str, Any], names: Mapping[str, Any]
) -> None:
    try:
        own |= bound(target, evaluate(value, names))
    except Unknown as found:
        _forget_changed(target, own, names, f"`{said(target)}` is assigned")
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                # The root of `text[0]` too: it is changed in place.
                own[node.id] = found


def _branch(statement: ast.If, names: Mapping[str, Any]) -> list[ast.stmt] | None:
    """Tell which branch runs; None where that cannot be told."""
    try:
        return statement.body if evaluate(statement.test, names) else statement.orelse
    except Unknown:
        return None


def _enter(statement: ast.stmt, own: dict[str, Any], names: Mapping[str, Any]) -> None:
    """Forget what a ``with`` names."""
    for item in getattr(statement, "items", []):
        if item.optional_vars is not None:
            _forget(item.optional_vars, own, names, "it is what a with statement gives")


def _forget_inner(statement: ast.stmt, own: dict[str, Any]) -> None:
    """Forget names that an expression assigns by ``:=``."""
    for node in ast.walk(statement):
        if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            own[node.target.id] = Unknown.at(node, f"`{said(node)}` is known only by running it")


def _forget_aliases(name: str, own: dict[str, Any], names: Mapping[str, Any]) -> None:
    """Forget what else may be, or hold, a list that is changed in place."""
    if not isinstance(names.get(name), list | dict):
        return
    for other, value in own.items():
        if other != name and isinstance(value, list | dict | tuple):
            own[other] = Unknown(f"`{other}` is not known: it may be `{name}`, which is changed")


def _forget_changed(node: ast.AST, own: dict[str, Any], names: Mapping[str, Any], why: str) -> None:
    """Forget lists and dicts that a statement may change in place, and what may hold them."""
    changed = [
        part
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(names.get(part.id), list | dict | tuple)
    ]
    for part in changed:
        _forget_aliases(part.id, own, names)
    for part in changed:
        own[part.id] = Unknown.at(part, f"`{part.id}` is not known: {why}")


def _forget(node: ast.AST, own: dict[str, Any], names: Mapping[str, Any], why: str) -> None:
    """Forget names that a block may assign, and what it may change in place."""
    _forget_changed(node, own, names, why)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del):
            own[part.id] = Unknown.at(part, f"`{part.id}` is not known: {why}")


def _holds(outer: ast.AST, node: ast.AST) -> bool:
    return any(part is node for part in ast.walk(outer))
