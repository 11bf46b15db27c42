"""Kernel websockets of a real jupyter-server send small messages at once."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

pytest_plugins = ["pytest_jupyter.jupyter_server"]

EXTENSION = {"jpserver_extensions": {"attnlab.server_extension": True}}
WITHOUT: dict[str, Any] = {}
WITH = {"ServerApp": EXTENSION}
OFF = WITH | {"AttnlabWebsockets": {"nodelay": False}}


class Counted(ZMQChannelsWebsocketConnection):
    """A connection of the user's own making."""

    opened = 0

    def connect(self):
        Counted.opened += 1
        return super().connect()


OWN = {"ServerApp": EXTENSION | {"kernel_websocket_connection_class": Counted}}


@pytest.fixture
def page(jp_fetch, jp_ws_fetch):
    """Start a kernel and open its websocket, as a page does."""

    async def open_():
        answer = await jp_fetch("api", "kernels", method="POST", allow_nonstandard_methods=True)
        socket = await jp_ws_fetch("api", "kernels", json.loads(answer.body)["id"], "channels")
        await socket.read_message()  # the kernel's state: both ends are open
        return socket

    return open_


def sends_at_once():
    """Whether the server's end of the one open websocket does not wait."""
    (connection,) = ZMQChannelsWebsocketConnection._open_sockets
    websocket = connection.websocket_handler.ws_connection
    assert websocket is not None
    assert websocket.stream is not None
    actual = websocket.stream.socket
    return bool(actual.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@pytest.mark.parametrize(
    ("jp_server_config", "prompt"),
    [
        pytest.param(WITHOUT, False, id="without the extension"),
        pytest.param(WITH, True, id="with it"),
        pytest.param(OFF, False, id="switched off"),
        pytest.param(OWN, True, id="with a connection of the user's own"),
    ],
)
async def test_small_messages_are_sent_at_once(page, jp_server_config, prompt):
    before = Counted.opened
    opened = await page()
    assert sends_at_once() == prompt
    assert Counted.opened - before == (jp_server_config is OWN)
    opened.close()


@pytest.mark.parametrize("jp_server_config", [WITH])
async def test_a_kernel_answers_over_it(page, jp_server_config):
    opened = await page()
    header = {"msg_id": "1", "msg_type": "kernel_info_request", "session": "s", "version": "5.3"}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": {}}
    await opened.write_message(json.dumps(request | {"channel": "shell", "buffers": []}))
    while True:
        message = json.loads(await opened.read_message())
        if message["msg_type"] == "kernel_info_reply":
            break
    assert message["content"]["status"] == "ok"
    opened.close()


@pytest.mark.parametrize("jp_server_config", [WITH])
def test_nothing_new_is_served(jp_serverapp, jp_server_config):
    assert "attnlab.server_extension" in jp_serverapp.extension_manager.extension_points
    routers = [rule.target for rule in jp_serverapp.web_app.default_router.rules]
    served = [rule.target.__module__ for router in routers for rule in getattr(router, "rules", ())]
    assert len(served) > 20
    assert not [module for module in served if module.startswith("attnlab")]
