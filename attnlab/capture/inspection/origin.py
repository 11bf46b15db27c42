"""Finds the module that an isolated copy was made from."""

from __future__ import annotations

from typing import Any

from attnlab.capture.inspection.contents import attributes

ORIGIN = "_attnlab_origin"
"""Attribute of a copied module: a weak reference to the original module."""


def origin(module: Any) -> Any:
    """Return the module that a module is a copy of, or the module itself if it is not a copy."""
    reference = attributes(module).get(ORIGIN)
    return module if reference is None else reference()
