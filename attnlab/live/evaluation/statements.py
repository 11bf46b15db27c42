"""Values of the names of a cell before one of its calls, found without running it.

Statements are evaluated in order, as long as they run one after another. Loops, functions, and
conditions whose value is unknown are not evaluated: the value of a name that is assigned there is
a `Finding` with its position.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from attnlab.live.evaluation.expressions import bind_target, evaluate
from attnlab.live.evaluation.names import Names
from attnlab.live.findings import Finding, NotComputedError, quote
from attnlab.live.values.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLLOWED = (ast.With, ast.AsyncWith, ast.Try)
"""Blocks whose statements run at most once, in order."""

LOOPS = (ast.For, ast.AsyncFor, ast.While)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
ITEMS = (list, dict, tuple)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def names_at(
    tree: ast.Module, node: ast.AST, namespace: Mapping[str, Any], budget: Budget | None = None
) -> Mapping[str, Any]:
    """Find the values of names when execution reaches a node of a cell.

    Parameters
    ----------
    tree
        The cell.
    node
        A node of the cell.
    namespace
        The kernel's namespace, or `Names` of it. Names that the cell assigns are never read from
        it, because it has their values at the end of the last run.
    budget
        Budget for evaluating the cell; a new one by default.

    Raises
    ------
    Finding
        If the node runs conditionally, more than once or in a function.
    """
    budget = budget or Budget()
    names = namespace if isinstance(namespace, Names) else Names(namespace, budget)
    evaluation = _Evaluation(names, budget)
    try:
        evaluation.run_until(tree.body, node)
    except NotComputedError as error:
        raise Finding.at(node, error.why) from None
    return evaluation.names


class _Evaluation:
    """Evaluates statements, and updates the names that they assign."""

    def __init__(self, names: Names, budget: Budget) -> None:
        self._assigned: dict[str, Any] = {}
        self.names: Mapping[str, Any] = ChainMap(self._assigned, names)  # type: ignore[arg-type]
        self._budget = budget

    def run_until(self, body: list[ast.stmt], node: ast.AST) -> None:
        """Evaluate the statements before a node."""
        for statement in body:
            self._budget.spend()
            path = _path(statement, node)
            if not path:
                self._run(statement)
                continue
            inner = path[1] if len(path) > 1 else node
            if isinstance(statement, FOLLOWED) and _has(statement.body, inner):
                self._enter(statement)
                return self.run_until(statement.body, node)
            if isinstance(statement, ast.If) and (branch := self._branch(statement)) is not None:
                if not _has(branch, inner):
                    raise Finding.at(statement, "the text is in a branch that is not run")
                return self.run_until(branch, node)
            return _check_once(path)
        return None

    def _run(self, statement: ast.stmt) -> None:
        """Update the names that a statement assigns."""
        self._budget.spend()
        self._forget_inner(statement)
        match statement:
            case ast.Assign(targets, value):
                for target in targets:
                    self._assign(target, value)
            case ast.AnnAssign(target, _, ast.expr() as value):
                self._assign(target, value)
            case ast.AugAssign(ast.Name(name) as target, operation, value):
                before = ast.copy_location(ast.Name(name, ast.Load()), target)
                added = ast.copy_location(ast.BinOp(before, operation, value), statement)
                self._forget_aliases(name)
                self._assign(target, added)
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), method), [value], [])) if (
                method in ("append", "extend") and name in self._assigned
            ):
                self._forget_aliases(name)
                self._assign(ast.Name(name, ast.Store()), _grown(name, method, value))
            case ast.With() | ast.AsyncWith() | ast.Try():
                self._enter(statement)
                for part in statement.body:
                    self._run(part)
                if isinstance(statement, ast.Try):
                    for rest in (*statement.handlers, *statement.orelse, *statement.finalbody):
                        self._forget(rest, "an exception may have changed it")
            case ast.If() if (branch := self._branch(statement)) is not None:
                for part in branch:
                    self._run(part)
            case ast.Import(aliases) | ast.ImportFrom(_, aliases):
                for alias in aliases:  # importing it again gives the same module
                    self._assigned.pop((alias.asname or alias.name).split(".")[0], None)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                self._assigned[name] = Finding.at(statement, f"`{name}` is a function of the cell")
            case ast.Expr(ast.Call(ast.Name("print" | "display"))):
                pass
            case ast.Expr(ast.Call() as call):
                self._forget_changed(call, f"`{quote(call)}` may have changed it")
            case ast.Expr():
                pass
            case _ if isinstance(statement, LOOPS):
                self._forget(statement, "it comes from a loop")
            case _:
                self._forget(statement, "it depends on a condition")

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        try:
            self._assigned.update(bind_target(target, evaluate(value, self.names, self._budget)))
        except Finding as found:
            self._forget_changed(target, f"`{quote(target)}` is assigned")
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    # This includes the root of `text[0]`, which is modified in place.
                    self._assigned[node.id] = found.bare

    def _branch(self, statement: ast.If) -> list[ast.stmt] | None:
        """Find the branch that runs; None if the value of the condition is unknown."""
        try:
            holds = evaluate(statement.test, self.names, self._budget)
        except Finding:
            return None
        return statement.body if holds else statement.orelse

    def _enter(self, statement: ast.stmt) -> None:
        """Forget the names that a ``with`` statement assigns."""
        for item in getattr(statement, "items", []):
            if item.optional_vars is not None:
                self._forget(item.optional_vars, "it is assigned by a with statement")

    def _forget_inner(self, statement: ast.stmt) -> None:
        """Forget names that an expression assigns with ``:=``."""
        for node in ast.walk(statement):
            if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
                why = f"`{quote(node)}` cannot be evaluated while typing"
                self._assigned[node.target.id] = Finding.at(node, why)

    def _forget_aliases(self, name: str) -> None:
        """Forget other names that may be, or contain, a list that is modified in place."""
        if type(self.names.get(name)) not in (list, dict):
            return
        for other, value in self._assigned.items():
            if other != name and type(value) in ITEMS:
                why = f"`{other}` is unknown: it may be `{name}`, which is modified"
                self._assigned[other] = Finding(why)

    def _forget_changed(self, node: ast.AST, why: str) -> None:
        """Forget lists and dicts that a statement may modify, and names that may contain them."""
        parts = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
        changed = [part for part in parts if type(self.names.get(part.id)) in ITEMS]
        for part in changed:
            self._budget.spend(1 + len(self._assigned))
            self._forget_aliases(part.id)
        for part in changed:
            self._assigned[part.id] = Finding.at(part, f"`{part.id}` is unknown: {why}")

    def _forget(self, node: ast.AST, why: str) -> None:
        """Forget names that a block may assign, and values that it may modify in place."""
        self._forget_changed(node, why)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del):
                self._assigned[part.id] = Finding.at(part, f"`{part.id}` is unknown: {why}")


def _check_once(path: list[ast.AST]) -> None:
    """Check that a node runs exactly once; `path` leads to it."""
    for node in path:
        if isinstance(node, (*LOOPS, *COMPREHENSIONS)):
            raise Finding.at(node, "the text comes from a loop")
        if isinstance(node, DEFINITIONS):
            raise Finding.at(node, "the text comes from a function of the cell")
        if isinstance(node, ast.If | ast.Match | ast.IfExp | ast.Try):
            raise Finding.at(node, "the text depends on a condition")


def _grown(name: str, method: str, value: ast.expr) -> ast.List:
    """Write the result of ``name.append(value)`` or ``name.extend(value)`` as a new list."""
    before = ast.Starred(ast.Name(name, ast.Load()), ast.Load())
    item = value if method == "append" else ast.Starred(value, ast.Load())
    return ast.fix_missing_locations(ast.copy_location(ast.List([before, item], ast.Load()), value))


def _path(outer: ast.AST, inner: ast.AST) -> list[ast.AST]:
    """List the nodes around a node, outermost first; empty if it is not in `outer`."""
    parents: dict[ast.AST, ast.AST] = {}
    for node in ast.walk(outer):
        if node is inner:
            path = [] if node is not outer else [outer]
            while node is not outer:
                node = parents[node]
                path.append(node)
            return path[::-1]
        parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))
    return []


def _has(nodes: list[ast.stmt], node: ast.AST) -> bool:
    return any(other is node for other in nodes)
