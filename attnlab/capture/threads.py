"""Which blocks a thread belongs to: those of the code that started it or gave it its work."""

from __future__ import annotations

import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from attnlab.capture.observation import Observation


class _Marked(threading.local):
    """Whether the current thread is one of attnlab."""

    own: bool = False


_marked = _Marked()


def disown() -> None:
    """Have the current thread belong to no block but its own ones, whoever has started it."""
    _marked.own = True


def disowned() -> bool:
    """Whether the current thread is one of attnlab."""
    return _marked.own


References = list["weakref.ref[Observation]"]
"""Blocks, without keeping them alive: a thread may live as long as the kernel."""


class Notes:
    """What was noted about objects, by identity; the notes keep nothing alive.

    A `WeakKeyDictionary` would ask the objects whether they are equal, which a subclass of
    `threading.Thread` may answer in its own way.
    """

    def __init__(self) -> None:
        self._notes: dict[int, tuple[weakref.ref[Any], References]] = {}

    def add(self, own: Any, observations: list[Observation]) -> None:
        """Note the blocks of an object."""
        key, notes = id(own), self._notes
        references = [weakref.ref(observation) for observation in observations]
        notes[key] = (weakref.ref(own, lambda _: notes.pop(key, None)), references)

    def get(self, own: Any) -> References:
        """Return the blocks that were noted; none for an object that nobody noted."""
        reference, references = self._notes.get(id(own), (None, []))
        return list(references) if reference is not None and reference() is own else []


class Threads:
    """Remembers who started threads, and who submitted work to the threads of executors."""

    def __init__(self) -> None:
        self._started = Notes()
        self._submitted = Notes()

    def started(self, thread: threading.Thread, observations: list[Observation]) -> None:
        """Note that a thread is about to be started by code of some blocks."""
        if observations:
            self._started.add(thread, observations)

    def submitted(self, future: Any, observations: list[Observation]) -> None:
        """Note that code of some blocks has made a future, the first step of submitting work."""
        if observations:
            self._submitted.add(future, observations)

    def of_current(self) -> References:
        """Return the blocks that the current thread was started by."""
        thread = current()
        return [] if thread is None else self._started.get(thread)

    def of_work(self) -> References:
        """Return the blocks that have submitted the work that the current thread is doing.

        The threads of an executor may be older than the block. What they run is not wrapped,
        since its tracebacks would show that: the executor's own frame names the future.
        """
        library = sys.modules.get("concurrent.futures.thread")
        run = getattr(getattr(library, "_WorkItem", None), "run", None)
        code = getattr(run, "__code__", None)
        frame: FrameType | None = sys._getframe(1) if code is not None else None
        while frame is not None:
            if frame.f_code is code:
                future = getattr(frame.f_locals.get("self"), "future", None)
                return [] if future is None else self._submitted.get(future)
            frame = frame.f_back
        return []


def current(ident: int | None = None) -> threading.Thread | None:
    """Return the current thread, or that of an identifier; None for one not of Python's.

    `threading.current_thread` would make an object for such a thread, which stays.
    """
    own = threading.get_ident() if ident is None else ident
    return next((thread for thread in threading.enumerate() if thread.ident == own), None)


def name_of(ident: int | None = None) -> str:
    """Return the name of the current thread, or of that of an identifier."""
    thread = current(ident)
    return "of another library" if thread is None else thread.name
