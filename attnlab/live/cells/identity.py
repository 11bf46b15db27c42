"""Identities of objects, to check later whether a name still refers to the same object."""

from __future__ import annotations

import weakref
from typing import Any

VALUES = (type(None), bool, int, float, complex, str, bytes)
"""Types whose objects are stored and compared directly: they refer to no other objects."""

MOST = 64
"""Maximum number of objects in a container that is compared by its contents."""

DEPTH = 3
"""Levels of nested containers that are compared by their contents."""


class Identity:
    """The identity of an object, without a reference that keeps the object alive.

    Lists, tuples and dicts do not support weak references, so their contents identify them.
    """

    def __init__(self, value: Any, depth: int = DEPTH) -> None:
        self._kind = type(value)
        self._parts: list[Identity] | None = None
        self._value: Any = value if self._kind in VALUES else None
        parts = _parts(value) if depth else None
        if parts is not None:
            self._parts = [Identity(part, depth - 1) for part in parts]
        elif self._kind not in VALUES:
            try:
                self._value = weakref.ref(value)
            except TypeError:
                self._value = lambda: None  # Without weak references, no object ever matches.

    def is_of(self, other: Any) -> bool:
        """Whether `other` is the object that this identity was created from."""
        if self._kind is not type(other):
            return False
        if self._kind in VALUES:
            return bool(self._value == other)
        if self._parts is None:
            return self._value() is other
        parts = _parts(other) or []
        if len(parts) != len(self._parts):
            return False
        return all(known.is_of(part) for known, part in zip(self._parts, parts, strict=True))


def _parts(value: Any) -> list[Any] | None:
    """List the contents of a container; None for other objects, and for large containers."""
    kind = type(value)
    if kind in (list, tuple):
        contents = list(value)
    elif kind is dict:
        contents = [part for item in list(value.items()) for part in item]
    else:
        return None
    return contents if len(contents) <= MOST else None
