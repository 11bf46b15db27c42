"""Values of the expressions of a cell, found without running it.

Only expressions without side effects are evaluated: literals, f-strings, arithmetic, slices,
comprehensions, methods of strings, a few pure functions, chat templates and special tokens of a
tokenizer, and names whose values are plain data. Everything else raises a `Finding` with its
position and the reason. So do errors that Python itself would raise, which are frequent while a
person is typing.

No user code runs, because only values of exactly the built-in types are used (see
`values.plain_data`). No evaluation exceeds its budget, because each operation is checked before it
is computed (see `values.budget`).
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections import ChainMap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.live.findings import Finding, NotComputedError, OpaqueError, quote
from attnlab.live.templates import tokenizers
from attnlab.live.values.budget import Budget
from attnlab.live.values.formatting import convert_value, format_value
from attnlab.live.values.methods import call_method
from attnlab.live.values.operators import (
    FUNCTIONS,
    apply_binary,
    call_function,
    compare,
    take_slice,
)
from attnlab.live.values.plain_data import class_name, copy_plain, is_plain, spend_hashing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: lambda value: +value,
    ast.USub: lambda value: -value,
    ast.Not: lambda value: not value,
}
COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
MISSING = object()

QUOTED = 200
"""Characters of an error message that are quoted."""


def evaluate(node: ast.expr, names: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """Find the value of an expression.

    Parameters
    ----------
    node
        The expression.
    names
        Values of names, see `names.Names`; a `Finding` represents an unknown value.
    budget
        Budget for the evaluation; a new one by default.

    Returns
    -------
    object
        Plain data: strings, numbers, None; new lists, tuples and dicts of these.

    Raises
    ------
    Finding
        If the value is known only by running the cell.
    """
    return _Evaluation(names, budget or Budget()).value(node)


@dataclass(frozen=True)
class _Evaluation:
    names: Mapping[str, Any]
    budget: Budget

    def value(self, node: ast.expr) -> Any:
        try:
            if isinstance(node, ast.Name):
                return self._plain_name(node)
            return copy_plain(self._value(node), self.budget)
        except Finding:
            raise
        except NotComputedError as error:
            raise Finding.at(node, error.why) from None
        except RecursionError:
            raise Finding.at(node, "it is nested too deeply") from None
        except Exception as error:  # noqa: BLE001 - the cell itself would raise it
            message = f"{type(error).__name__}: {error}"
            raise Finding.at(node, message[:QUOTED]) from None

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.JoinedStr(parts):
                return self._joined(parts)
            case ast.List(items):
                return self._items(items)
            case ast.Tuple(items):
                return tuple(self._items(items))
            case ast.Dict():
                return self._dict(node)
            case ast.BinOp(left, operation, right) if type(operation) in BINARY:
                symbol = BINARY[type(operation)]
                return apply_binary(symbol, self.value(left), self.value(right), self.budget)
            case ast.UnaryOp(operation, operand) if type(operation) in UNARY:
                return UNARY[type(operation)](self.value(operand))
            case ast.BoolOp(operation, operands):
                return self._first(operands, isinstance(operation, ast.Or))
            case ast.Compare():
                return self._compared(node)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Subscript(container, ast.Slice(lower, upper, step)):
                ends = (None if end is None else self.value(end) for end in (lower, upper, step))
                return take_slice(self.value(container), slice(*ends), self.budget)
            case ast.Subscript(container, index):
                return self.value(container)[self.value(index)]
            case ast.ListComp(item, generators) | ast.GeneratorExp(item, generators):
                return list(self._comprehended(item, generators))
            case ast.Call():
                return self._called(node)
            case ast.Attribute(ast.Name() as owner, name) if name in tokenizers.SPECIALS:
                return tokenizers.special_token(self._tokenizer(owner), name)
        raise Finding.at(node, f"`{quote(node)}` cannot be evaluated while typing")

    def _named(self, node: ast.Name) -> Any:
        self.budget.spend()
        value = self.names.get(node.id, MISSING)
        if value is MISSING:
            raise Finding.at(node, f"`{node.id}` is not defined")
        if type(value) is Finding or type(value) is OpaqueError:
            raise value.bare
        return value

    def _plain_name(self, node: ast.Name) -> Any:
        """Return the value of a name without a copy: it is plain data, and may be large."""
        value = self._named(node)
        if not is_plain(value):
            kind = class_name(type(value))
            raise OpaqueError.at(node, f"`{node.id}` is unknown: a {kind} is not plain text")
        return value

    def _joined(self, parts: list[ast.expr]) -> str:
        pieces = [self._formatted(part) for part in parts]
        self.budget.make(sum(map(len, pieces)))
        return "".join(pieces)

    def _formatted(self, part: ast.expr) -> str:
        value = self.value(part.value if isinstance(part, ast.FormattedValue) else part)
        if not isinstance(part, ast.FormattedValue):
            return str(value)
        spec = "" if part.format_spec is None else self.value(part.format_spec)
        if part.conversion > 0:
            value = convert_value(value, chr(part.conversion), self.budget)
        return format_value(value, spec, self.budget)

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                items = self.value(node.value)
                self.budget.list(len(items))
                found += items
            else:
                found.append(self.value(node))
        return found

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        spend_hashing(len(node.values), self.budget)
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            found |= self.value(value) if key is None else {self.value(key): self.value(value)}
        return found

    def _first(self, operands: list[ast.expr], truth: bool) -> Any:
        value = None
        for operand in operands:
            value = self.value(operand)
            if bool(value) is truth:
                break
        return value

    def _compared(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for kind, operand in zip(node.ops, node.comparators, strict=True):
            if type(kind) not in COMPARED:
                raise Finding.at(node, "`is` cannot be evaluated while typing")
            right = self.value(operand)
            if not compare(COMPARED[type(kind)], left, right, self.budget):
                return False
            left = right
        return True

    def _comprehended(self, item: ast.expr, generators: list[ast.comprehension]) -> Iterator[Any]:
        first, *rest = generators
        for value in self.value(first.iter):
            self.budget.spend()
            names = ChainMap(bind_target(first.target, value), self.names)  # type: ignore[arg-type]
            inner = _Evaluation(names, self.budget)
            if all(inner.value(test) for test in first.ifs):
                if rest:
                    yield from inner._comprehended(item, rest)
                else:
                    yield inner.value(item)

    def _called(self, node: ast.Call) -> Any:
        args = self._items(node.args)
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            kwargs |= value if keyword.arg is None else {keyword.arg: value}
        match node.func:
            case ast.Attribute(ast.Name("textwrap"), name) if self._is_textwrap():
                function = vars(textwrap).get(name)
            case ast.Attribute(ast.Name() as owner, "apply_chat_template"):
                tokenizer = self._tokenizer(owner)
                return tokenizers.render_conversation(tokenizer, args, kwargs, self.budget)
            case ast.Attribute(owner, name):
                try:
                    value = self.value(owner)
                except OpaqueError:
                    raise _only_run(node) from None
                return call_method(value, name, args, kwargs, self.budget)
            case ast.Name(name):
                function = self.names.get(name, vars(builtins).get(name))
            case _:
                function = None
        if not any(function is known for known in FUNCTIONS):
            raise _only_run(node)
        return call_function(function, args, kwargs, self.budget)

    def _tokenizer(self, node: ast.Name) -> Any:
        value = self._named(node)
        if not tokenizers.is_tokenizer(value):
            raise Finding.at(node, f"`{node.id}` is not a tokenizer")
        return value

    def _is_textwrap(self) -> bool:
        return self.names.get("textwrap") is textwrap


def bind_target(target: ast.expr, value: Any) -> dict[str, Any]:
    """Assign the parts of a value to the names of an assignment target.

    Raises
    ------
    Finding
        If the target is not a name or a sequence of names, or the number of parts differs.
    """
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List) and type(value) in (list, tuple, str):
        if len(target.elts) == len(value):
            parts = zip(target.elts, value, strict=True)
            return {name: item for part in parts for name, item in bind_target(*part).items()}
        raise Finding.at(
            target, f"{len(value)} values cannot be assigned to {len(target.elts)} names"
        )
    raise Finding.at(target, f"the value of `{quote(target)}` cannot be evaluated while typing")


def _only_run(call: ast.Call) -> Finding:
    return Finding.at(call, f"the result of `{quote(call.func)}` cannot be evaluated while typing")
