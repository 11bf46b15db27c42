"""Hides the functions between a cell and a model from tracebacks and warnings.

A function of attnlab that runs the user's call is a frame on the stack. It would appear in
tracebacks, and a warning or log record with a ``stacklevel`` would be attributed to it instead
of the user's line.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    Function = TypeVar("Function", bound=Callable[..., Any])

DISPATCH = "__torch_dispatch__"

BEFORE = ("torch/_compile.py", "torch/_dynamo/eval_frame.py")
"""Files of the frames through which PyTorch calls a dispatch mode."""

AFTER = ("torch/_ops.py",)
"""Files of the frames through which a dispatch mode calls an operation."""

FROZEN = "<frozen importlib._bootstrap of attnlab>"
"""File name of the code that replaces functions of libraries; see `hidden_frame`."""

_hidden: set[Any] = set()


def hidden_frame(function: Function) -> Function:
    """Mark a function that runs the user's call, so that its frames are hidden.

    `warnings` and `logging` skip the frames of Python's import system when they go up the
    stack by ``stacklevel``, and recognize them by their file name. So the file name of the
    function is changed to one that both skip:
    https://docs.python.org/3/library/warnings.html#warnings.warn
    """
    code = function.__code__
    function.__code__ = code.replace(co_filename=f"{code.co_filename} <importlib._bootstrap>")
    _hidden.add(function.__code__)
    return function


def is_hidden(frame: FrameType) -> bool:
    """Whether a frame belongs to a function that was marked with `hidden_frame`."""
    code = frame.f_code
    return code.co_filename == FROZEN or code in _hidden


def runs_user_code(frame: FrameType) -> bool:
    """Whether a thread that is in a frame runs code of the user or of a library.

    It does not if it runs attnlab's code, or code that attnlab called for itself. That includes
    `contextlib`, which runs attnlab's context managers.
    """
    called: FrameType | None = None
    caller: FrameType | None = frame
    while caller is not None and not _module(caller).startswith("attnlab."):
        called, caller = caller, caller.f_back
    if called is None or caller is None:
        return False
    return caller.f_code in _hidden and _module(called) != "contextlib"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def remove_hidden_frames(error: BaseException) -> None:
    """Remove the hidden frames from an error's traceback.

    Call it in an ``except`` block that ends with a bare ``raise``: that adds no entry to the
    traceback for the current frame.
    """
    with contextlib.suppress(RecursionError):  # The stack itself may be full.
        entries = _entries(error.__traceback__)
        if any(is_hidden(entry.tb_frame) for entry in entries):
            error.__traceback__ = _joined(_shown(entries))


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _shown(entries: list[TracebackType]) -> list[TracebackType]:
    """Drop the hidden entries, and those of PyTorch around the entry of a dispatch mode."""
    shown: list[TracebackType] = []
    dispatched = False
    for entry in entries:
        hidden = is_hidden(entry.tb_frame)
        if hidden and entry.tb_frame.f_code.co_name == DISPATCH:
            while shown and _of(shown[-1], BEFORE):
                shown.pop()
            dispatched = True
        elif not hidden and not (dispatched and _of(entry, AFTER)):
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
