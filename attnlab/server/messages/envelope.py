"""What carries every message."""

from __future__ import annotations

from typing import Any, TypedDict


class Envelope(TypedDict):
    """One custom message of the hub widget.

    Every message of a kernel reaches every open page, so each names its reader:
    a client's id, ``"kernel"``, or ``"*"`` for all clients.
    """

    sender: str
    to: str
    session: str
    rpc: dict[str, Any]
