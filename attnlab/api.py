"""The public functions for notebooks and scripts.

Heavy modules are imported inside functions, because JupyterLab's server imports this package.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from attnlab.analysis.recorded import Recorded
    from attnlab.inline import Inline
    from attnlab.live.blocks.block import Block
    from attnlab.traces.trace import Trace


def watch(model: Any, tokenizer: Any | None = None) -> None:
    """Show the attention of a model in every cell from now on, tagged or not.

    In JupyterLab, the tag ``attention`` does the same for one cell, without any code.

    Parameters
    ----------
    model
        A transformers model. It is not changed, and watching does not keep it alive.
    tokenizer
        The tokenizer of its inputs; found automatically if the cell calls it. Watching the model
        keeps the tokenizer alive.

    Raises
    ------
    TypeError
        If `model` is not a model.
    RuntimeError
        Outside a notebook's kernel.
    """
    from attnlab import widget

    widget.start()
    widget.started().cells.models.add(model, tokenizer)


def unwatch(model: Any | None = None) -> None:
    """Stop watching a model, or all models if none is given.

    Raises
    ------
    ValueError
        If the model is not watched.
    """
    from attnlab import widget

    widget.started().cells.models.remove(model)


def record(model: Any, tokenizer: Any | None = None) -> AbstractContextManager[Block]:
    """Record the attention of the model's calls in a ``with`` block.

    The model's results are unchanged, and nothing remains attached to the model. This works
    without a notebook::

        with attnlab.record(model, tokenizer) as trace:
            model(**inputs)
        trace.weights(layer=0, head=3)

    After several calls, `trace` is the trace of the newest one; ``trace.calls`` lists the traces
    of all calls, oldest first, within the memory budget (``ATTNLAB_MEMORY``).

    Parameters
    ----------
    model
        A transformers model. Its calls are recorded, and so are direct calls of its submodules,
        even if another object (a pipeline, an adapter) or a thread started in the block makes
        them.
    tokenizer
        The tokenizer of its inputs; found automatically if the block calls it.

    Returns
    -------
    context manager of attnlab.live.blocks.block.Block
        The trace. Using it before the first call, or if the newest call could not be recorded,
        raises `NotRecordedError`, a RuntimeError that states the reason.

    Raises
    ------
    TypeError
        If `model` is not a model.
    """
    from attnlab.live.blocks.block import recording

    return recording(model, tokenizer)


def trace(
    model: Any,
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None = None,
    **options: Any,
) -> Recorded:
    """Pass a text through a model once, and return the trace.

    Runs without gradients, on the model's device and in its current mode (train or eval).

    Parameters
    ----------
    model
        A transformers model.
    tokenizer
        Its tokenizer.
    text
        A text, or several texts for one batch, padded if the tokenizer supports it.
    text_pair
        The second text, for models that take two.
    **options
        Passed to the tokenizer, e.g. ``truncation=True``, or ``text_target=`` for the output text
        of an encoder-decoder.

    Raises
    ------
    TypeError
        If `model` is not a model.
    NotRecordedError
        A RuntimeError that states why the attention could not be recorded.
    """
    from attnlab.live.blocks.text import pass_text

    return pass_text(model, tokenizer, text, text_pair, options)


def current() -> Recorded:
    """Return the newest trace of the panel.

    Raises
    ------
    RuntimeError
        Outside a notebook, or if no watched cell has called a model yet.
    """
    # Without a backend there are no traces, so the backend is not started here.
    widget = sys.modules.get("attnlab.widget")
    backend = getattr(widget, "_backend", None)
    newest = None if backend is None else backend.endpoint.session.newest()
    if newest is None:
        raise RuntimeError(
            "the panel has no trace: tag a cell “attention” and run it, or call "
            "attnlab.watch(model). Without a notebook, use attnlab.record or attnlab.trace."
        )
    from attnlab.analysis.recorded import Recorded

    return Recorded.of(newest)


def show(trace: Trace | None = None) -> Inline:
    """Show the panel in the cell's output, for notebooks without attnlab's extension.

    Jupyter displays it as the last expression of a cell, e.g. in VS Code or Colab. Like the panel
    beside a notebook, it shows the traces of watched cells, or a given trace::

        with attnlab.record(model, tokenizer) as trace:
            model(**inputs)
        attnlab.show(trace)

    Parameters
    ----------
    trace
        A trace from `record`, `trace` or `current`. The panel is pinned to its cell, and follows
        the running cell once it is unpinned.

    Returns
    -------
    attnlab.inline.Inline
        A widget; running the cell again returns the same one.

    Raises
    ------
    RuntimeError
        Outside a notebook's kernel.
    NotRecordedError
        If nothing was recorded in the block of `trace`.
    TypeError
        If `trace` is not a trace.
    """
    from attnlab import inline

    return inline.show(trace)
