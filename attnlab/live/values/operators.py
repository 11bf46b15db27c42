"""Operators and functions on plain values, checked against the budget before execution."""

from __future__ import annotations

import operator
import textwrap
from typing import TYPE_CHECKING, Any

from attnlab.live.findings import NotComputedError
from attnlab.live.values.budget import BITS
from attnlab.live.values.formatting import format_percent
from attnlab.live.values.plain_data import repr_length, spend_hashing, steps_to_read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.live.values.budget import Budget

NATIVE = 16
"""Comparisons of items per step."""

DECIMAL = BITS // 3
"""Longest text that is converted to a number, in characters."""

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, container: item in container,
    "not in": lambda item, container: item not in container,
}
FUNCTIONS: tuple[Any, ...] = (
    *(str, repr, len, list, tuple, dict, int, float, bool, abs, round),
    *(sorted, min, max, sum, range, zip, enumerate, reversed),
    textwrap.dedent,
)
"""Functions without side effects."""

ORDERING = (sorted, min, max)
ITERATING = (list, tuple, dict, zip, enumerate, reversed, *ORDERING)
"""Functions that iterate over their arguments."""

SEQUENCES = (str, list, tuple)


def apply_binary(symbol: str, left: Any, right: Any, budget: Budget) -> Any:
    """Apply an operator of `BINARY`."""
    budget.spend()
    if symbol == "%" and type(left) is str:
        return format_percent(left, right, budget)
    if symbol == "*":
        _check_product(left, right, budget)
    elif symbol == "+" and type(left) is type(right) and type(left) in SEQUENCES:
        _check_sequence(left, len(left) + len(right), budget)
    elif symbol == "**" and _whole(left) and _whole(right) and right > 0:
        budget.integer(left.bit_length() * right)
    return BINARY[symbol](left, right)


def compare(symbol: str, left: Any, right: Any, budget: Budget) -> bool:
    """Apply a comparison of `COMPARED`."""
    budget.spend(1 + (steps_to_read(left) + steps_to_read(right)) // NATIVE)
    return bool(COMPARED[symbol](left, right))


def take_slice(sequence: Any, part: slice, budget: Budget) -> Any:
    """Take a slice of a sequence."""
    if type(sequence) in SEQUENCES:
        _check_sequence(sequence, len(range(*part.indices(len(sequence)))), budget)
    return sequence[part]


def call_function(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], budget: Budget
) -> Any:
    """Call one of `FUNCTIONS`; iterators are converted to lists."""
    given = [*args, *kwargs.values()]
    budget.spend(1 + sum(map(steps_to_read, given)))
    if function is str or function is repr:
        size = len if function is str else repr_length
        budget.make(
            sum(size(value) if type(value) is str else repr_length(value) for value in given)
        )
    elif function is int or function is float:
        if any(type(value) is str and len(value) > DECIMAL for value in given):
            raise NotComputedError(f"a number of more than {DECIMAL:,} digits is not evaluated")
    elif function is round:
        digits = kwargs.get("ndigits", args[1] if len(args) > 1 else None)
        budget.integer(abs(digits) if _whole(digits) else 0)
    elif function is textwrap.dedent:
        budget.make(sum(len(value) for value in given if type(value) is str))
    elif function is range:
        budget.list(len(range(*args, **kwargs)))
    elif function is sum:
        return _sum(args, kwargs, budget)
    elif any(function is known for known in ITERATING):
        items = sum(len(value) for value in given if hasattr(value, "__len__"))
        budget.list(items)
        if function is dict:
            spend_hashing(items, budget)
        if any(function is known for known in ORDERING):
            budget.spend(sum(map(steps_to_read, given)) * items.bit_length() // NATIVE)
    return as_list(function(*args, **kwargs))


def as_list(value: Any) -> Any:
    """Convert the result of `dict.keys`, `zip` and the like to a list."""
    lazy = type(value) is range or not (type(value) is str or hasattr(value, "__getitem__"))
    return list(value) if lazy and hasattr(value, "__iter__") else value


def _sum(args: Sequence[Any], kwargs: Mapping[str, Any], budget: Budget) -> Any:
    items, *start = (*args, *kwargs.values())
    if all(type(value) in (int, float, bool) for value in (*items, *start)):
        return sum(*args, **kwargs)
    total = start[0] if start else 0
    if type(total) is str:
        raise NotComputedError("TypeError: sum() can't sum strings")
    for item in items:
        total = apply_binary("+", total, item, budget)
    return total


def _check_product(left: Any, right: Any, budget: Budget) -> None:
    if _whole(left) and _whole(right):
        budget.integer(left.bit_length() + right.bit_length())
    for sequence, times in ((left, right), (right, left)):
        if type(sequence) in SEQUENCES and _whole(times):
            _check_sequence(sequence, len(sequence) * max(0, times), budget)
            if type(sequence) is not str:
                budget.spend(steps_to_read(sequence) * max(0, times))


def _check_sequence(sequence: Any, size: int, budget: Budget) -> None:
    if type(sequence) is str:
        budget.make(size)
    else:
        budget.list(size)


def _whole(value: Any) -> bool:
    return type(value) is int or type(value) is bool
