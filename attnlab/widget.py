"""The hub: one anywidget model per kernel that connects panels and the server.

It is never displayed, and its ESM is empty: the labextension reads its messages from the kernel
itself, and the inline view reads them through the widget manager. Its traits are small; all
other data is sent as custom messages.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import json
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from attnlab.kernel.channels import answer_where_asked, busy_channels, receive_on_control
from attnlab.kernel.log import log_beside_cells
from attnlab.kernel.packages import missing
from attnlab.live.cells.watcher import CellWatcher
from attnlab.server.endpoint import Endpoint
from attnlab.server.messages import PROTOCOL
from attnlab.server.selection.active import selection

if TYPE_CHECKING:
    from attnlab.server.messages import Envelope
    from attnlab.traces.trace import Trace


class Hub(anywidget.AnyWidget):
    """The widget that sends and receives the protocol's messages.

    The id of its comm is the session's id, which is new in every kernel process: pages address
    the backend by it, and notice when the process has changed.

    Attributes
    ----------
    session : str
        Id of the session.
    state : {"idle", "running"}
        Whether a watched cell runs.
    revision : int
        Revision of the newest push. Not synced: each push includes its revision, and another
        message would cost as much as a small push.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    session = traitlets.Unicode().tag(sync=True)
    state = traitlets.Enum(["idle", "running"], "idle").tag(sync=True)
    revision = traitlets.Int(0)

    def __init__(self, endpoint: Endpoint) -> None:
        name = endpoint.session.name
        super().__init__(model_id=name, _esm="export default {};", session=name)
        self._endpoint = endpoint
        self.on_msg(lambda _, content, __: endpoint.receive(content))

    @property
    def attached(self) -> bool:
        """Whether its comm is open; `Widget.close_all` closes it."""
        return self.comm is not None

    def post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        """Send an envelope to all pages."""
        self.send(envelope, buffers)

    def show(self, revision: int, running: str | None) -> None:
        """Set the revision and the state."""
        with self.hold_sync():
            self.revision = revision
            self.state = "idle" if running is None else "running"


class Started(dict[str, Any]):
    """The result of `start`; a front end reads it as JSON from the reply to a silent request."""

    def __repr__(self) -> str:
        return json.dumps(self)

    def _repr_json_(self) -> dict[str, Any]:
        return dict(self)


class Backend:
    """The backend of a kernel: hub, server and cell watcher.

    Attributes
    ----------
    package
        The `attnlab` package that it uses; see `attnlab._adopt`.
    views
        The inline views by cell: running a cell again reuses its view, which the notebook file
        may contain.
    """

    def __init__(self, shell: Any) -> None:
        log_beside_cells(shell)
        self.package = sys.modules["attnlab"]
        self.views: dict[str | None, Any] = {}
        self.version = importlib.metadata.version("attnlab")
        self.channels = busy_channels(shell)
        self.endpoint = Endpoint(
            post=self._post,
            changed=self._show,
            server=f"attnlab {self.version}",
            capabilities=[f"busy/{channel}" for channel in self.channels],
            missing=missing,
        )
        self.hub: Hub = Hub(self.endpoint)
        selection.attach(self.endpoint)
        self.cells = CellWatcher(shell, self.endpoint.session, self.endpoint.passes)
        self.cells.start()
        if "control" in self.channels:
            receive_on_control(shell.kernel, lambda: self.hub.model_id, self.endpoint.receive)
        answer_where_asked(self.hub.comm)

    def reopen(self) -> None:
        """Open the hub again if it was closed."""
        if not self.hub.attached:
            self.hub = Hub(self.endpoint)
            answer_where_asked(self.hub.comm)

    def close(self) -> None:
        """Stop observing cells, and end the threads and the running forward pass.

        Called when the kernel exits: a daemon thread that still computes could crash it.
        """
        self.cells.stop()
        self.endpoint.close()

    def add(self, trace: Trace) -> str:
        """Show a trace in the panels, as one of the current cell; return its cell.

        A trace that the panels already have stays with its cell.
        """
        session = self.endpoint.session
        known = session.trace(trace.id)
        if known is not None:
            return known.cell
        run = self.cells.here()
        session.called(run, trace)
        session.settle()
        return run.cell

    def started(self) -> Started:
        """Return the information that a front end needs first."""
        return Started(
            version=self.version,
            protocol=PROTOCOL,
            session=self.endpoint.session.name,
            missing=missing(),
            busy=self.channels,
        )

    # The hub may be replaced by `reopen`.
    def _post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        self.hub.post(envelope, buffers)

    def _show(self, revision: int, running: str | None) -> None:
        self.hub.show(revision, running)


ATTRIBUTE = "_attnlab_backend"
"""Attribute of IPython's shell, so that a kernel has one backend even after a re-import."""

_backend: Backend | None = getattr(get_ipython(), ATTRIBUTE, None)
if _backend is not None and not selection.attached:
    selection.attach(_backend.endpoint)


def start() -> Started:
    """Start the backend of this kernel, once; later calls only return the information.

    Imports neither torch nor transformers. The labextension calls it silently.

    Returns
    -------
    Started
        A dict, JSON when printed: ``version``, ``protocol``, ``session``; ``missing``, what
        the kernel's environment lacks, as arguments of ``pip install``; ``busy``, where
        requests are answered while a cell runs: "control", "subshell", both or neither.

    Raises
    ------
    RuntimeError
        Outside IPython, or if attnlab was installed without its built files.
    """
    backend = started()
    backend.reopen()
    return backend.started()


def started() -> Backend:
    """Return the kernel's backend; starts it first if necessary."""
    global _backend
    if _backend is None:
        shell = get_ipython()
        if shell is None:
            raise RuntimeError("The attnlab panel needs a Jupyter kernel; start it in a notebook.")
        _backend = Backend(shell)
        setattr(shell, ATTRIBUTE, _backend)
        atexit.register(_backend.close)
    return _backend


def built(name: str) -> str:
    """Return the text of a built file in ``attnlab/static``.

    Raises
    ------
    RuntimeError
        If attnlab was installed without it.
    """
    path = files("attnlab") / "static" / name
    if not path.is_file():
        raise RuntimeError(
            f"attnlab was installed without its built files (attnlab/static/{name}). Install "
            "its wheel, or run npm run build in a checkout."
        )
    return path.read_text(encoding="utf-8")
