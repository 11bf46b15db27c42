"""The envelope of every message."""

from __future__ import annotations

from typing import Any, TypedDict


class Envelope(TypedDict):
    """One custom message of the hub widget.

    Every message of a kernel reaches every open page, so the recipient is named: the id of a
    client, ``"kernel"``, or ``"*"`` for all clients.
    """

    sender: str
    to: str
    session: str
    rpc: dict[str, Any]
