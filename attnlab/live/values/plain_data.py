"""Plain data: values of exactly the built-in types, whose operations cannot run user code.

Any other value may run code even when it is only read: a subclass of `str` when it is formatted,
any object when it is compared. Types are therefore compared by identity, and no attribute of an
object is read, not even its ``__class__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.live.findings import NotComputedError
from attnlab.live.values.budget import DEPTH, PER_STEP, Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALARS = (str, int, float, bool, type(None))
CONTAINERS = (list, tuple, dict, range)

_NAME = type.__dict__["__name__"]
_BASES = type.__dict__["__mro__"]


class NotPlainError(NotComputedError):
    """A value has another type."""


def is_plain(value: Any) -> bool:
    """Whether the type of a value is plain; the contents of a container are not checked."""
    kind = type(value)
    return any(kind is plain for plain in (*SCALARS, *CONTAINERS))


def class_name(kind: type) -> str:
    """Return the name of a class, bypassing its metaclass."""
    return str.__str__(_NAME.__get__(kind))


def bases(kind: type) -> tuple[type, ...]:
    """Return a class and its bases, bypassing its metaclass."""
    classes: tuple[type, ...] = _BASES.__get__(kind)
    return classes


def copy_plain(value: Any, budget: Budget) -> Any:
    """Copy plain data; ranges become lists.

    Raises
    ------
    NotComputedError
        If it contains other types, exceeds the budget or contains itself.
    """
    return _copy(value, budget, 0)


def _copy(value: Any, budget: Budget, depth: int) -> Any:
    kind = type(value)
    budget.spend()
    if kind is str or kind is float or kind is bool or value is None:
        return value
    if kind is int:
        budget.integer(value.bit_length())
        return value
    if not is_plain(value):
        raise NotPlainError(f"{_article(class_name(kind))} is not plain text")
    if depth > DEPTH:
        raise NotComputedError("it is nested too deeply")
    budget.list(len(value))
    if kind is dict:
        spend_hashing(len(value), budget)
        # A copy, because another thread may modify the dictionary.
        pairs = list(value.items())
        return {_copy(key, budget, depth): _copy(item, budget, depth + 1) for key, item in pairs}
    items = [_copy(item, budget, depth + 1) for item in tuple(value)]
    return tuple(items) if kind is tuple else items


def spend_hashing(keys: int, budget: Budget) -> None:
    """Spend the steps for creating a dictionary, in the worst case of equal hashes."""
    budget.spend(keys * keys >> 10)


def steps_to_read(value: Any) -> int:
    """Count the steps to read plain data completely."""
    return sum(1 + (len(part) // PER_STEP if type(part) is str else 0) for part in _parts(value))


def repr_length(value: Any) -> int:
    """Upper bound for the number of characters of `repr` or `ascii`."""
    return sum(map(_repr_length, _parts(value)))


def _repr_length(value: Any) -> int:
    kind = type(value)
    if kind is str:
        return (4 if value.isascii() else 10) * len(value) + 4
    if kind is int:
        return int(value.bit_length()) // 3 + 4
    return 32


def _parts(value: Any) -> Iterator[Any]:
    yield value
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            yield from _parts(key)
            yield from _parts(item)
    elif kind is list or kind is tuple or kind is range:
        for item in value:
            yield from _parts(item)


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in tuple('aeiouAEIOU') else 'a'} {noun}"
