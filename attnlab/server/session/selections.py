"""The selections of all panels, as reported by the panels."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.server.messages import SelectionState


@dataclass(frozen=True)
class PanelSelection:
    """The selection of one panel of a client.

    Attributes
    ----------
    visible
        Whether the panel is visible. A hidden panel unsubscribes; it subscribes with the same
        id when it becomes visible again.
    """

    client: str
    panel: str
    selection: SelectionState
    visible: bool = True


class Selections:
    """Selections by panel, the most recently used panel last. Not thread-safe."""

    def __init__(self) -> None:
        self._by_panel: OrderedDict[str, PanelSelection] = OrderedDict()

    @property
    def active(self) -> PanelSelection | None:
        """The selection of the most recently used visible panel."""
        return next((panel for panel in reversed(self._by_panel.values()) if panel.visible), None)

    def set(self, client: str, panel: str, selection: SelectionState) -> None:
        """Store the selection of a panel, which becomes the most recently used one."""
        self._store(PanelSelection(client, panel, selection))

    def show(self, client: str, panel: str) -> None:
        """Mark a panel as visible; after a reload of its page, it belongs to another client."""
        known = self._by_panel.get(panel)
        if known is not None and (known.client != client or not known.visible):
            self._store(replace(known, client=client, visible=True))

    def hide(self, client: str, panel: str) -> None:
        """Mark a panel as hidden, if it belongs to this client."""
        known = self._by_panel.get(panel)
        if known is not None and known.client == client:
            self._by_panel[panel] = replace(known, visible=False)

    def remove_client(self, client: str) -> None:
        """Remove the panels of a client."""
        for known in [known for known in self._by_panel.values() if known.client == client]:
            del self._by_panel[known.panel]

    def _store(self, selection: PanelSelection) -> None:
        self._by_panel[selection.panel] = selection
        self._by_panel.move_to_end(selection.panel)
