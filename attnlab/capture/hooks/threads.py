"""Determines which blocks a thread belongs to: those of the code that gave it work."""

from __future__ import annotations

import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.python_internals import work_item_code

if TYPE_CHECKING:
    from types import FrameType


class _ThreadMark(threading.local):
    """Marks threads that belong to attnlab."""

    internal: bool = False


_mark = _ThreadMark()


def disown() -> None:
    """Mark the current thread as attnlab's: it belongs only to blocks that it enters itself."""
    _mark.internal = True


def is_disowned() -> bool:
    """Whether the current thread belongs to attnlab."""
    return _mark.internal


References = list["weakref.ref[Any]"]
"""Blocks, as weak references: threads that refer to them may run as long as the kernel."""


class WeakNotes:
    """Maps objects, by identity, to blocks, without keeping either alive.

    A `WeakKeyDictionary` would compare the objects, and subclasses of `threading.Thread` may
    define a comparison.
    """

    def __init__(self) -> None:
        self._notes: dict[int, tuple[weakref.ref[Any], References]] = {}

    def add(self, owner: Any, observations: list[Any]) -> None:
        """Set the blocks of an object."""
        key, notes = id(owner), self._notes
        references = [weakref.ref(observation) for observation in observations]
        notes[key] = (weakref.ref(owner, lambda _: notes.pop(key, None)), references)

    def get(self, owner: Any) -> References:
        """Return the blocks of an object; empty if none were set."""
        reference, references = self._notes.get(id(owner), (None, []))
        return list(references) if reference is not None and reference() is owner else []


class ThreadBlocks:
    """Stores which blocks started threads, or submitted work to executors."""

    def __init__(self) -> None:
        self._started = WeakNotes()
        self._submitted = WeakNotes()

    def started(self, thread: threading.Thread, observations: list[Any]) -> None:
        """Note that code in some blocks is about to start a thread."""
        if observations:
            self._started.add(thread, observations)

    def submitted(self, future: Any, observations: list[Any]) -> None:
        """Note that code in some blocks has created a future, the first step of submitting work."""
        if observations:
            self._submitted.add(future, observations)

    def of_current(self) -> References:
        """Return the blocks that started the current thread."""
        thread = current()
        return [] if thread is None else self._started.get(thread)

    def of_work(self) -> References:
        """Return the blocks that submitted the work of the current thread.

        An executor's threads may be older than the block. The submitted functions are not
        wrapped, since tracebacks would show it; instead, the future is read from the executor's
        frame.
        """
        code = work_item_code()
        frame: FrameType | None = sys._getframe(1) if code is not None else None
        while frame is not None:
            if frame.f_code is code:
                future = getattr(frame.f_locals.get("self"), "future", None)
                return [] if future is None else self._submitted.get(future)
            frame = frame.f_back
        return []


def current(ident: int | None = None) -> threading.Thread | None:
    """Return the current thread, or the one with an identifier; None if Python did not start it.

    For a thread of another library, `threading.current_thread` would create a permanent object.
    """
    wanted = threading.get_ident() if ident is None else ident
    return next((thread for thread in threading.enumerate() if thread.ident == wanted), None)


def name_of(ident: int | None = None) -> str:
    """Return the name of the current thread, or of the one with an identifier."""
    thread = current(ident)
    return "(not started by Python)" if thread is None else thread.name
