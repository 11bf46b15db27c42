"""Keeps the arguments of a call for a similar call, although the notebook may delete its objects.

Plain data is copied, and so are tensors up to a limit, without their history of gradients. All
other objects (large tensors, models, functions) are referred to weakly: they stay in memory only
as long as the notebook keeps them.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[], Any]

LIMIT = 1 << 20
"""Maximum number of bytes that are copied of one call's arguments."""

ITEM = 64
"""Bytes that a number, or an entry of a container, counts."""

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))


class GoneError(ValueError):
    """An argument of the call is no longer in memory; the message names it."""


class KeptArguments:
    """The arguments of one call, by position or by name.

    Parameters
    ----------
    given
        The arguments.
    """

    def __init__(self, given: Mapping[str | int, Any]) -> None:
        import torch

        self._room = LIMIT
        self._plain = (*PLAIN, torch.dtype, torch.device, torch.Size)
        self._reads: dict[str | int, Read] = {}
        for slot, value in given.items():
            name = f"argument {slot + 1}" if isinstance(slot, int) else f"`{slot}`"
            self._reads[slot] = self._keep(value, name)

    def add(self, slot: str | int, value: Any) -> None:
        """Keep another argument, which is not an object of the notebook."""
        self._reads[slot] = _constant(value)

    def read(self) -> dict[str | int, Any]:
        """Return the arguments.

        Raises
        ------
        GoneError
            If one of them is no longer in memory.
        """
        return {slot: read() for slot, read in self._reads.items()}

    def clear(self) -> None:
        """Drop all arguments."""
        self._reads.clear()

    def _keep(self, value: Any, name: str) -> Read:
        """Return a function that returns a value again."""
        kind = type(value)
        if kind in self._plain and self._affords(len(value) if kind in (str, bytes) else 0):
            return _constant(value)
        if kind is dict and all(type(key) in self._plain for key in value):
            named = {key: self._keep(item, name) for key, item in value.items()}
            return lambda: {key: read() for key, read in named.items()}
        if kind in (list, tuple, set, frozenset):
            reads = [self._keep(item, name) for item in value]
            return lambda: kind(read() for read in reads)
        if _copies(value) and self._affords(value.numel() * value.element_size()):
            return _constant(_copy(value))
        return _weakly(value, name)

    def _affords(self, nbytes: int) -> bool:
        """Whether the limit allows this number of bytes, which are then counted."""
        if self._room < nbytes + ITEM:
            return False
        self._room -= nbytes + ITEM
        return True


def _constant(value: Any) -> Read:
    return lambda: value


def _weakly(value: Any, name: str) -> Read:
    try:
        reference: Read = weakref.ref(value)
    except TypeError:  # Objects of some classes do not support weak references.
        reference = _constant(None)

    def read() -> Any:
        found = reference()
        if found is None:
            raise GoneError(f"{name} of the call is no longer in memory")
        return found

    return read


def _copies(value: Any) -> bool:
    """Whether a value is a tensor that can be copied without running code of the notebook."""
    from attnlab.capture.inspection.plain_tensors import is_plain

    return is_tensor(value) and is_plain(value)


def _copy(tensor: Any) -> Any:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)
