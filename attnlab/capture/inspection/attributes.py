"""Reads the attributes of modules without running any code of their classes."""

from __future__ import annotations

import inspect
from typing import Any

from attnlab.capture.torch_internals import STORES


def stored(module: Any, name: str) -> Any:
    """Return an attribute that a module or its class stores; None for computed attributes.

    A property or ``__getattr__`` of the user's class may warn, load something or change state.
    """
    attributes: dict[str, Any] = getattr(module, "__dict__", {})
    if name in attributes:
        return attributes[name]
    for store in STORES:
        values = attributes.get(store)
        if isinstance(values, dict) and name in values:
            return values[name]
    value = inspect.getattr_static(type(module), name, None)
    return None if hasattr(type(value), "__get__") else value
