"""The hub: one anywidget model per kernel, through which panels reach the server.

It is never displayed. Its ESM holds only the bridge that hands the model to the panel;
its traits hold only what is small; everything else travels as custom messages.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from attnlab.live.cells import CellWatcher
from attnlab.server.endpoint import Endpoint
from attnlab.server.messages import PROTOCOL
from attnlab.server.selection import selection

if TYPE_CHECKING:
    from attnlab.server.messages import Envelope
    from attnlab.traces.trace import Trace

REQUIRED = {"torch": (2, 9), "transformers": (5, 20)}
"""What a kernel needs besides attnlab, and since which version."""


class Hub(anywidget.AnyWidget):
    """The widget that carries the protocol.

    Attributes
    ----------
    session : str
        Changes with the kernel's life.
    state : {"idle", "running"}
        Whether a watched cell runs.
    revision : int
        Of the newest push. It is not synced: each push says its own, and a message more would
        cost as much as a small push.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    session = traitlets.Unicode().tag(sync=True)
    state = traitlets.Enum(["idle", "running"], "idle").tag(sync=True)
    revision = traitlets.Int(0)

    def __init__(self, endpoint: Endpoint) -> None:
        # The comm has the session's id, so that a page can address it on the control channel.
        name = endpoint.session.name
        super().__init__(model_id=name, _esm=built("bridge.js"), session=name)
        self._endpoint = endpoint
        self.on_msg(lambda _, content, __: endpoint.receive(content))

    @property
    def attached(self) -> bool:
        """Whether the front end still has it; `Widget.close_all` takes it away."""
        return self.comm is not None

    def post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        """Send an envelope to all pages."""
        self.send(envelope, buffers)

    def show(self, revision: int, running: str | None) -> None:
        """Take over the session's revision and state."""
        with self.hold_sync():
            self.revision = revision
            self.state = "idle" if running is None else "running"


class Started(dict[str, Any]):
    """What `start` found, which a front end reads from a silent request's reply as JSON."""

    def __repr__(self) -> str:
        return json.dumps(self)

    def _repr_json_(self) -> dict[str, Any]:
        return dict(self)


class Backend:
    """Everything of attnlab that lives in a kernel: hub, server and watcher of cells."""

    def __init__(self, shell: Any) -> None:
        _log_beside_cells(shell)
        self.version = importlib.metadata.version("attnlab")
        self.channel = _answers_while_busy(shell)
        self.endpoint = Endpoint(
            post=self._post,
            changed=self._show,
            server=f"attnlab {self.version}",
            capabilities=[f"busy/{self.channel}"] if self.channel else [],
            missing=missing,
        )
        self.hub: Hub = Hub(self.endpoint)
        selection.attach(self.endpoint)
        self.cells = CellWatcher(shell, self.endpoint.session, self.endpoint.passes)
        self.cells.start()
        if self.channel == "control":
            _answer_on_control(shell.kernel, self)
        _answer_where_asked(self.hub)

    def reopen(self) -> None:
        """Open the hub again, where something has closed it."""
        if not self.hub.attached:
            self.hub = Hub(self.endpoint)
            _answer_where_asked(self.hub)

    def hold(self, trace: Trace) -> str:
        """Have the panels show a trace, which is of this cell unless it is of one; return that."""
        session = self.endpoint.session
        held = session.trace(trace.id)
        if held is not None:
            return held.cell
        run = self.cells.here()
        session.called(run, trace)
        session.settle()
        return run.cell

    def started(self) -> Started:
        """Return what a front end must know at first."""
        return Started(
            version=self.version,
            protocol=PROTOCOL,
            session=self.endpoint.session.name,
            missing=missing(),
            busy=self.channel,
        )

    # The hub is looked up late: it may have been opened again.
    def _post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        self.hub.post(envelope, buffers)

    def _show(self, revision: int, running: str | None) -> None:
        self.hub.show(revision, running)


_backend: Backend | None = None


def start() -> Started:
    """Start the kernel's side of attnlab, once; later calls only answer.

    Imports neither torch nor transformers. The labextension calls it silently.

    Returns
    -------
    Started
        A dict, JSON when printed: ``version``, ``protocol``, ``session``; ``missing``, what
        the kernel's environment lacks, as arguments of ``pip install``; ``busy``, how
        requests are answered while a cell runs: "subshell", "control" or null.

    Raises
    ------
    RuntimeError
        Outside IPython, or where attnlab's own installation lacks its built files.
    """
    backend = started()
    backend.reopen()
    return backend.started()


def started() -> Backend:
    """Return the kernel's backend, started where it is not yet."""
    global _backend
    if _backend is None:
        shell = get_ipython()
        if shell is None:
            raise RuntimeError("attnlab shows attention in a notebook; start it in a kernel.")
        _backend = Backend(shell)
    return _backend


def missing() -> list[str]:
    """Return what this environment lacks, as arguments of ``pip install``; imports nothing."""
    lacking = []
    # A package may have been installed a moment ago, from the notebook itself.
    importlib.invalidate_caches()
    for name, least in REQUIRED.items():
        if importlib.util.find_spec(name) is None:
            lacking.append(name)
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # On the path, but not installed by pip: its owner knows its version.
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < least:
            lacking.append(f"{name}>={least[0]}.{least[1]}")
    return lacking


def built(name: str) -> str:
    """Return the text of a file that the build has left in ``attnlab/static``.

    Raises
    ------
    RuntimeError
        Where attnlab's own installation lacks it.
    """
    path = files("attnlab") / "static" / name
    if not path.is_file():
        raise RuntimeError(
            f"attnlab was installed without its built files (attnlab/static/{name}). Install "
            "its wheel, or run npm run build in a checkout."
        )
    return path.read_text(encoding="utf-8")


def _log_beside_cells(shell: Any) -> None:
    """Write the log records of attnlab where the kernel writes its own.

    Without a handler, or by a handler of the notebook's, they would show in the cell that runs.
    """
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(getattr(kernel, "log", None), "handlers", None)
    if not handlers:
        return
    log = logging.getLogger("attnlab")
    log.propagate = False
    log.handlers[:] = handlers


def _answers_while_busy(shell: Any) -> str | None:
    """How this kernel takes comm messages while a cell runs."""
    kernel = getattr(shell, "kernel", None)
    if getattr(kernel, "_supports_kernel_subshells", False):
        return "subshell"
    if isinstance(getattr(kernel, "control_handlers", None), dict):
        return "control"
    return None


def _answer_on_control(kernel: Any, backend: Backend) -> None:
    """Take the hub's messages from the control channel, for ipykernel 6.

    The shell's own thread is busy while a cell runs; the control channel has another one.
    """

    def comm_msg(stream: Any, ident: Any, message: Any) -> None:
        content = message["content"]
        data = content.get("data", {})
        if content.get("comm_id") == backend.hub.model_id and data.get("method") == "custom":
            # Not through the comm: it fires IPython's pre_execute and post_execute, which
            # are for the thread that runs cells.
            backend.endpoint.receive(data.get("content"))
        else:
            kernel.comm_manager.comm_msg(stream, ident, message)

    kernel.control_handlers["comm_msg"] = comm_msg


def _answer_where_asked(hub: Hub) -> None:
    """Answer on the subshell that a message names.

    ipykernel 7.4 routes a comm's messages to the shell that last published on it, which is
    the one that a running cell holds up.
    """
    if hasattr(hub.comm, "_reply_subshell_for"):
        hub.comm._reply_subshell_for = lambda _data, default: default
