"""The kernel's server: takes envelopes from pages and sends envelopes to them."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.live.passes.scheduler import PassScheduler
from attnlab.server.messages import Envelope, PublishParams, SelectionParams, SelectionState
from attnlab.server.protocol.dispatcher import Dispatcher
from attnlab.server.protocol.validation import MisfitError, check
from attnlab.server.protocol.worker import Worker
from attnlab.server.requests.clients import ClientRequests
from attnlab.server.requests.documents import DocumentRequests
from attnlab.server.requests.hover import HoverRequests
from attnlab.server.requests.payloads import PayloadRequests
from attnlab.server.requests.trial import TrialRequests
from attnlab.server.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnlab.live.cells.run import Run
    from attnlab.server.session.selections import PanelSelection

logger = logging.getLogger(__name__)

KERNEL = "kernel"
EVERYONE = "*"
SESSION = "attnlab-"
"""Prefix of session ids, by which a page finds the backend among the comms of a kernel."""


class Post(Protocol):
    """Sends an envelope; called from any thread."""

    def __call__(self, envelope: Envelope, buffers: list[bytes]) -> None:
        """Send it."""


class Endpoint:
    """The server of one kernel: session, worker, forward passes, dispatcher and handlers.

    Parameters
    ----------
    post
        Sends an envelope to all pages.
    changed
        Called with the revision and the running cell after each change. Without clients, the
        running cell is None.
    server, capabilities
        As in `messages.InitializeResult`.
    missing
        Finds the packages of `messages.InitializeResult.missing`; called for each client.
    """

    def __init__(
        self,
        post: Post,
        changed: Callable[[int, str | None], None],
        server: str,
        capabilities: Sequence[str] = (),
        missing: Callable[[], list[str]] = list,
    ) -> None:
        self.worker = Worker()
        self.passes = PassScheduler()
        self.session = Session(SESSION + uuid.uuid4().hex, self.worker, self._publish, changed)
        clients = ClientRequests(self.session, server, capabilities, missing)
        handlers = {
            **clients.table(),
            **PayloadRequests(self.session).table(),
            **DocumentRequests(self.session, self.passes).table(),
            **TrialRequests(self.session, self.passes).table(),
            **HoverRequests(self.session).table(),
        }
        self.dispatcher = Dispatcher(
            handlers, clients.notices(), clients.admit, self.worker, self._send
        )
        self._post = post

    def receive(self, content: Any) -> None:
        """Take a message of a page.

        Every message of a page reaches the kernel, including those of other libraries, so
        anything but an envelope to the kernel is ignored. An invalid envelope to the kernel is
        answered with an error if it has a sender.
        """
        try:
            check(content, Envelope, "envelope")
        except MisfitError as error:
            logger.debug("not for attnlab: %s", error)
            self._refuse(content, error)
            return
        envelope: Envelope = content
        if envelope["to"] != KERNEL:
            return
        if envelope["session"] not in ("", self.session.name):
            self._refuse(content, "the kernel was restarted since; reload the page")
            return
        self.dispatcher.receive(envelope["sender"], envelope["rpc"])

    def select(self, panel: PanelSelection, selection: SelectionState) -> None:
        """Ask a panel to change its selection; the panel reports the result."""
        params = SelectionParams(panel=panel.panel, selection=selection)
        rpc = {"jsonrpc": "2.0", "method": "selection/set", "params": params}
        self._send(panel.client, rpc, [])

    def close(self) -> None:
        """Stop the threads. Does not wait for them."""
        self.passes.close()
        self.worker.close()

    def _refuse(self, content: Any, why: object) -> None:
        if not isinstance(content, dict) or content.get("to") != KERNEL:
            return
        client, rpc = content.get("sender"), content.get("rpc")
        if isinstance(client, str):
            self.dispatcher.refuse(client, rpc, f"Invalid envelope: {why}.")

    def _send(self, client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        self._post(Envelope(sender=KERNEL, to=client, session=self.session.name, rpc=rpc), buffers)

    def _publish(self, run: Run, params: PublishParams, buffers: list[bytes]) -> None:
        rpc = {"jsonrpc": "2.0", "method": "publish", "params": params}
        run.context.copy().run(self._send, EVERYONE, rpc, buffers)
