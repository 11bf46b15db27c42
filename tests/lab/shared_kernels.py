"""Kernels that several tests use one after the other, each for a notebook of its own."""

from __future__ import annotations

from jupyter_client.blocking.client import BlockingKernelClient

from tests.lab.jupyter import Server

PATIENCE = 60
"""Seconds within which a kernel must be ready, and forget its names."""


class SharedKernels:
    """One running kernel of each kind, which keeps what it has imported."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sessions: dict[str, str] = {}

    def lend(self, notebook: str, kind: str) -> None:
        """Make the kernel of this kind that of a new notebook, and end the kernels of all others.

        JupyterLab connects a notebook to the session of its path.
        """
        self._server.shut_down_kernels()
        named = {"path": notebook, "name": notebook}
        if session := self._sessions.get(kind):
            self._server.ask(f"sessions/{session}", "PATCH", named)
            self._forget_names(session)
        else:
            asked = {**named, "type": "notebook", "kernel": {"name": kind}}
            session = str(self._server.ask("sessions", "POST", asked)["id"])
            self._sessions[kind] = session
            self._server.kept.add(session)

    def discard(self) -> None:
        """End all kernels; the next test gets new ones."""
        self._server.kept.difference_update(self._sessions.values())
        self._sessions.clear()
        self._server.shut_down_kernels()

    def _forget_names(self, session: str) -> None:
        """Delete what cells have defined."""
        kernel = self._server.ask(f"sessions/{session}")["kernel"]["id"]
        file = self._server.runtime / f"kernel-{kernel}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(PATIENCE)
            client.execute("%reset -f", silent=True, reply=True, timeout=PATIENCE)
        finally:
            client.stop_channels()
