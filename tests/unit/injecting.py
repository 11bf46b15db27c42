"""Raises errors inside attnlab: at the n-th entry of its functions on the user's threads."""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attnlab

HOME = str(Path(attnlab.__file__).parent)
OWN = ("attnlab",)
"""How the names of attnlab's threads begin."""

BORDER = {
    # The functions around the user's call, and those that make it.
    *(("capture/guards/user_call.py", name) for name in (
        "guarded.<locals>.replacement", "UserCall.__init__", "UserCall.__call__",
        "UserCall.through", "UserCall.recovers_from", "UserCall.finish", "UserCall.release",
        "without_traceback",
    )),
    ("capture/generate/noting_function.py", "noting_function.<locals>.noting"),
    ("capture/hooks/interposition.py", "_get_interface"),
    ("capture/tap/mode.py", "Tap.__torch_dispatch__"),
    # Functions that Python and IPython call.
    ("capture/hooks/direct_call.py", "FrameMark.__del__"),
    ("capture/hooks/threads.py", "WeakNotes.add.<locals>.<lambda>"),
    ("capture/hooks/import_watch.py", "ImportWatch.find_spec"),
    ("capture/hooks/import_watch.py", "ImportWatch._lend.<locals>.exec_module"),
    ("live/cells/watcher.py", "CellWatcher.before"),
    ("live/cells/watcher.py", "CellWatcher.after"),
    # Functions that report an error.
    ("capture/hooks/gate.py", "Gate.failed"),
    ("live/cells/watcher.py", "CellWatcher._failed"),
    # Functions that remove attnlab's frames from a traceback, which are visible then.
    ("capture/guards/user_call.py", "hide_frames"),
    *(("capture/guards/frames.py", name) for name in (
        "remove_hidden_frames", "remove_hidden_frames.<locals>.<genexpr>", "is_hidden",
        "_entries", "_shown", "_joined", "_of",
    )),
}  # fmt: skip
"""Functions in which an error of attnlab cannot be handled any more."""

Step = tuple[str, str]


@cache
def _entry(code: CodeType) -> int:
    """Return the offset at which a function has been entered."""
    return next(entry.offset for entry in dis.get_instructions(code) if entry.opname == "RESUME")


class InjectedError(Exception):
    """An error inside attnlab."""


def step(code: CodeType) -> Step | None:
    """Return the name of a function of attnlab; None for others."""
    name = code.co_filename.removesuffix(" <importlib._bootstrap>")
    if not name.startswith(HOME):
        return None
    return name[len(HOME) + 1 :], code.co_qualname


@contextmanager
def profiled(entered: Callable[[Step, FrameType], None], everywhere: bool = True) -> Iterator[None]:
    """Call a function at each entry of a function of attnlab, optionally also on new threads."""
    known: dict[CodeType, Step | None] = {}

    def profile(frame: FrameType, event: str, _: Any) -> None:
        # A generator that continues was entered before: its `finally` is active. One that is
        # deleted before it was entered is reported, too, but runs no code.
        if event != "call":
            return
        code = frame.f_code
        if code not in known:
            known[code] = step(code)
        known_names = known[code]
        if (
            known_names is not None
            and frame.f_lasti == _entry(code)
            and not threading.current_thread().name.startswith(OWN)
        ):
            entered(known_names, frame)

    if everywhere:
        threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def steps(scenario: Callable[[], Any], everywhere: bool = True) -> list[Step]:
    """List the functions of attnlab that a scenario enters on the user's threads."""
    found: dict[Step, None] = {}
    with profiled(lambda value, _: found.setdefault(value), everywhere):
        scenario()
    return list(found)


@contextmanager
def failing(at: Step, error: BaseException, everywhere: bool = True) -> Iterator[list[Step]]:
    """Raise an error when a function is entered, once; yields where it was raised."""
    raised: list[Step] = []
    lock = threading.Lock()

    def entered(value: Step, frame: FrameType) -> None:
        if value != at or (not isinstance(error, Exception) and _finalizes(frame)):
            return
        with lock:
            if raised:
                return
            raised.append(value)
        raise error

    with profiled(entered, everywhere):
        yield raised


def _finalizes(frame: FrameType | None) -> bool:
    """Whether an object is being deleted: Python ignores exceptions then."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
