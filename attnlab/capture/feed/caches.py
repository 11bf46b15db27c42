"""Finds and copies caches: objects in arguments and results that a model call may change.

They are recognized by class, never by the name of an argument or a field, which differs
between releases (``past_key_values``, ``cache_params``, ``cache``).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import defines, is_tensor, leaves, tensors
from attnlab.capture.inspection.copies import Copies, UncopiedError
from attnlab.capture.transformers_internals import cache_class

if TYPE_CHECKING:
    from collections.abc import Mapping


def caches(*values: Any) -> list[Any]:
    """Find the caches in arguments or results.

    These are the caches of transformers, objects with the same methods, and other objects (not data
    classes) that contain tensors: a call may change any of them.
    """
    found: list[Any] = []
    for value in values:
        found += [item for item in leaves(value, _is_cache) if _is_stateful(item)]
    return list({id(item): item for item in found}.values())


def cached_tokens(cache: Any) -> int | None:
    """Return the number of tokens in a cache; None if unknown.

    Only caches of transformers are asked: the method of another class may do anything.
    """
    base = cache_class()
    if base is None or not isinstance(cache, base):
        return None
    try:
        length: Any = cache
        return int(length.get_seq_length())
    except (TypeError, ValueError):  # A cache of states that do not grow.
        return None


class CacheCopies(Copies):
    """Copies caches, their tensors without the history of gradients, and shares modules."""

    def special(self, value: Any, kind: type) -> Any:
        """Copy what an operation can change in place."""
        import torch

        if issubclass(kind, torch.nn.Module):
            return value
        if issubclass(kind, torch.Tensor):
            return self.put(value, value.detach().clone())
        if issubclass(kind, torch.Generator):
            return self.put(value, value.clone_state())
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is numpy.ndarray:
            return self.put(value, value.copy())
        return None


def copied(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Copy the arguments of a call that contain caches; a cache in two of them is copied once.

    Tensors outside of caches are shared. No code of the caches' classes runs.

    Raises
    ------
    UncopiedError
        If a cache contains something that cannot be copied.
    """
    copies = CacheCopies()
    filled = caches(args, kwargs)
    changing = {id(tensor) for tensor in tensors(filled)}
    for tensor in tensors([args, kwargs]):
        if id(tensor) not in changing:
            copies.put(tensor, tensor)

    def copy(value: Any) -> Any:
        return copies.of(value) if caches(value) else value

    try:
        return tuple(map(copy, args)), {name: copy(value) for name, value in kwargs.items()}
    except Exception as error:
        names = ", ".join(sorted({type(cache).__name__ for cache in filled}))
        why = str(error) if isinstance(error, UncopiedError) else f"{type(error).__name__}: {error}"
        raise UncopiedError(f"its {names} cannot be copied ({why})") from error


def _is_cache(kind: type) -> bool:
    base = cache_class()
    if base is not None and issubclass(kind, base):
        return True
    return defines(kind, "update") and defines(kind, "get_seq_length")


def _is_stateful(value: Any) -> bool:
    import torch

    kind = type(value)
    if is_tensor(value) or issubclass(kind, torch.nn.Module | type) or callable(value):
        return False
    return _is_cache(kind) or next(tensors(value), None) is not None
