"""The inline view: the panel as a cell's output, for hosts without the labextension.

Its ESM contains all views. It is sent when the view is first displayed, so a page that only
uses the labextension's panel does not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from attnlab import widget

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace


class Inline(anywidget.AnyWidget):
    """The panel in a cell's output; may be displayed several times.

    Attributes
    ----------
    hub : str
        Id of the hub's model, which the panels use to communicate with the kernel.
    cell : str or None
        The cell that the panels are initially pinned to; None to follow the running cell.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    hub = traitlets.Unicode().tag(sync=True)
    cell = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    def __init__(self, hub: widget.Hub, cell: str | None) -> None:
        esm, css = widget.built("inline.js"), widget.built("inline.css")
        super().__init__(_esm=esm, _css=css, hub=hub.model_id, cell=cell)

    def __repr__(self) -> str:
        # Shown by hosts that do not render widgets, e.g. a page that renders the notebook file.
        return "<attnlab view; run the cell in an application that supports anywidget to see it>"


def show(trace: Trace | None = None) -> Inline:
    """Return a view, pinned to the cell of `trace` if given."""
    if getattr(get_ipython(), "kernel", None) is None:
        raise RuntimeError(
            "attnlab.show() needs a notebook. Elsewhere, use attnlab.trace or attnlab.record."
        )
    recorded = None if trace is None else _recorded(trace)
    widget.start()
    backend = widget.started()
    # If the host has no cell ids, all traces belong to one cell.
    cell = (backend.add(recorded) or None) if recorded is not None else None
    view: Inline | None = backend.views.get(cell)
    if view is None or view.comm is None:
        view = backend.views[cell] = Inline(backend.hub, cell)
    return view


def _recorded(trace: Any) -> Trace:
    from attnlab.analysis.recorded import Recorded
    from attnlab.traces.trace import Trace

    if not isinstance(trace, Trace):
        raise TypeError(
            f"show() takes a trace, e.g. from attnlab.record, not {type(trace).__name__}; "
            "without one, it shows the traces of watched cells"
        )
    # The trace of a block changes with its next call; this one does not. Raises if there is none.
    return Recorded.of(trace)
