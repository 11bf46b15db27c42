"""The clients of a kernel, the subscriptions of their panels, and the panels' selections."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from attnlab.server.messages import ErrorCode
from attnlab.server.protocol.errors import RpcError
from attnlab.server.session.selections import Selections

if TYPE_CHECKING:
    from attnlab.server.messages import SelectionState, SubscribeParams
    from attnlab.server.payloads.subscribed import Subscriptions
    from attnlab.server.session.selections import PanelSelection

MAX_CLIENTS = 16
"""Maximum number of clients; the least recently active is removed, as its page may be closed."""


class Clients:
    """Clients by id, the most recently active one last. Thread-safe.

    A client is one page that shows at least one view; it may have several panels.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selections = Selections()
        self._panels: OrderedDict[str, dict[str, SubscribeParams]] = OrderedDict()

    @property
    def connected(self) -> bool:
        """Whether there are any clients."""
        return bool(self._panels)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all clients."""
        with self._lock:
            return frozenset(self._panels)

    def connect(self, client: str) -> None:
        """Add a client.

        A known client keeps its panels: it may repeat its first request, and have subscribed
        before the repetition arrives.
        """
        with self._lock:
            self._panels.setdefault(client, {})
            self._panels.move_to_end(client)
            while len(self._panels) > MAX_CLIENTS:
                self._selections.remove_client(self._panels.popitem(last=False)[0])

    def disconnect(self, client: str) -> None:
        """Remove a client; it may connect again."""
        with self._lock:
            self._panels.pop(client, None)
            self._selections.remove_client(client)

    def touch(self, client: str) -> None:
        """Note that a client is alive.

        Raises
        ------
        RpcError
            NOT_INITIALIZED if the client is not connected, or was removed.
        """
        with self._lock:
            self._touch(client)

    def _touch(self, client: str) -> None:
        if client not in self._panels:
            raise RpcError(
                ErrorCode.NOT_INITIALIZED,
                "This panel is not connected to the kernel. Reload the page.",
            )
        self._panels.move_to_end(client)

    def subscribe(self, client: str, subscription: SubscribeParams) -> None:
        """Replace the subscription of a panel.

        A reloaded page is a new client, but its panels keep their ids: the subscription of the
        previous client ends.
        """
        with self._lock:
            self._touch(client)
            for panels in self._panels.values():
                panels.pop(subscription["panel"], None)
            self._panels[client][subscription["panel"]] = subscription
            self._selections.show(client, subscription["panel"])

    def unsubscribe(self, client: str, panel: str) -> None:
        """End the subscription of a panel."""
        with self._lock:
            self._touch(client)
            self._panels[client].pop(panel, None)
            self._selections.hide(client, panel)

    def select(self, client: str, panel: str, selection: SelectionState) -> None:
        """Store the selection of a panel."""
        with self._lock:
            self._touch(client)
            self._selections.set(client, panel, selection)

    @property
    def subscriptions(self) -> Subscriptions:
        """The subscriptions of all panels of all clients."""
        with self._lock:
            return [
                subscription for panels in self._panels.values() for subscription in panels.values()
            ]

    @property
    def active(self) -> tuple[PanelSelection, str | None] | None:
        """The selection of the active panel, and the trace that the panel is pinned to."""
        with self._lock:
            active = self._selections.active
            if active is None:
                return None
            panel = active.panel
            subscriptions = (panels[panel] for panels in self._panels.values() if panel in panels)
            return active, next((subscribed["pinned"] for subscribed in subscriptions), None)
