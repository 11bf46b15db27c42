"""How much memory recordings may take, and where they are kept."""

from __future__ import annotations

import os
import re

VARIABLE = "ATTNLAB_MEMORY"
DEFAULT = 1 << 30
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

PLACE = "ATTNLAB_DEVICE"
PLACES = ("model", "cpu")


def budget(environment: str | None = None) -> int:
    """Bytes that traces may hold: ``ATTNLAB_MEMORY``, e.g. "512M" or "2G"; 1 GiB unless set.

    Raises
    ------
    ValueError
        When the variable is no such number.
    """
    given = os.environ.get(VARIABLE, "") if environment is None else environment
    if not given.strip():
        return DEFAULT
    match = re.fullmatch(r"(\d+)\s*([KMG]?)(?:i?B)?", given.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{VARIABLE} is {given!r}; it is a number of bytes, e.g. 512M or 2G")
    return int(match[1]) * UNITS[match[2].upper()]


def place(environment: str | None = None) -> str | None:
    """Device that recordings are moved to: ``ATTNLAB_DEVICE``; None to stay where they are.

    "model", which is the default, leaves them on the model's own device and computes there;
    "cpu" spares the memory of a GPU.

    Raises
    ------
    ValueError
        When the variable is neither.
    """
    given = os.environ.get(PLACE, "") if environment is None else environment
    chosen = given.strip().lower() or "model"
    if chosen not in PLACES:
        raise ValueError(f"{PLACE} is {given!r}; it is {' or '.join(PLACES)}")
    return None if chosen == "model" else chosen


def readable(nbytes: int) -> str:
    """Write a number of bytes as a person would, e.g. "1.5 GiB"."""
    size = float(nbytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
