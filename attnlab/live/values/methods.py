"""Methods of plain values, checked against the budget before the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.live.findings import NotComputedError
from attnlab.live.values.formatting import format_braces
from attnlab.live.values.operators import as_list
from attnlab.live.values.plain_data import steps_to_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.live.values.budget import Budget

METHODS: dict[type, frozenset[str]] = {
    str: frozenset(name for name in dir(str) if not name.startswith("_")) - {"encode"},
    dict: frozenset({"get", "keys", "values", "items"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}

GROWTH = 3
"""Most characters that a change of case makes of one character."""

CHANGING = ("capitalize", "casefold", "lower", "swapcase", "title", "upper")
PADDING = ("center", "expandtabs", "ljust", "rjust", "zfill")
READING = (
    *("count", "find", "index", "rfind", "rindex", "startswith", "endswith"),
    *(name for name in METHODS[str] if name.startswith("is")),
)
"""Methods of strings that do not return a string."""

SPACES = tuple(character for character in map(chr, range(0x3001)) if character.isspace())
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

SEARCHED = 1 << 12
"""Characters that are searched per step."""


def call_method(
    value: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], budget: Budget
) -> Any:
    """Call a method of `METHODS` on a plain value; iterators are converted to lists.

    Raises
    ------
    NotComputedError
        If the call would exceed the budget or may have side effects.
    """
    if name not in METHODS.get(type(value), ()):
        raise NotComputedError(f"the result of `.{name}` cannot be evaluated while typing")
    given = [*args, *kwargs.values()]
    budget.spend(1 + sum(map(steps_to_read, given)))
    if type(value) is not str:
        budget.spend(1 if name == "get" else steps_to_read(value))
    elif name == "format":
        return format_braces(value, args, kwargs, budget)
    elif name == "format_map":
        if kwargs or len(args) != 1 or type(args[0]) is not dict:
            raise NotComputedError("`.format_map` is evaluated with one dictionary only")
        return format_braces(value, (), args[0], budget)
    else:
        _check(value, name, given, budget)
    return as_list(getattr(value, name)(*args, **kwargs))


def _check(text: str, name: str, given: list[Any], budget: Budget) -> None:
    """Spend an upper bound for the cost of a method of a string."""
    texts = [value for value in given if type(value) is str]
    size = len(text)
    if name in READING:
        budget.spend(1 + size // SEARCHED)
        return
    if name in CHANGING:
        size *= 1 if text.isascii() else GROWTH
    elif name in PADDING:
        widths = [abs(value) for value in given if type(value) is int]
        size += max(widths, default=8) * (text.count("\t") + 1 if name == "expandtabs" else 1)
    elif name == "join":
        pieces = [item for items in given[:1] for item in _items(items) if type(item) is str]
        budget.list(len(pieces))
        size = sum(map(len, pieces)) + size * len(pieces)
    elif name == "replace" and len(texts) == 2:
        old, new = texts
        size += (text.count(old) if old else size + 1) * len(new)
    elif name == "translate":
        values = [item for table in given[:1] for item in _items(table, values=True)]
        size *= max((len(value) for value in values if type(value) is str), default=1) or 1
    elif name == "maketrans":
        budget.list(sum(map(len, texts)))
    elif name in ("split", "rsplit"):
        budget.list(1 + sum(text.count(separator) for separator in texts or SPACES if separator))
    elif name == "splitlines":
        budget.list(1 + sum(map(text.count, BREAKS)))
    elif name in ("strip", "lstrip", "rstrip"):
        budget.spend(size * sum(map(len, texts)) // SEARCHED)
    budget.make(size)


def _items(value: Any, *, values: bool = False) -> list[Any]:
    if type(value) is dict:
        return list(value.values() if values else value)
    return list(value) if type(value) in (str, list, tuple) else []
