"""Which blocks are open, which of them a thread belongs to, and what they have missed."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.threads import Threads, disowned, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.forward import Forward
    from attnlab.capture.generation import Generation
    from attnlab.capture.observation import Observation
    from attnlab.capture.recording import Recording
    from attnlab.capture.threads import References

log = logging.getLogger(__name__)


class ThreadState(threading.local):
    """What the current thread is doing.

    Attributes
    ----------
    forward
        A ``forward`` that was called directly; it may have ended.
    passed
        While a call of a module runs that nothing is recorded of, the blocks that it is in.
    blocks
        The blocks that the thread entered, or was started in; None before that was asked.
    own
        Whether it is a thread of attnlab.
    """

    recording: Recording | None = None
    generation: Generation | None = None
    forward: Forward | None = None
    busy: bool = False
    tokenizing: int = 0
    passed: list[Observation] | None = None
    blocks: References | None = None
    own: bool = False

    @property
    def listener(self) -> Recording | Generation | None:
        """Who hears of what is called inside."""
        return self.recording or self.generation


class Blocks:
    """The open blocks, and the calls that are being recorded for them.

    Parameters
    ----------
    thread
        The state of each thread.
    """

    def __init__(self, thread: ThreadState) -> None:
        self.open: list[Observation] = []
        self._thread = thread
        self._threads = Threads()
        self._lock = threading.RLock()
        self._running: dict[object, Sequence[Observation]] = {}

    @property
    def idle(self) -> bool:
        """Whether no block is open and no call is being recorded."""
        return not self.open and not self._running

    def enter(self, observation: Observation) -> None:
        """Open a block in the current thread."""
        self._own().append(weakref.ref(observation))
        if self._thread.passed is not None:
            self._thread.passed.append(observation)
        with self._lock:
            self.open.append(observation)

    def leave(self, observation: Observation) -> None:
        """Close a block: no call that begins from now on is recorded for it."""
        observation.open = False
        thread = self._thread
        thread.blocks = [item for item in self._own() if item() is not observation]
        with self._lock:
            # An interrupt may have come before the block was entered in full.
            self.open = [item for item in self.open if item is not observation]

    def here(self) -> list[Observation]:
        """List the open blocks that what the current thread runs belongs to."""
        thread = self._thread
        if thread.busy or not self.open:
            return []
        if thread.passed is not None:
            return [item for item in thread.passed if item.open]
        found = _open(self._own())
        return found if found or thread.own else _open(self._threads.of_work())

    def begin(self, call: object, observations: Sequence[Observation], module: Any) -> None:
        """Know a call as one that is being recorded."""
        running = refusals.name_of(module), threading.get_ident()
        for observation in observations:
            observation.missed.running[call] = running
        with self._lock:
            self._running[call] = observations

    def end(self, call: object) -> None:
        """Know a call as one that has ended; nothing happens the second time."""
        with self._lock:
            observations = self._running.pop(call, ())
        for observation in observations:
            observation.missed.running.pop(call, None)

    def overlook(self, module: Any) -> None:
        """Note an outermost call of which nothing is recorded, for blocks that will ask why."""
        thread = self._thread
        if thread.busy or thread.own:
            return
        try:
            here = self.here()
            for observation in list(self.open):
                accepted = observation.admits(module)
                if any(observation is item for item in here):
                    if not accepted:
                        observation.missed.other(module)
                elif accepted:
                    observation.missed.elsewhere(module, name_of())
        except Exception:  # Ours, so it must not reach the user's call.
            log.exception("attnlab could not note a model call")

    def thread_started(self, thread: threading.Thread) -> None:
        """Note that a thread is about to be started; it belongs to the blocks of this code."""
        self._threads.started(thread, self.here())

    def future_made(self, future: Any) -> None:
        """Note a new future: what it stands for belongs to the blocks of this code."""
        self._threads.submitted(future, self.here())

    def _own(self) -> References:
        """List the blocks that the current thread entered, or was started in."""
        thread = self._thread
        if thread.blocks is None:
            thread.own = disowned()
            thread.blocks = [] if thread.own else self._threads.of_current()
        return thread.blocks


def _open(references: References) -> list[Observation]:
    return [item for reference in references if (item := reference()) is not None and item.open]
