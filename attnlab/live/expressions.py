"""What an expression of a cell is worth, found without running it.

Only what cannot have an effect is evaluated: literals, f-strings, arithmetic, slices,
comprehensions, methods of strings, a few pure functions, chat templates and special tokens
of a tokenizer, and names whose values are plain data. Everything else is `Unknown`, with
its place and the reason. So is what Python itself would raise: in the middle of typing much
does not fit yet.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import operator
import re
import textwrap
from collections import ChainMap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LARGEST = 1 << 20
"""Most characters or items of a value: a slip of the finger must not fill the memory."""

STEPS = 1 << 17
"""Most steps for one value: one an item and expression, and one each 64 characters."""

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, held: item in held,
    ast.NotIn: lambda item, held: item not in held,
}
CONVERSIONS: dict[int, Callable[[Any], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}
PURE: tuple[Any, ...] = (
    *(str, repr, len, list, tuple, dict, int, float, bool, abs, round),
    *(sorted, min, max, sum, range, zip, enumerate, reversed),
    textwrap.dedent,
)
"""Functions that only make a value of their arguments."""

METHODS: dict[type, frozenset[str]] = {
    str: frozenset(name for name in dir(str) if not name.startswith("_")) - {"encode"},
    dict: frozenset({"get", "keys", "values", "items"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}
SPECIALS = frozenset(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
"""Attributes of a tokenizer that are texts."""

MISSING = object()
FREE: Iterator[int] = itertools.repeat(0)
WIDE = re.compile(r"\d{5,}")
"""A width in a format that may fill the memory."""


@dataclass(frozen=True)
class Unknown(Exception):  # noqa: N818 - a finding, not a fault
    """Why a value cannot be told without running the cell, and where.

    Attributes
    ----------
    why
        The reason, a clause to follow a colon.
    line, column
        Where: from 1, and from 0 in UTF-8 bytes, as `ast` counts.
    """

    why: str
    line: int = 1
    column: int = 0

    @classmethod
    def at(cls, node: ast.AST, why: str) -> Unknown:
        """Point at a node."""
        return cls(why, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


class OpaqueError(Unknown):
    """A name stands for what is no plain data, e.g. a module."""


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Find an expression's value.

    Parameters
    ----------
    node
        The expression.
    names
        Values of names, plain data; an `Unknown` stands for one that is not known.

    Returns
    -------
    object
        Plain data: strings, numbers, None; lists, tuples and dicts of them, which are new.

    Raises
    ------
    Unknown
        Where the value cannot be told.
    """
    return _Evaluation(names, iter(range(STEPS))).value(node)


def plain(node: ast.AST, value: Any, steps: Iterator[int] = FREE) -> Any:
    """Copy a value that is plain data; `Unknown`, pointing at `node`, if it is not."""
    if next(steps, None) is None:
        raise Unknown.at(node, "it takes too many steps")
    kind = type(value)
    if kind in (float, bool, type(None)):
        return value
    if kind is int:
        _check_size(node, value.bit_length())
        return value
    if kind not in (str, list, tuple, dict, range):
        raise Unknown.at(node, f"{_article(kind.__name__)} is no plain text")
    _check_size(node, len(value))
    if kind is dict:
        return {plain(node, key, steps): plain(node, own, steps) for key, own in value.items()}
    if kind is str:
        if steps is not FREE:
            next(itertools.islice(steps, len(value) // 64, None), None)
        return value
    items = (plain(node, own, steps) for own in value)
    return tuple(items) if kind is tuple else list(items)


@dataclass(frozen=True)
class _Evaluation:
    names: Mapping[str, Any]
    steps: Iterator[int]

    def value(self, node: ast.expr) -> Any:
        try:
            # A name's value is plain data already, and may be large.
            return self._named(node) if isinstance(node, ast.Name) else self._plain(node)
        except Unknown:
            raise
        except RecursionError:
            raise Unknown.at(node, "it is nested too deeply") from None
        except Exception as error:  # noqa: BLE001 - what the cell itself would raise
            raise Unknown.at(node, f"{type(error).__name__}: {error}") from None

    def _plain(self, node: ast.expr) -> Any:
        return plain(node, self._value(node), self.steps)

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.JoinedStr(parts):
                return _joined(node, (self._formatted(part) for part in parts))
            case ast.List(items):
                return self._items(items)
            case ast.Tuple(items):
                return tuple(self._items(items))
            case ast.Dict():
                return self._dict(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.UnaryOp(operation, operand) if type(operation) in UNARY:
                return UNARY[type(operation)](self.value(operand))
            case ast.BoolOp(operation, operands):
                return self._first(operands, isinstance(operation, ast.Or))
            case ast.Compare():
                return self._compared(node)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Subscript(held, ast.Slice(lower, upper, step)):
                ends = (None if end is None else self.value(end) for end in (lower, upper, step))
                return self.value(held)[slice(*ends)]
            case ast.Subscript(held, index):
                return self.value(held)[self.value(index)]
            case ast.ListComp(item, generators) | ast.GeneratorExp(item, generators):
                return list(self._comprehended(item, generators))
            case ast.Call():
                return self._called(node)
            case ast.Attribute(ast.Name() as owner, name) if name in SPECIALS:
                return getattr(self._tokenizer(owner), name)
        raise Unknown.at(node, f"`{said(node)}` is known only by running it")

    def _named(self, node: ast.Name) -> Any:
        if next(self.steps, None) is None:
            raise Unknown.at(node, "it takes too many steps")
        value = self.names.get(node.id, MISSING)
        if value is MISSING:
            raise Unknown.at(node, f"`{node.id}` is not defined")
        if isinstance(value, Unknown):
            raise value
        return value

    def _formatted(self, part: ast.expr) -> str:
        if not isinstance(part, ast.FormattedValue):
            return str(self.value(part))
        value = self.value(part.value)
        spec = "" if part.format_spec is None else self.value(part.format_spec)
        _check_width(part, spec)
        convert = CONVERSIONS.get(part.conversion)
        return format(value if convert is None else convert(value), spec)

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += self.value(node.value)
            else:
                found.append(self.value(node))
        return found

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            found |= self.value(value) if key is None else {self.value(key): self.value(value)}
        return found

    def _binary(self, node: ast.BinOp) -> Any:
        operation = BINARY.get(type(node.op))
        if operation is None:
            raise Unknown.at(node, f"`{said(node)}` is known only by running it")
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Mult):
            sizes = (len(own) if hasattr(own, "__len__") else abs(own) for own in (left, right))
            _check_size(node, next(sizes) * next(sizes))
        elif isinstance(node.op, ast.Mod) and isinstance(left, str):
            _check_width(node, left)
            _check_size(node, left.count("%") * len(str(right)))
            if "*" in left:
                raise Unknown.at(node, "a width that is a value is not evaluated")
        return operation(left, right)

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
                raise Unknown.at(node, "identity is known only by running it")
            right = self.value(operand)
            if not COMPARED[type(kind)](left, right):
                return False
            left = right
        return True

    def _comprehended(self, item: ast.expr, generators: list[ast.comprehension]) -> Iterator[Any]:
        first, *rest = generators
        for value in self.value(first.iter):
            names = ChainMap(bound(first.target, value), self.names)  # type: ignore[arg-type]
            inner = _Evaluation(names, self.steps)
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
                function = getattr(textwrap, name)
            case ast.Attribute(ast.Name() as owner, "apply_chat_template"):
                return self._rendered(node, owner, args, kwargs)
            case ast.Attribute(held, name):
                try:
                    own = self.value(held)
                except OpaqueError:
                    raise _only_run(node) from None
                return self._method(node, own, name, args, kwargs)
            case ast.Name(name):
                function = self.names.get(name, getattr(builtins, name, None))
            case _:
                function = None
        if not any(function is own for own in PURE):
            raise _only_run(node)
        result = function(*args, **kwargs)
        return result if isinstance(result, range | str | dict) else _listed(result)

    def _rendered(self, node: ast.Call, owner: ast.Name, args: list[Any], kwargs: Any) -> Any:
        """Fill in a chat template, which is a text alone: a template has no way out of itself."""
        if kwargs.get("tokenize", True) is not False:
            raise Unknown.at(node, "a chat template that is tokenized at once gives no text")
        return self._tokenizer(owner).apply_chat_template(*args, **kwargs)

    def _tokenizer(self, node: ast.Name) -> Any:
        value = self._named(node)
        if not is_tokenizer(value):
            raise Unknown.at(node, f"`{node.id}` is no tokenizer")
        return value

    def _is_textwrap(self) -> bool:
        return self.names.get("textwrap") is textwrap

    def _method(
        self, node: ast.Call, held: Any, name: str, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        if name not in METHODS.get(type(held), ()):
            raise Unknown.at(node, f"what `.{name}` returns is known only by running it")
        if isinstance(held, str):
            _check_method(node, held, name, [*args, *kwargs.values()])
        return _listed(getattr(held, name)(*args, **kwargs))


def bound(target: ast.expr, value: Any) -> dict[str, Any]:
    """Give the names of a target their parts of a value.

    Raises
    ------
    Unknown
        Where the target is no name, or the parts do not fit.
    """
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, list | tuple | str):
        if len(target.elts) == len(value):
            parts = zip(target.elts, value, strict=True)
            return {name: own for part in parts for name, own in bound(*part).items()}
        raise Unknown.at(target, f"{len(value)} values for {len(target.elts)} names")
    raise Unknown.at(target, f"what `{said(target)}` becomes is known only by running it")


def is_tokenizer(value: Any) -> bool:
    """Whether a value is a tokenizer of transformers, which is not imported to find out."""
    return any(
        base.__name__ == "PreTrainedTokenizerBase" and base.__module__.startswith("transformers.")
        for base in type(value).__mro__
    )


def said(node: ast.AST) -> str:
    """Quote a node, shortened to fit into a sentence."""
    return textwrap.shorten(ast.unparse(node), 40, placeholder="…")


def _only_run(call: ast.Call) -> Unknown:
    return Unknown.at(call, f"what `{said(call.func)}` returns is known only by running it")


def _joined(node: ast.expr, parts: Iterator[str]) -> str:
    text = ""
    for part in parts:
        _check_size(node, len(text) + len(part))
        text += part
    return text


def _listed(value: Any) -> Any:
    """Make a list of what `dict.keys`, `zip` and the like give."""
    return (
        list(value) if hasattr(value, "__iter__") and not hasattr(value, "__getitem__") else value
    )


def _check_size(node: ast.AST, size: float) -> None:
    if size > LARGEST:
        raise Unknown.at(node, "the value is too large")


def _check_width(node: ast.AST, spec: str) -> None:
    if WIDE.search(spec):
        raise Unknown.at(node, "the value is too large")


def _check_method(node: ast.AST, held: str, name: str, given: list[Any]) -> None:
    """Refuse what would make a text of more than `LARGEST` characters, before it is made."""
    numbers = [own for own in given if isinstance(own, int)]
    size = max(numbers, default=0) * (held.count("\t") + 1)
    if name == "join":
        size = sum(len(str(own)) + len(held) for own in given[0])
    elif name == "replace":
        size = (held.count(given[0]) if given[0] else len(held) + 1) * len(given[1])
    elif name in ("format", "format_map"):
        _check_width(node, held)
        size = held.count("{") * max((len(str(own)) for own in given), default=0)
        if any(isinstance(own, int) and own > LARGEST // 64 for own in given):
            raise Unknown.at(node, "the value is too large")
    elif name == "translate":
        size = len(held) * max((len(str(own)) for own in given[0].values()), default=0)
    _check_size(node, size)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"
