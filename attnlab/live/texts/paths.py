"""Paths from the root of a syntax tree to its nodes, to find them again in an edited tree."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Step = tuple[str, int | None]
"""From a node to one of its children: a field, and an index if the field is a list."""


def path_to(tree: ast.Module, node: ast.AST) -> list[Step]:
    """Find the path from a cell to one of its nodes.

    Raises
    ------
    LookupError
        If the node is not in the tree.
    """
    parents: dict[ast.AST, tuple[Step, ast.AST]] = {}
    for outer in ast.walk(tree):
        for step, child in children(outer):
            # Contexts like `ast.Load()` are the same object everywhere.
            parents.setdefault(child, (step, outer))
    path: list[Step] = []
    part: ast.AST = node
    while part is not tree:
        if part not in parents:
            raise LookupError("the node is not in the tree")
        step, part = parents[part]
        path.append(step)
    return path[::-1]


def node_at(tree: ast.AST, path: Iterable[Step]) -> ast.AST | None:
    """Find the node at a path; None if there is none."""
    node: ast.AST | None = tree
    for name, index in path:
        child = getattr(node, name, None)
        if index is not None:
            child = child[index] if isinstance(child, list) and index < len(child) else None
        if not isinstance(child, ast.AST):
            return None
        node = child
    return node


def children(node: ast.AST) -> Iterator[tuple[Step, ast.AST]]:
    """List the children of a node with the steps that lead to them."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield (name, None), value
        elif isinstance(value, list):
            for index, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield (name, index), child
