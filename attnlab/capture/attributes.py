"""Reads what a module says of itself without running any code of its class."""

from __future__ import annotations

import inspect
from typing import Any

STORED = ("_parameters", "_buffers", "_modules")
"""Where a module keeps what is assigned to it, apart from its plain attributes."""


def stored(module: Any, name: str) -> Any:
    """Read an attribute that a module or its class stores; None for what it would compute.

    A property or a ``__getattr__`` of the user's may warn, load something, or change state.
    """
    held: dict[str, Any] = getattr(module, "__dict__", {})
    if name in held:
        return held[name]
    for place in STORED:
        own = held.get(place)
        if isinstance(own, dict) and name in own:
            return own[name]
    value = inspect.getattr_static(type(module), name, None)
    return None if hasattr(type(value), "__get__") else value
