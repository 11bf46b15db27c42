"""The websockets between a browser and its kernels."""

from __future__ import annotations

from typing import Any

from traitlets import Bool
from traitlets.config import LoggingConfigurable

CONNECTION = "kernel_websocket_connection_class"
"""The server setting for the class of its connections."""


class AttnlabWebsockets(LoggingConfigurable):
    """Options of jupyter-server's kernel websockets.

    Set it in ``jupyter_server_config.py``: ``c.AttnlabWebsockets.nodelay = False``.
    """

    nodelay = Bool(
        True,
        help="Send small messages at once (TCP_NODELAY). Off: as the server does by itself.",
    ).tag(config=True)

    def send_at_once(self, settings: dict[str, Any]) -> None:
        """Replace the server's class of connections by a subclass.

        Parameters
        ----------
        settings
            Settings of the server's web application.
        """
        if not self.nodelay:
            return
        given = settings.get(CONNECTION)
        if given is None:
            self.log.warning("attnlab: there is no %s; websockets stay as they are", CONNECTION)
            return
        settings[CONNECTION] = _prompt(given)


def _prompt(given: type[Any]) -> type[Any]:
    """Return a subclass of a connection class whose websockets send at once."""

    class Prompt(given):  # type: ignore[misc]
        def connect(self) -> Any:
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    Prompt.__name__, Prompt.__qualname__ = given.__name__, given.__qualname__
    return Prompt
