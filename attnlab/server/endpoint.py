"""The kernel's end of the wire: envelopes in and out, whatever carries them."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.live.passes import Passes
from attnlab.server.dispatcher import Dispatcher
from attnlab.server.documents import Documents
from attnlab.server.handlers import Handlers
from attnlab.server.hover import Hovers
from attnlab.server.messages import Envelope, PublishParams, Selected, SelectionParams
from attnlab.server.session import Session
from attnlab.server.trying import Tries
from attnlab.server.validation import MisfitError, check
from attnlab.server.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnlab.live.run import Run
    from attnlab.server.selections import Told

logger = logging.getLogger(__name__)

KERNEL = "kernel"
EVERYONE = "*"


class Post(Protocol):
    """How an envelope leaves; may be called from any thread."""

    def __call__(self, envelope: Envelope, buffers: list[bytes]) -> None:
        """Send it."""


class Endpoint:
    """One kernel's server: session, worker, passes and dispatcher, wired up.

    Parameters
    ----------
    post
        Sends an envelope to all pages.
    changed
        Called after each push with revision and running cell.
    server, capabilities
        As in `messages.InitializeResult`.
    missing
        Finds what `messages.InitializeResult.missing` says; asked anew for each client.
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
        self.passes = Passes()
        self.session = Session(uuid.uuid4().hex, self.worker, self._publish)
        handlers = Handlers(self.session, server, capabilities, missing)
        table = {
            **handlers.table(),
            **Documents(self.session, self.passes).table(),
            **Tries(self.session, self.passes).table(),
            **Hovers(self.session).table(),
        }
        self.dispatcher = Dispatcher(
            table, handlers.notices(), handlers.admit, self.worker, self._send
        )
        self._post = post
        self._changed = changed

    def receive(self, content: Any) -> None:
        """Take a message of a page; what is not an envelope to the kernel is left alone.

        Without a sender nobody can be answered, and every message of a page reaches the
        kernel, those of other libraries included.
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

    def select(self, told: Told, selected: Selected) -> None:
        """Ask a panel to select something; it tells what has come of it."""
        params = SelectionParams(panel=told.panel, selected=selected)
        rpc = {"jsonrpc": "2.0", "method": "selection/set", "params": params}
        self._send(told.client, rpc, [])

    def close(self) -> None:
        """End the threads."""
        self.passes.close()
        self.worker.close()

    def _refuse(self, content: Any, why: object) -> None:
        if not isinstance(content, dict) or content.get("to") != KERNEL:
            return
        client, rpc = content.get("sender"), content.get("rpc")
        if isinstance(client, str):
            self.dispatcher.refuse(client, rpc, f"The envelope is no good: {why}.")

    def _send(self, client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        self._post(Envelope(sender=KERNEL, to=client, session=self.session.name, rpc=rpc), buffers)

    def _publish(self, run: Run, params: PublishParams, buffers: list[bytes]) -> None:
        rpc = {"jsonrpc": "2.0", "method": "publish", "params": params}
        context = run.context.copy()
        context.run(self._changed, params["revision"], params["running"])
        if len(self.session.clients):
            context.run(self._send, EVERYONE, rpc, buffers)
