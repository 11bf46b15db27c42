"""The panels that talk to the kernel, and what each of them shows."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from attnlab.server.errors import RpcError
from attnlab.server.messages import ErrorCode
from attnlab.server.selections import Selections

if TYPE_CHECKING:
    from attnlab.server.messages import Selected, SubscribeParams

REMEMBERED = 16
"""Clients; a page that is closed says no word, so that the longest silent is given up."""

Wishes = list["SubscribeParams"]


class Clients:
    """Clients by their id, the one heard of last at the end.

    A client is one page's connection; it may show several panels. Not locked: the session
    that owns it is.
    """

    def __init__(self) -> None:
        self.selections = Selections()
        self._panels: OrderedDict[str, dict[str, SubscribeParams]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._panels)

    def __contains__(self, client: str) -> bool:
        return client in self._panels

    def greet(self, client: str) -> None:
        """Take a client that initializes; one known already starts anew."""
        self._panels.pop(client, None)
        self.selections.leave(client)
        self._panels[client] = {}
        while len(self._panels) > REMEMBERED:
            self.selections.leave(self._panels.popitem(last=False)[0])

    def hear(self, client: str) -> None:
        """Note a sign of life.

        Raises
        ------
        RpcError
            NOT_INITIALIZED for a client that has not initialized, or is given up.
        """
        if client not in self._panels:
            raise RpcError(
                ErrorCode.NOT_INITIALIZED,
                "The kernel does not know this panel (any more). Reload the page.",
            )
        self._panels.move_to_end(client)

    def subscribe(self, client: str, wish: SubscribeParams) -> None:
        """Note what a panel shows, in place of what it showed before.

        A panel keeps its id over a reload of its page, which makes it another client's: what
        the former page showed is drawn no more.
        """
        self.hear(client)
        for panels in self._panels.values():
            panels.pop(wish["panel"], None)
        self._panels[client][wish["panel"]] = wish
        self.selections.show(client, wish["panel"])

    def unsubscribe(self, client: str, panel: str) -> None:
        """Forget a panel."""
        self.hear(client)
        self._panels[client].pop(panel, None)
        self.selections.hide(client, panel)

    def select(self, client: str, panel: str, selected: Selected) -> None:
        """Note what is selected in a panel."""
        self.hear(client)
        self.selections.tell(client, panel, selected)

    def pinned(self, panel: str) -> str | None:
        """Return the trace that a panel keeps to, if it keeps to one."""
        wishes = (panels.get(panel) for panels in self._panels.values())
        return next((wish["pinned"] for wish in wishes if wish is not None), None)

    def wishes(self) -> Wishes:
        """Return what all panels of all clients show."""
        return [wish for panels in self._panels.values() for wish in panels.values()]
