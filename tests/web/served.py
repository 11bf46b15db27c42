"""attnlab's own server behind a panel in a real browser: real models, without Jupyter.

The server lives in the test's process. The page (`tests/web/served.ts`) sends its envelopes
by POST and fetches the kernel's by one GET after the other; threads of the HTTP server carry
them, so that nothing has to be pumped while a test waits for the page.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from attnlab.capture.watch import observing
from attnlab.live.cells.run import Run
from attnlab.server.endpoint import Endpoint
from attnlab.traces.trace import Trace

PATIENCE = 0.5
"""Seconds for which a page's GET waits for something to be posted, before it asks again."""

LONGEST = 120
"""Seconds within which a trace must be kept."""


class Kernel:
    """A kernel's server and the address at which a page finds its panel.

    Parameters
    ----------
    folder
        Where the page's files are.
    """

    def __init__(self, folder: Path) -> None:
        self.endpoint = Endpoint(self._post, lambda *_: None, "attnlab in a test")
        self.posts: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self.speaks = threading.Event()
        self.speaks.set()
        self._executions = 0
        handler = partial(Handler, self, directory=str(folder))
        self._server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        port, session = self._server.server_port, self.endpoint.session.name
        self.address = f"http://127.0.0.1:{port}/page.html?session={session}"

    def run(
        self,
        call: Callable[[], Any],
        names: Mapping[str, Any] | None = None,
        cell: str = "cell-1",
    ) -> Trace:
        """Run a watched cell that makes one model call, without gradients.

        Parameters
        ----------
        call
            What the cell does.
        names
            What the notebook's names stand for, among them the tokenizer.
        cell
            The cell's id.

        Returns
        -------
        Trace
            What the server holds of the call, and the panel shows.
        """
        self._executions += 1
        session = self.endpoint.session
        run = Run(cell, self._executions)
        session.began(run)
        with torch.no_grad(), observing(partial(session.called, run), names or {}):
            call()
        session.ended(run)
        # `newest` waits no longer than a person would; a long text on a busy machine may take it.
        until = time.monotonic() + LONGEST
        while (trace := session.newest()) is None:
            assert time.monotonic() < until, "the call left no trace"
        return trace

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Say nothing to the page for a while; what there is to say is said afterwards."""
        self.speaks.clear()
        try:
            yield
        finally:
            self.speaks.set()

    def close(self) -> None:
        """End the server and its threads."""
        self._server.shutdown()
        self._server.server_close()
        self.endpoint.close()

    def _post(self, envelope: Any, buffers: list[bytes]) -> None:
        self.posts.put([json.dumps(envelope, allow_nan=False).encode(), *buffers])


class Handler(SimpleHTTPRequestHandler):
    """Serves the page's files, and carries envelopes both ways."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, kernel: Kernel, *args: Any, **options: Any) -> None:
        self.kernel = kernel
        super().__init__(*args, **options)

    def do_POST(self) -> None:
        """Take an envelope of the page."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.kernel.endpoint.receive(content)
        self._answer(204, [])

    def do_GET(self) -> None:
        """Give the page a file, or what the kernel posts next."""
        if self.path == "/favicon.ico":
            self._answer(204, [])
            return
        if self.path != "/envelopes":
            if self.path.startswith("/page.html"):
                # A reloaded page: what its GET from before still takes is lost.
                self.kernel.posts = queue.SimpleQueue()
            super().do_GET()
            return
        posts = self.kernel.posts
        try:
            parts = posts.get(timeout=PATIENCE)
        except queue.Empty:
            self._answer(204, [])
            return
        self.kernel.speaks.wait()
        self._answer(200, parts)

    def _answer(self, status: int, parts: list[bytes]) -> None:
        self.send_response(status)
        self.send_header("X-Sizes", " ".join(str(len(part)) for part in parts))
        if status != 204:
            self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        self.wfile.write(b"".join(parts))

    def log_message(self, *_: Any) -> None:
        """Say nothing of every request."""


class Server(ThreadingHTTPServer):
    """An HTTP server whose pages may be closed while they are being answered."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave a page that has gone; anything else is an error of the test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
