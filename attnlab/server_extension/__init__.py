"""What runs in jupyter-server: kernel websockets that do not wait.

A websocket that leaves Nagle's algorithm on holds a small message back until the browser
has acknowledged the one before, some 40 ms: more than a forward pass of a small model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.server_extension.websockets import AttnlabWebsockets

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Let the websockets that `app` opens from now on send at once, unless it is set not to."""
    AttnlabWebsockets(parent=app).send_at_once(app.web_app.settings)
