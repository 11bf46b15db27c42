"""Rewrites the syntax tree of a chat template, so that its operations spend from the budget.

Jinja has no hooks for loops, output, literals, slices and comparisons. They are passed through
filters, which `primitives` implements.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from attnlab.live.findings import NotComputedError
from attnlab.live.templates.filters import FILTERS, TESTS

STATEMENTS = (
    *(nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.Macro, nodes.CallBlock),
    *(nodes.FilterBlock, nodes.With, nodes.ExprStmt, nodes.Assign, nodes.AssignBlock),
    *(nodes.Continue, nodes.Break, nodes.Scope),
)
EXPRESSIONS = (
    *(nodes.Name, nodes.NSRef, nodes.Const, nodes.TemplateData, nodes.Tuple, nodes.List),
    *(nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test),
    *(nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare),
    *(nodes.Operand, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Add, nodes.Sub, nodes.Mod),
    *(nodes.Pow, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    nodes.ExtensionAttribute,
)


class Rewriter(NodeTransformer):
    """Rewrites a template, and rejects nodes whose cost is not known to be bounded."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Rewrite a node.

        Raises
        ------
        NotComputedError
            If the cost of the node is not known to be bounded.
        """
        if type(node) not in (*STATEMENTS, *EXPRESSIONS):
            kind = type(node).__name__
            raise NotComputedError(
                f"the chat template contains a {kind}, which cannot be evaluated while typing"
            )
        return super().visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802, D102
        if node.recursive:
            raise NotComputedError(
                "the chat template has a recursive loop, which cannot be evaluated while typing"
            )
        self.generic_visit(node)
        node.iter = _filtered("bounded items", node.iter)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802, D102
        node.nodes = [_filtered("bounded text", self._output(part)) for part in node.nodes]
        return node

    def _output(self, node: nodes.Expr) -> nodes.Expr:
        if type(node) is nodes.TemplateData:
            return nodes.Const(node.data, lineno=node.lineno)
        # Chat templates do not escape, so text marked as safe is like any other text.
        while type(node) is nodes.Filter and node.name == "safe" and node.node is not None:
            node = node.node
        rewritten: nodes.Expr = self.visit(node)
        return rewritten

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        return _filtered("bounded joined", *node.nodes)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        return _filtered("bounded made", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        return _filtered("bounded made", node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        return _filtered("bounded made", node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        none = nodes.Const(None, lineno=node.lineno)
        ends = (node.arg.start or none, node.arg.stop or none, node.arg.step or none)
        return _filtered("bounded sliced", node.node, *ends)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802, D102
        self.generic_visit(node)
        node.expr = _filtered("bounded seen", node.expr)
        for operand in node.ops:
            operand.expr = _filtered("bounded seen", operand.expr)
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802, D102
        if node.name not in FILTERS:
            raise NotComputedError(
                f"the chat template's filter `{node.name}` cannot be evaluated while typing"
            )
        self.generic_visit(node)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802, D102
        if node.name not in TESTS:
            raise NotComputedError(
                f"the chat template's test `{node.name}` cannot be evaluated while typing"
            )
        self.generic_visit(node)
        return node


def _filtered(name: str, node: nodes.Node, *args: nodes.Node) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
