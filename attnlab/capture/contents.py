"""What arguments and results contain, read without running any code of their classes.

A property or a method of a user's object may have side effects. Even those of transformers
do: since 5.24 the old name of an output's cache logs a warning when it is read. So containers
are recognized by type and walked by the methods of the built-in types.
"""

from __future__ import annotations

import inspect
from collections import UserDict, deque
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

DEPTH = 12
"""How deep containers and objects are followed."""

MOST = 20_000
"""How many objects are looked at: one may refer to all of a notebook."""


def leaves(value: Any, whole: Callable[[type], bool] = lambda _: False) -> Iterator[Any]:
    """Yield what nested containers and data classes hold, in order, each object once.

    Parameters
    ----------
    value
        Arguments or a result.
    whole
        Which classes are not looked into, although they are containers.
    """
    yield from _walk(value, set(), 0, lambda own: None if whole(type(own)) else _held(own))


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in containers and in the attributes of objects, in order, each once."""
    inner = _walk(value, set(), 0, lambda own: _held(own) or _attributed(own))
    yield from (own for own in inner if is_tensor(own))


def entry(value: Any, name: str) -> Any:
    """Read an entry of a mapping; None where it has none or `value` is not a mapping."""
    return None if not _is(value, dict, UserDict) else _mapping(value).get(name)


def is_tensor(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether a value is a tensor of torch."""
    import torch

    return _is(value, torch.Tensor)


def defines(kind: type, name: str) -> bool:
    """Whether a class has an attribute, which is not read."""
    return inspect.getattr_static(kind, name, None) is not None


def _is(value: Any, *kinds: type) -> bool:
    # `isinstance` asks an object for its `__class__`, which a proxy may compute.
    return issubclass(type(value), kinds)


def _walk(
    value: Any, seen: set[int], depth: int, inner: Callable[[Any], list[Any] | None]
) -> Iterator[Any]:
    if depth > DEPTH or len(seen) > MOST or id(value) in seen:
        return
    held = inner(value)
    if held is None and _is(value, int, float, complex, str, bytes, type(None)):
        yield value
        return
    seen.add(id(value))
    if held is None:
        yield value
    for own in held or ():
        yield from _walk(own, seen, depth + 1, inner)


def _held(value: Any) -> list[Any] | None:
    """List what a container holds; None for anything that is not one."""
    if _is(value, dict, UserDict):
        return list(_mapping(value).values())
    for kind in (list, tuple, set, frozenset, deque):
        if _is(value, kind):
            return list(kind.__iter__(value))
    return list(_vars(value).values()) if defines(type(value), "__dataclass_fields__") else None


def _attributed(value: Any) -> list[Any] | None:
    """List the attributes of an object; None for tensors, modules, classes and functions."""
    import torch

    if _is(value, torch.Tensor, torch.nn.Module, type) or callable(value):
        return None
    return list(_vars(value).values()) or None


def _mapping(value: Any) -> dict[Any, Any]:
    """Copy the dictionary that a mapping is, or wraps."""
    own: Any = value if _is(value, dict) else _vars(value).get("data")
    return dict(dict.items(own)) if _is(own, dict) else {}


def _vars(value: Any) -> dict[str, Any]:
    """Give an object's own dictionary; empty where it has none."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if type(own) is dict else {}
