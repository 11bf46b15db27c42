"""What a person calls from a notebook or a script.

Nothing heavy is imported before it is needed: JupyterLab's server imports this package too.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from attnlab.analysis.recorded import Recorded
    from attnlab.inline import Inline
    from attnlab.live.block import Block
    from attnlab.traces.trace import Trace


def watch(model: Any, tokenizer: Any | None = None) -> None:
    """Show the attention of a model in every cell from now on, tagged or not.

    In JupyterLab a cell's tag ``attention`` does the same for one cell without any code.

    Parameters
    ----------
    model
        A transformers model. It is not changed, and to be watched keeps it in memory no
        longer than the notebook does.
    tokenizer
        The tokenizer that made its ids; found by itself where the cell calls it.

    Raises
    ------
    TypeError
        Where `model` is no model.
    RuntimeError
        Outside a notebook's kernel.
    """
    from attnlab import widget

    widget.start()
    widget.started().cells.models.add(model, tokenizer)


def unwatch(model: Any | None = None) -> None:
    """Show a watched model no longer; all of them where none is named.

    Raises
    ------
    ValueError
        Where the model is not watched.
    """
    from attnlab import widget

    widget.started().cells.models.remove(model)


def record(model: Any, tokenizer: Any | None = None) -> AbstractContextManager[Block]:
    """Record the attention of the model's calls in a ``with`` block.

    The model's results are the same as without, and nothing stays on it. Needs no notebook::

        with attnlab.record(model, tokenizer) as trace:
            model(**inputs)
        trace.weights(layer=0, head=3)

    After several calls it is the trace of the newest; ``trace.calls`` are the traces of all
    of them, oldest first, as far back as the budget of memory (``ATTNLAB_MEMORY``) reaches.

    Parameters
    ----------
    model
        A transformers model. Its calls are recorded, and those of the modules inside it that
        are called in its place, also where another object (a pipeline, an adapter) or a thread
        that the block starts makes them.
    tokenizer
        The tokenizer that made its ids; found by itself where the block calls it.

    Returns
    -------
    context manager of attnlab.live.block.Block
        The trace. Before the first call, and where the newest call could not be recorded,
        asking it for anything raises `NotRecordedError`, a RuntimeError that says why.

    Raises
    ------
    TypeError
        Where `model` is no model.
    """
    from attnlab.live.block import recording

    return recording(model, tokenizer)


def trace(
    model: Any,
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None = None,
    **options: Any,
) -> Recorded:
    """Pass a text through a model once, and return the trace of its attention.

    Runs without gradients, on the model's own device, in the mode (train or eval) in which
    the model is.

    Parameters
    ----------
    model
        A transformers model.
    tokenizer
        Its tokenizer.
    text
        A text, or several for one batch, padded where the tokenizer can.
    text_pair
        The second text, for models that read two.
    **options
        Passed to the tokenizer, e.g. ``truncation=True``, or ``text_target=`` for what an
        encoder-decoder writes.

    Raises
    ------
    TypeError
        Where `model` is no model.
    NotRecordedError
        A RuntimeError that says why the model's attention could not be recorded.
    """
    from attnlab.live.text import pass_text

    return pass_text(model, tokenizer, text, text_pair, options)


def current() -> Recorded:
    """Return the newest trace that the panel holds.

    Raises
    ------
    RuntimeError
        Outside a notebook, and where no watched cell has called a model yet.
    """
    # Nobody has a trace where the backend does not run; asking must not start it.
    widget = sys.modules.get("attnlab.widget")
    backend = getattr(widget, "_backend", None)
    newest = None if backend is None else backend.endpoint.session.newest()
    if newest is None:
        raise RuntimeError(
            "the panel holds no trace: tag a cell “attention” and run it, or call "
            "attnlab.watch(model). Without a notebook use attnlab.record or attnlab.trace."
        )
    from attnlab.analysis.recorded import Recorded

    return Recorded.of(newest)


def show(trace: Trace | None = None) -> Inline:
    """Show the panel in the cell's output, for notebooks without attnlab's extension.

    As a cell's last expression it is displayed, for instance in VS Code or Colab. It shows
    what watched cells leave, as the panel beside a notebook does, or a trace at once::

        with attnlab.record(model, tokenizer) as trace:
            model(**inputs)
        attnlab.show(trace)

    Parameters
    ----------
    trace
        Of `record`, `trace` or `current`. The panel is pinned to its cell, and follows the
        cell that runs once a person lets go of the pin.

    Returns
    -------
    attnlab.inline.Inline
        A widget, the same one whenever the cell is run again.

    Raises
    ------
    RuntimeError
        Outside a notebook's kernel.
    NotRecordedError
        Where nothing was recorded in the block that `trace` is of.
    TypeError
        Where `trace` is none.
    """
    from attnlab import inline

    return inline.show(trace)
