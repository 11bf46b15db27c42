"""Cancellation of computations whose results are no longer needed."""

from __future__ import annotations

from collections.abc import Callable

Cancelled = Callable[[], bool]
"""Returns whether to stop. Called before each portion of about 8 MiB; must return at once."""


class CancelledError(Exception):
    """The computation was cancelled."""


def never() -> bool:
    """Return false: the computation is never cancelled."""
    return False


def stop_if(cancelled: Cancelled) -> None:
    """Raise an exception if a computation was cancelled.

    Raises
    ------
    CancelledError
        If `cancelled` returns true.
    """
    if cancelled():
        raise CancelledError
