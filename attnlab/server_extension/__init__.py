"""The jupyter-server extension: kernel websockets that send without delay.

With Nagle's algorithm a websocket delays a small message until the browser has acknowledged the
previous one, by about 40 ms: longer than a forward pass of a small model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.server_extension.websockets import AttnlabWebsockets

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Disable Nagle's algorithm for new websockets of `app`, unless configured otherwise."""
    AttnlabWebsockets(parent=app).send_at_once(app.web_app.settings)
