"""What a person calls from a notebook."""

from __future__ import annotations

from typing import Any

from attnlab import widget


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
    widget.start()
    widget.started().cells.models.add(model, tokenizer)


def unwatch(model: Any | None = None) -> None:
    """Show a watched model no longer; all of them where none is named.

    Raises
    ------
    ValueError
        Where the model is not watched.
    """
    widget.started().cells.models.remove(model)
