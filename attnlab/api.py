"""The public functions for notebooks and scripts.

Heavy modules are imported inside functions, because JupyterLab's server imports this package.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from attnlab.analysis.recorded import Recorded
    from attnlab.inline import Inline
    from attnlab.live.blocks.block import Block
    from attnlab.traces.trace import Trace


def watch(
    model: Any,
    tokenizer: Any | None = None,
    *,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
) -> None:
    """Show the attention of a model in every cell from now on, tagged or not.

    In JupyterLab, the tag ``attention`` does the same for one cell, without any code.

    Parameters
    ----------
    model
        A transformers model. It is not changed, and watching does not keep it alive.
    tokenizer
        The tokenizer of its inputs; found automatically if the cell calls it. Of any library, as
        in `record`. Watching the model keeps the tokenizer alive.
    tokens
        Labels of the positions, as in `record`.

    Raises
    ------
    TypeError
        If `model` is not a model, or `tokens` is not a list of strings or of such lists.
    ValueError
        If `tokens` is empty.
    RuntimeError
        Outside a notebook's kernel.
    """
    from attnlab import widget

    widget.start()
    widget.started().cells.models.add(model, tokenizer, tokens)


def unwatch(model: Any | None = None) -> None:
    """Stop watching a model, or all models if none is given.

    Raises
    ------
    ValueError
        If the model is not watched.
    """
    from attnlab import widget

    widget.started().cells.models.remove(model)


def record(
    model: Any,
    tokenizer: Any | None = None,
    *,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
) -> AbstractContextManager[Block]:
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
        The tokenizer of its inputs; found automatically if the block calls it and it is one of
        transformers. Otherwise any object with a method ``decode`` or ``id_to_token``, such as
        those of tiktoken, mistral-common, SentencePiece and the tokenizers library. Only methods
        that read its vocabulary are called; their exceptions become a note of the trace.
    tokens
        Labels of the positions of the main sequence, for models without token ids: residues,
        frames, patches. One list for all batch items, or a list of lists, one for each. They are
        used for every call with as many positions. In a call of ``generate`` they may also label
        the prompt alone. If the numbers differ, the trace has a note that states both.

    Returns
    -------
    context manager of attnlab.live.blocks.block.Block
        The trace. Using it before the first call, or if the newest call could not be recorded,
        raises `NotRecordedError`, a RuntimeError that states the reason.

    Raises
    ------
    TypeError
        If `model` is not a model, or `tokens` is not a list of strings or of such lists.
    ValueError
        If `tokens` is empty.
    """
    from attnlab.live.blocks.block import recording

    return recording(model, tokenizer, tokens)


def trace(
    model: Any,
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None = None,
    *,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
    **options: Any,
) -> Recorded:
    """Pass a text through a model once, and return the trace.

    Runs without gradients, on the model's device and in its current mode (train or eval).

    Parameters
    ----------
    model
        A transformers model.
    tokenizer
        Its tokenizer, of any library as in `record`. One that cannot be called like those of
        transformers needs a method ``encode``.
    text
        A text, or several texts for one batch, padded if the tokenizer supports it.
    text_pair
        The second text, for models that take two.
    tokens
        Labels that replace the tokens, as in `record`.
    **options
        Passed to the tokenizer, e.g. ``truncation=True``, or ``text_target=`` for the output text
        of an encoder-decoder.

    Raises
    ------
    TypeError
        If `model` is not a model, or `tokens` is not a list of strings or of such lists.
    ValueError
        If `tokens` is empty, or the tokenizer cannot encode the texts as one batch.
    NotRecordedError
        A RuntimeError that states why the attention could not be recorded.
    """
    from attnlab.live.blocks.text import pass_text

    return pass_text(model, tokenizer, text, text_pair, options, tokens)


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
