"""The packages that the kernel's environment must have."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re

REQUIRED = {"torch": (2, 9), "transformers": (5, 20)}
"""Packages that a kernel needs besides attnlab, with their minimum versions."""


def missing() -> list[str]:
    """Return the missing packages as arguments of ``pip install``; imports nothing."""
    lacking = []
    # The notebook may just have installed a package.
    importlib.invalidate_caches()
    for name, least in REQUIRED.items():
        if importlib.util.find_spec(name) is None:
            lacking.append(name)
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # On the path, but not installed by pip: the version is unknown.
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < least:
            lacking.append(f"{name}>={least[0]}.{least[1]}")
    return lacking
