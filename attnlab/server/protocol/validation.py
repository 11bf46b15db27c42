"""Validation of messages against the TypedDicts of `messages/`."""

from __future__ import annotations

import functools
import types
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)


class MisfitError(TypeError):
    """A value does not have the type that the protocol requires; the message names the field."""


def check(value: Any, hint: Any, where: str) -> None:
    """Check that a decoded JSON value has a type of the protocol.

    Unknown fields are allowed, because a newer panel may send more.

    Parameters
    ----------
    value
        The decoded value.
    hint
        A TypedDict of `messages/` or a type used in one.
    where : str
        Path of the value, e.g. ``params.focus``.

    Raises
    ------
    MisfitError
        Names the field, the required type and the value.
    """
    if is_typeddict(hint):
        _check_fields(value, hint, where)
        return
    if not _fits(value, hint, where):
        raise MisfitError(f"{where} must be {_name(hint)}, not {_shown(value)}")


def _check_fields(value: Any, hint: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise MisfitError(f"{where} must be an object ({hint.__name__}), not {_shown(value)}")
    for name, (field, required) in _fields(hint).items():
        if name in value:
            check(value[name], field, f"{where}.{name}")
        elif required:
            raise MisfitError(f"{where}.{name} is missing; it must be {_name(field)}")


@functools.cache
def _fields(hint: Any) -> dict[str, tuple[Any, bool]]:
    # `__required_keys__` is no help: it does not see NotRequired in annotations that are
    # strings, as they are in `messages/`.
    hints = get_type_hints(hint, include_extras=True)
    return {
        name: (get_args(field)[0], False) if get_origin(field) is NotRequired else (field, True)
        for name, field in hints.items()
    }


def _fits(value: Any, hint: Any, where: str) -> bool:
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return _fits_one_of(value, get_args(hint), where)
    if origin is Literal:
        return value in get_args(hint)
    if origin is list:
        if isinstance(value, list):
            for index, item in enumerate(value):
                check(item, get_args(hint)[0], f"{where}[{index}]")
        return isinstance(value, list)
    if origin is dict:
        return isinstance(value, dict)
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    # True is an int to Python, but not in JSON.
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _fits_one_of(value: Any, hints: tuple[Any, ...], where: str) -> bool:
    for hint in hints:
        if is_typeddict(hint) and isinstance(value, dict):
            _check_fields(value, hint, where)
            return True
        if not is_typeddict(hint) and _fits(value, hint, where):
            return True
    return False


def _name(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_name(part) for part in get_args(hint))
    if origin is Literal:
        return " or ".join(repr(part) for part in get_args(hint))
    if origin is list:
        return f"a list of {_name(get_args(hint)[0])}"
    names = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}
    if hint in (None, type(None)):
        return "null"
    if is_typeddict(hint) or origin is dict:
        return f"an object ({getattr(hint, '__name__', 'dict')})"
    return names[hint]


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
