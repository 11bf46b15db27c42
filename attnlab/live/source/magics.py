"""Converts magics in a cell to Python as IPython does, but without its shell.

The shell's ``transform_cell`` may run user code: transformers that were added, and properties,
because it looks up the names in a cell of one line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import TransformerManager

from attnlab.live.findings import Finding, TooLongError
from attnlab.live.source.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPED = re.compile(r"^\s*[%!,;/?]|=\s*[%!]|\?\s*$", re.MULTILINE)
"""A possible magic, shell command or help request."""

MOST = 1 << 22
"""Largest product of characters and magics: IPython parses the whole cell for each magic."""


def code_of(text: str) -> str:
    """Convert a cell to Python.

    Raises
    ------
    TooLongError
        If it has too many magics for its length.
    """
    magics = sum(1 for _ in ESCAPED.finditer(text))
    if magics * len(text) > MOST and not _is_python(text):
        raise TooLongError("the cell is too long to expand its magics while typing")
    return str(_manager().transform_cell(text))


def check_transformers(transform: Callable[[str], str]) -> None:
    """Check that a shell has only the standard transformers of IPython.

    Raises
    ------
    Finding
        If it has others.
    """
    shell: Any = getattr(transform, "__self__", None)
    manager = getattr(shell, "input_transformer_manager", None)
    if manager is None:
        return
    standard = _manager()
    same = type(manager) is TransformerManager and all(
        any(transformer is known for known in getattr(standard, kind))
        for kind in ("cleanup_transforms", "line_transforms", "token_transformers")
        for transformer in getattr(manager, kind)
    )
    if not same or shell.input_transformers_post:
        raise Finding("the notebook's input transformers change a cell before it runs")


def _manager() -> TransformerManager:
    return TransformerManager()  # type: ignore[no-untyped-call]


def _is_python(text: str) -> bool:
    try:
        parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
