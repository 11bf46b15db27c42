"""Limits the memory of recordings and of arrays made from them, and chooses their device."""

from __future__ import annotations

import os
import re
from pathlib import Path

VARIABLE = "ATTNLAB_MEMORY"
DEFAULT = 1 << 30
ALWAYS = 64 << 20
"""Size of one array in bytes that is allowed whatever the budget of recordings is."""

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

DEVICE = "ATTNLAB_DEVICE"
DEVICES = ("model", "cpu")


def budget() -> int:
    """Return the bytes that traces may take: ``ATTNLAB_MEMORY``, e.g. "512M"; 1 GiB unless set.

    Raises
    ------
    ValueError
        If the variable is not such a number.
    """
    given = os.environ.get(VARIABLE, "")
    if not given.strip():
        return DEFAULT
    match = re.fullmatch(r"(\d+)\s*([KMG]?)(?:i?B)?", given.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{VARIABLE} must be a number of bytes, e.g. 512M or 2G, not {given!r}")
    return int(match[1]) * UNITS[match[2].upper()]


def available() -> int | None:
    """Return the bytes that the process can still allocate; None if unknown.

    On Linux: the system's available memory, or what is left of a container's limit if that is less.
    """
    found = []
    try:
        system = re.search(r"^MemAvailable:\s*(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
        found += [int(system[1]) << 10] if system else []
        # "max", which is not a number, means that the container has no limit.
        limit, used = ((CGROUP / name).read_text() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)", (CGROUP / "memory.stat").read_text(), re.M)
        found.append(int(limit) - int(used) + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):
        pass
    return max(0, min(found)) if found else None


def allow(nbytes: int, what: str, instead: str, always: int = ALWAYS) -> None:
    """Refuse an array that would take too much memory, before any of it is allocated.

    Parameters
    ----------
    nbytes
        Its size.
    what
        What it contains, in the plural, e.g. "the weights of a head".
    instead
        What to call instead.
    always
        Size in bytes that is allowed whatever the budget is.

    Raises
    ------
    MemoryError
        If it exceeds `budget`, or half of the `available` memory: computing it takes copies of its
        parts, and the system kills a process that takes more memory than there is.
    """
    limit = max(budget(), always)
    if nbytes > limit:
        raise MemoryError(
            f"{what} take {readable(nbytes)}, above the budget of {readable(limit)}: {instead}, "
            f"or set {VARIABLE} higher"
        )
    # For small arrays, this check would take longer than computing them.
    free = available() if nbytes > ALWAYS else None
    if free is not None and nbytes > free // 2:
        raise MemoryError(
            f"{what} take {readable(nbytes)}, more than half of the {readable(free)} of memory "
            f"that are free: {instead}, or free memory"
        )


def device() -> str | None:
    """Return the device that recordings are moved to (``ATTNLAB_DEVICE``); None to leave them.

    "model", the default, leaves them on the model's device and computes there; "cpu" saves the
    memory of a GPU.

    Raises
    ------
    ValueError
        If the variable is neither.
    """
    given = os.environ.get(DEVICE, "")
    chosen = given.strip().lower() or "model"
    if chosen not in DEVICES:
        raise ValueError(f"{DEVICE} must be {' or '.join(DEVICES)}, not {given!r}")
    return None if chosen == "model" else chosen


def readable(nbytes: int) -> str:
    """Format a number of bytes, e.g. "1.5 GiB"."""
    size = float(nbytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
