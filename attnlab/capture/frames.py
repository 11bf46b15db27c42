"""Keeps the functions that stand between a cell and a model out of what the cell shows.

A function of ours that runs the user's call is a frame on the stack. It would show in
tracebacks, and a warning or log record with a ``stacklevel`` would be attributed to it instead
of to the user's line.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Function = TypeVar("Function", bound=Callable[..., Any])

DISPATCH = "__torch_dispatch__"

BEFORE = ("torch/_compile.py", "torch/_dynamo/eval_frame.py")
"""Files of the frames by which PyTorch calls a dispatch mode."""

AFTER = ("torch/_ops.py",)
"""Files of the frames by which a dispatch mode calls an operation."""

_between: set[Any] = set()


def between(function: Function) -> Function:
    """Mark a function as one that runs the user's call.

    `warnings` and `logging` do not count the frames of Python's import system when they go up
    the stack by ``stacklevel``, and they know these by their file's name. So the name of the
    function's file is changed to one that both take for such a frame:
    https://docs.python.org/3/library/warnings.html#warnings.warn
    """
    code = function.__code__
    function.__code__ = code.replace(co_filename=f"{code.co_filename} <importlib._bootstrap>")
    _between.add(function.__code__)
    return function


def hide(error: BaseException) -> None:
    """Take the frames of such functions out of an error's traceback.

    To be called in an ``except`` block that ends with a bare ``raise``, which adds no entry to
    the traceback for the frame that it is in.
    """
    with contextlib.suppress(RecursionError):  # It may be the stack that is full.
        entries = _entries(error.__traceback__)
        if any(entry.tb_frame.f_code in _between for entry in entries):
            error.__traceback__ = _joined(_shown(entries))


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _shown(entries: list[TracebackType]) -> list[TracebackType]:
    """Drop our entries, and around a dispatch mode's those that are there because of it."""
    shown: list[TracebackType] = []
    dispatched = False
    for entry in entries:
        code = entry.tb_frame.f_code
        ours = code in _between
        if ours and code.co_name == DISPATCH:
            while shown and _of(shown[-1], BEFORE):
                shown.pop()
            dispatched = True
        elif not ours and not (dispatched and _of(entry, AFTER)):
            shown.append(entry)
            dispatched = False
    return shown


def _of(entry: TracebackType, files: tuple[str, ...]) -> bool:
    return entry.tb_frame.f_code.co_filename.replace("\\", "/").endswith(files)


def _joined(entries: list[TracebackType]) -> TracebackType | None:
    following: TracebackType | None = None
    for entry in reversed(entries):
        entry.tb_next = following
        following = entry
    return following
