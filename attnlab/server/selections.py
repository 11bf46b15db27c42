"""What is selected in each panel, as the panels themselves have told."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.server.messages import Selected


@dataclass(frozen=True)
class Told:
    """What a client has told of one of its panels.

    Attributes
    ----------
    shown
        Whether the panel is on screen: one that is hidden unsubscribes, and subscribes
        again under the same id once it is seen.
    """

    client: str
    panel: str
    selected: Selected
    shown: bool = True


class Selections:
    """Selections by panel, the one that was used last at the end. Not locked: its owner is."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, Told] = OrderedDict()

    @property
    def active(self) -> Told | None:
        """Of the panel that was used last, of those on screen."""
        return next((told for told in reversed(self._told.values()) if told.shown), None)

    def tell(self, client: str, panel: str, selected: Selected) -> None:
        """Note what is selected in a panel, which thereby is the one used last."""
        self._keep(Told(client, panel, selected))

    def show(self, client: str, panel: str) -> None:
        """Note that a panel is on screen, of another client where its page was reloaded."""
        told = self._told.get(panel)
        if told is not None and (told.client != client or not told.shown):
            self._keep(replace(told, client=client, shown=True))

    def hide(self, client: str, panel: str) -> None:
        """Note that a client's panel is on screen no more."""
        told = self._told.get(panel)
        if told is not None and told.client == client:
            self._told[panel] = replace(told, shown=False)

    def leave(self, client: str) -> None:
        """Forget the panels of a client."""
        for panel in [it.panel for it in self._told.values() if it.client == client]:
            del self._told[panel]

    def _keep(self, told: Told) -> None:
        self._told[told.panel] = told
        self._told.move_to_end(told.panel)
