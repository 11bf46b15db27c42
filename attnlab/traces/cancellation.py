"""How a computation is stopped whose result is not wanted any more."""

from __future__ import annotations

from collections.abc import Callable

Cancelled = Callable[[], bool]
"""Asked between portions of about 8 MiB: whether to stop. It must return at once."""


class CancelledError(Exception):
    """What was being computed is not wanted any more."""


def never() -> bool:
    """Let a computation run to its end."""
    return False


def stop_if(cancelled: Cancelled) -> None:
    """Stop a computation that is not wanted any more.

    Raises
    ------
    CancelledError
        When `cancelled` says so.
    """
    if cancelled():
        raise CancelledError
