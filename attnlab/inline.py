"""The inline view: the panel as a cell's output, for hosts without the labextension.

Its ESM holds all views, which the hub's does not: it travels when it is first shown, and
never to a page that has the labextension's panel alone.
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
    """The panel in a cell's output, as often as it is displayed.

    Attributes
    ----------
    hub : str
        Id of the hub's model, through which each displayed panel talks to the kernel.
    cell : str or None
        The cell that its panels are pinned to at first; None to follow the one that runs.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    hub = traitlets.Unicode().tag(sync=True)
    cell = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    def __init__(self, hub: widget.Hub, cell: str | None) -> None:
        esm, css = widget.built("inline.js"), widget.built("inline.css")
        super().__init__(_esm=esm, _css=css, hub=hub.model_id, cell=cell)

    def __repr__(self) -> str:
        # What a host shows that draws no widgets, e.g. a page that renders the notebook's file.
        return "<The attention that attnlab shows; run the cell to see it.>"


_views: dict[str | None, Inline] = {}
"""By their cells: running a cell again makes no other view, which a notebook's file may keep."""


def show(trace: Trace | None = None) -> Inline:
    """Return a view of the kernel, pinned to a trace's cell where a trace is named."""
    if getattr(get_ipython(), "kernel", None) is None:
        raise RuntimeError(
            "attnlab.show() draws in a notebook. Without one, attnlab.trace and attnlab.record "
            "give the numbers."
        )
    held = None if trace is None else _recorded(trace)
    widget.start()
    backend = widget.started()
    # Where the host has no ids of cells, all traces are of one.
    cell = (backend.hold(held) or None) if held is not None else None
    view = _views.get(cell)
    if view is None or view.comm is None:
        view = _views[cell] = Inline(backend.hub, cell)
    return view


def _recorded(trace: Any) -> Trace:
    from attnlab.analysis.recorded import Recorded
    from attnlab.traces.trace import Trace

    if not isinstance(trace, Trace):
        raise TypeError(
            f"show() takes a trace, e.g. of attnlab.record, not {type(trace).__name__}; "
            "without one it shows what watched cells leave"
        )
    # A block's trace becomes that of its next call; this one stays, or says why there is none.
    return Recorded.of(trace)
