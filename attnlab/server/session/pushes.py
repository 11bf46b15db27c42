"""The pushes that publish the changes of a session, and their revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attnlab.server.messages import PublishParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.live.cells.run import Run
    from attnlab.server.session.clients import Clients


class Publish(Protocol):
    """Sends a push to all clients."""

    def __call__(self, run: Run, params: PublishParams, buffers: list[bytes]) -> None:
        """Send a push that belongs to a run."""


class Pushes:
    """Numbers pushes and sends them. Only used on the worker.

    The worker makes the changes one by one, so the push with revision n + 1 is always sent after
    the push with revision n. Nothing is sent while there are no clients.

    Parameters
    ----------
    clients
        The clients of the session.
    send
        Sends a push to all clients.
    changed
        Called with the revision and the running cell after each change.

    Attributes
    ----------
    revision
        The revision of the newest push.
    running
        The watched cell that runs.
    last
        The cell that produced a trace or a problem last, or was edited last.
    """

    def __init__(
        self, clients: Clients, send: Publish, changed: Callable[[int, str | None], None]
    ) -> None:
        self._clients = clients
        self._send = send
        self._changed = changed
        self.revision = 0
        self.running: str | None = None
        self.last: str | None = None

    def report_running(self) -> None:
        """Report the running cell to the host again after a client connected or disconnected."""
        if self.running is not None:
            self._changed(self.revision, self.running if self._clients.connected else None)

    def next_params(self) -> PublishParams:
        """Increment the revision, and return the parameters of its push."""
        self.revision += 1
        return PublishParams(
            revision=self.revision,
            running=self.running,
            last=self.last,
            removed=[],
            payloads=[],
        )

    def publish(self, run: Run, params: PublishParams, buffers: list[bytes] | None = None) -> None:
        """Send a push that belongs to a run."""
        connected = self._clients.connected
        running = params["running"] if connected else None
        run.context.copy().run(self._changed, params["revision"], running)
        if connected:
            self._send(run, params, buffers or [])
