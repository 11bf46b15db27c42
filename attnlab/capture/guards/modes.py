"""Keeps attnlab's operations out of the modes that the user has entered."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnlab.capture import torch_internals

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_dispatch_modes() -> Iterator[None]:
    """Hide attnlab's operations from the user's dispatch modes, e.g. a counter of flops."""
    if not torch_internals.has_dispatch_modes():
        yield
        return
    with torch_internals.without_dispatch_modes():
        yield


@contextmanager
def without_function_modes() -> Iterator[None]:
    """Hide a pass that attnlab makes from the user's function modes, except those of devices."""
    modes: list[Any] = []
    kept = 0
    try:
        while torch_internals.has_function_modes():
            modes.append(torch_internals.pop_function_mode())
        for mode in reversed(modes):
            if torch_internals.is_device_mode(mode):
                torch_internals.push_function_mode(mode)
                kept += 1
        yield
    finally:
        for _ in range(kept if modes else 0):
            torch_internals.pop_function_mode()
        while modes:
            torch_internals.push_function_mode(modes.pop())


@contextmanager
def without_user_modes() -> Iterator[None]:
    """Hide attnlab's operations from the user's modes and subclasses of tensors."""
    with without_dispatch_modes(), torch_internals.without_torch_function():
        yield
