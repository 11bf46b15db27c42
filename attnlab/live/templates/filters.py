"""Filters and tests of chat templates, with an upper bound for the cost of each.

Filters that are not listed, e.g. ``center`` or ``lipsum``, are not used in chat templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.live.findings import NotComputedError
from attnlab.live.values.formatting import str_length
from attnlab.live.values.methods import BREAKS, GROWTH, SEARCHED
from attnlab.live.values.operators import DECIMAL, NATIVE
from attnlab.live.values.plain_data import repr_length, spend_hashing, steps_to_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnlab.live.values.budget import Budget

    Cost = Callable[[Any, Sequence[Any], Budget], None]

JSON = 6
"""Most characters that one character becomes in JSON: an escape."""

WIDTH = 64
"""Largest indentation, in characters."""

DIGITS = 300
"""Most decimals to which a number is rounded."""


def _cheap(_value: Any, _given: Sequence[Any], _budget: Budget) -> None:
    """Spend nothing: the filter returns the value, a part of it, or a number."""


def _listing(value: Any, _given: Sequence[Any], budget: Budget) -> None:
    items = _length(value)
    budget.list(items)
    budget.spend(steps_to_read(value) * items.bit_length() // NATIVE)


def _hashing(value: Any, given: Sequence[Any], budget: Budget) -> None:
    _listing(value, given, budget)
    spend_hashing(_length(value), budget)


def _text(value: Any, given: Sequence[Any], budget: Budget) -> None:
    budget.spend(str_length(value) * sum(map(_length, given)) // SEARCHED)
    budget.make(GROWTH * str_length(value))


def _number(value: Any, _given: Sequence[Any], _budget: Budget) -> None:
    if type(value) is str and len(value) > DECIMAL:
        raise NotComputedError(f"a number of more than {DECIMAL:,} digits is not evaluated")


def _rounded(_value: Any, given: Sequence[Any], _budget: Budget) -> None:
    if any(type(digits) is int and abs(digits) > DIGITS for digits in given):
        raise NotComputedError(f"a number is rounded to {DIGITS} decimals at most")


def _joining(value: Any, given: Sequence[Any], budget: Budget) -> None:
    _listing(value, given, budget)
    pieces = list(value) if _length(value) else []
    separators = sum(map(str_length, given)) * len(pieces)
    budget.make(sum(map(str_length, pieces)) + separators)


def _replacing(value: Any, given: Sequence[Any], budget: Budget) -> None:
    budget.make(str_length(value))
    text, texts = str(value), [option for option in given if type(option) is str]
    times = max((text.count(part) if part else len(text) + 1 for part in texts), default=0)
    budget.make(len(text) + times * max(map(len, texts), default=0))


def _indenting(value: Any, given: Sequence[Any], budget: Budget) -> None:
    budget.make(str_length(value))
    text = str(value)
    lines = 1 + sum(map(text.count, BREAKS))
    budget.make(len(text) + lines * max(map(_width, given), default=4))


def _json(value: Any, given: Sequence[Any], budget: Budget) -> None:
    widths = sum(map(_width, _flat(given)))
    budget.make(JSON * repr_length(value) + widths * steps_to_read(value) * (1 + _depth(value)))


def _length(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else 0


def _flat(given: Sequence[Any]) -> list[Any]:
    return [
        part
        for option in given
        for part in (option if type(option) in (list, tuple) else (option,))
    ]


def _width(value: Any) -> int:
    width = len(value) if type(value) is str else abs(value) if type(value) is int else 4
    if width > WIDTH:
        raise NotComputedError(f"an indentation of more than {WIDTH} characters is not evaluated")
    return width


def _depth(value: Any) -> int:
    inner = value.values() if type(value) is dict else value
    return 1 + max(map(_depth, inner), default=0) if type(value) in (list, tuple, dict) else 0


FILTERS: dict[str, Cost] = {
    **dict.fromkeys(("abs", "count", "d", "default", "first", "items", "last", "length"), _cheap),
    **dict.fromkeys(("list", "map", "max", "min", "reject", "rejectattr", "reverse"), _listing),
    **dict.fromkeys(("select", "selectattr", "sort"), _listing),
    **dict.fromkeys(("dictsort", "unique"), _hashing),
    **dict.fromkeys(("capitalize", "lower", "string", "title", "trim", "upper"), _text),
    **dict.fromkeys(("float", "int"), _number),
    "indent": _indenting,
    "join": _joining,
    "replace": _replacing,
    "round": _rounded,
    "tojson": _json,
}

TESTS = frozenset(
    {
        *("boolean", "callable", "defined", "divisibleby", "even", "false", "float", "in"),
        *("integer", "iterable", "lower", "mapping", "none", "number", "odd", "sameas"),
        *("sequence", "string", "true", "undefined", "upper"),
        *("==", "!=", "<", "<=", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt"),
        *("le", "lessthan", "lt", "ne"),
    }
)
