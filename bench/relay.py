"""Connects a page to a real kernel without Jupyter's server.

The page is `tests/web/served.ts`: it posts its envelopes and fetches those of the kernel. The relay
forwards them to the hub's comm of a kernel in a separate process, over ZeroMQ, as jupyter-server
does.
"""

from __future__ import annotations

import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any, cast

from jupyter_client.blocking.client import BlockingKernelClient

from tests.kernel.conftest import Kernel, Ran
from tests.web.served import Handler, Server

RERUN = "/rerun"
"""Path to which a page posts the source of a cell; the response is the HTML it displays."""


class Relay:
    """A kernel, and a server for pages with its panel.

    Parameters
    ----------
    folder
        Folder of the page's files.

    Attributes
    ----------
    spent : list of float
        Milliseconds from each edit to its push, as reported by the kernel.
    """

    def __init__(self, folder: Path) -> None:
        # A separate thread: jupyter_client would block forever in Playwright's event loop.
        self._cells = ThreadPoolExecutor(1)
        self.kernel = self._cells.submit(Kernel).result()
        session = self._cells.submit(self.kernel.start).result()["session"]
        self.endpoint = self  # `Handler` passes it what the page posts.
        self.posts: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self.spent: list[float] = []
        self.speaks = threading.Event()
        self.speaks.set()
        self._closing = threading.Event()
        # Pages use separate sockets, and do not wait for cells.
        self._client = BlockingKernelClient()
        self._client.load_connection_info(self.kernel.manager.get_connection_info())
        self._client.start_channels()
        self._client.wait_for_ready()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        handler = partial(Answering, cast("Any", self), directory=str(folder))
        self._server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.root = f"http://127.0.0.1:{self._server.server_port}/"
        self.address = f"{self.root}page.html?session={session}"

    def run(self, code: str, *tags: str, cell: str = "") -> Ran:
        """Run a cell, and check that it succeeds."""
        ran = self._cells.submit(self.kernel.run, code, tags, cell).result()
        assert ran.reply["status"] == "ok", ran.reply
        return ran

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the kernel."""
        return self._cells.submit(self.kernel.value, expression).result()

    def receive(self, envelope: Any) -> None:
        """Send an envelope of a page to the kernel; called for one envelope at a time."""
        kernel, session = self.kernel, self._client.session
        data = {"method": "custom", "content": envelope}
        message = session.msg("comm_msg", {"comm_id": kernel.hub, "data": data})
        if "control" in kernel.busy:
            self._client.control_channel.send(message)
        else:
            message["header"]["subshell_id"] = kernel.subshell
            self._client.shell_channel.send(message)

    def close(self) -> None:
        """End the kernel, the server and the threads."""
        self._closing.set()
        self._listener.join()
        self._server.shutdown()
        self._server.server_close()
        self._client.stop_channels()
        self._cells.submit(self.kernel.close).result()
        self._cells.shutdown()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except Empty:
                continue
            content = message["content"]
            if message["msg_type"] != "comm_msg" or content["comm_id"] != self.kernel.hub:
                continue
            if content["data"].get("method") == "custom":
                envelope = content["data"]["content"]
                result = envelope["rpc"].get("result")
                if isinstance(result, dict) and result.get("live") and result["milliseconds"]:
                    self.spent.append(result["milliseconds"])
                encoded = json.dumps(envelope).encode()
                self.posts.put([encoded, *map(bytes, message["buffers"])])


class Answering(Handler):
    """Also runs cells at the request of a page, and responds with what they display."""

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        """Receive an envelope, or the source of a cell."""
        if self.path != RERUN:
            super().do_POST()
            return
        source = self.rfile.read(int(self.headers["Content-Length"])).decode()
        ran = cast("Relay", self.kernel).run(source)
        shown = (output["content"].get("data", {}).get("text/html") for output in ran.outputs)
        self._answer(200, [html.encode() for html in shown if html])
