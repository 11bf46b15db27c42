"""Caches: objects that a model's call may fill, wherever they are in arguments and results.

They are recognized by class, never by the name of an argument or a field, which differs
between releases (``past_key_values``, ``cache_params``, ``cache``).
"""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from attnlab.capture.contents import defines, is_tensor, leaves, tensors

if TYPE_CHECKING:
    from collections.abc import Mapping


def caches(*values: Any) -> list[Any]:
    """Find the caches in arguments or results.

    Those are the caches of transformers, objects with the methods of one, and other objects,
    not data classes, that hold tensors: whatever they are, a call may change them.
    """
    found: list[Any] = []
    for value in values:
        found += [own for own in leaves(value, _is_cache) if _is_stateful(own)]
    return list({id(own): own for own in found}.values())


class UncopiedError(Exception):
    """Why a cache could not be copied."""


def copied(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Copy the arguments of a call that hold caches; a cache in two of them is copied once.

    Tensors beside a cache are shared. Those in it lose their history of gradients.

    Raises
    ------
    UncopiedError
        When a cache does not allow it.
    """
    memo: dict[int, Any] = {}
    filled = caches(args, kwargs)
    for own in tensors([args, kwargs]):
        memo[id(own)] = own
    for own in tensors(filled):
        memo[id(own)] = own.detach().clone()

    def twin(value: Any) -> Any:
        return copy.deepcopy(value, memo) if caches(value) else value

    try:
        return tuple(map(twin, args)), {name: twin(value) for name, value in kwargs.items()}
    except Exception as error:
        names = ", ".join(sorted({type(own).__name__ for own in filled}))
        raise UncopiedError(f"its {names} cannot be copied ({error})") from error


def _is_cache(kind: type) -> bool:
    library = sys.modules.get("transformers.cache_utils")
    base = getattr(library, "Cache", None)
    if base is not None and issubclass(kind, base):
        return True
    return defines(kind, "update") and defines(kind, "get_seq_length")


def _is_stateful(value: Any) -> bool:
    import torch

    kind = type(value)
    if is_tensor(value) or issubclass(kind, torch.nn.Module | type) or callable(value):
        return False
    return _is_cache(kind) or next(tensors(value), None) is not None
