"""Reads what arguments and results contain, without running any code of their classes.

Reading a property or calling a method of a user's object may have side effects. Even those of
transformers have some: since 5.24, reading the old name of an output's cache logs a warning. So
containers are recognized by type and read with the methods of the built-in types.
"""

from __future__ import annotations

import inspect
from collections import UserDict, deque
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

DEPTH = 12
"""How many levels of containers and objects are followed."""

MOST = 20_000
"""Maximum number of objects to visit: one object may refer to all of a notebook."""


def leaves(value: Any, whole: Callable[[type], bool] = lambda _: False) -> Iterator[Any]:
    """Yield the contents of nested containers and data classes, in order, each object once.

    Parameters
    ----------
    value
        Arguments or a result.
    whole
        Whether instances of a class are yielded as they are, although they are containers.
    """
    yield from _walk(value, set(), 0, lambda item: None if whole(type(item)) else _held(item))


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in containers and in the attributes of objects, in order, each once."""
    inner = _walk(value, set(), 0, lambda item: _held(item) or _attributed(item))
    yield from (item for item in inner if is_tensor(item))


def entry(value: Any, name: str) -> Any:
    """Return an entry of a mapping; None if it has none or `value` is not a mapping."""
    return None if not _is(value, dict, UserDict) else _mapping(value).get(name)


def is_tensor(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether a value is a PyTorch tensor."""
    import torch

    return _is(value, torch.Tensor)


def defines(kind: type, name: str) -> bool:
    """Whether a class has an attribute, without reading it."""
    return inspect.getattr_static(kind, name, None) is not None


def _is(value: Any, *kinds: type) -> bool:
    # `isinstance` reads the `__class__` of an object, which a proxy may compute.
    return issubclass(type(value), kinds)


def _walk(
    value: Any, seen: set[int], depth: int, inner: Callable[[Any], list[Any] | None]
) -> Iterator[Any]:
    if depth > DEPTH or len(seen) > MOST or id(value) in seen:
        return
    items = inner(value)
    if items is None and _is(value, int, float, complex, str, bytes, type(None)):
        yield value
        return
    seen.add(id(value))
    if items is None:
        yield value
    for item in items or ():
        yield from _walk(item, seen, depth + 1, inner)


def _held(value: Any) -> list[Any] | None:
    """List the items of a container; None for anything else."""
    if _is(value, dict, UserDict):
        return list(_mapping(value).values())
    for kind in (list, tuple, set, frozenset, deque):
        if _is(value, kind):
            return list(kind.__iter__(value))
    return (
        list(attributes(value).values()) if defines(type(value), "__dataclass_fields__") else None
    )


def _attributed(value: Any) -> list[Any] | None:
    """List the attribute values of an object; None for tensors, modules, classes and functions."""
    import torch

    if _is(value, torch.Tensor, torch.nn.Module, type) or callable(value):
        return None
    return list(attributes(value).values()) or None


def _mapping(value: Any) -> dict[Any, Any]:
    """Copy the dictionary that a mapping is, or wraps."""
    data: Any = value if _is(value, dict) else attributes(value).get("data")
    return dict(dict.items(data)) if _is(data, dict) else {}


def attributes(value: Any) -> dict[str, Any]:
    """Return the ``__dict__`` of an object; an empty dictionary if it has none."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if type(found) is dict else {}
