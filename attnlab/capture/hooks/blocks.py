"""Tracks the open blocks, the threads that belong to them, and the calls that are recorded."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.hooks.threads import ThreadBlocks, is_disowned, name_of
from attnlab.capture.record import refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.generate.recording import GenerateRecording
    from attnlab.capture.hooks.direct_call import DirectCall
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.hooks.threads import References
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.passes.generation import Generation


class ThreadState(threading.local):
    """The state of recording in the current thread.

    Attributes
    ----------
    direct_call
        A method that was called directly and is being recorded; it may have ended already.
    passed
        The blocks of a call that runs without being recorded; None if there is no such call.
    blocks
        The blocks that the thread has entered or was started in; None until they are looked up.
    internal
        Whether the thread belongs to attnlab.
    """

    recording: CallRecording | None = None
    generation: Generation | GenerateRecording | None = None
    direct_call: DirectCall | None = None
    busy: bool = False
    tokenizing: int = 0
    passed: list[Observation] | None = None
    blocks: References | None = None
    internal: bool = False

    @property
    def listener(self) -> CallRecording | Generation | GenerateRecording | None:
        """The recording that handles the calls inside the current one."""
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
        self._threads = ThreadBlocks()
        self._lock = threading.RLock()
        self._running: dict[object, Sequence[Observation]] = {}

    @property
    def idle(self) -> bool:
        """Whether no block is open and no call is being recorded."""
        return not self.open and not self._running

    def enter(self, observation: Observation) -> None:
        """Open a block in the current thread."""
        self._blocks_of_thread().append(weakref.ref(observation))
        if self._thread.passed is not None:
            self._thread.passed.append(observation)
        with self._lock:
            self.open.append(observation)

    def leave(self, observation: Observation) -> None:
        """Close a block: calls that begin later are not recorded for it."""
        observation.open = False
        thread = self._thread
        thread.blocks = [item for item in self._blocks_of_thread() if item() is not observation]
        with self._lock:
            # The block may be missing, if an interrupt occurred while it was entered.
            self.open = [item for item in self.open if item is not observation]

    def here(self) -> list[Observation]:
        """Return the open blocks that the current code belongs to."""
        thread = self._thread
        if thread.busy or not self.open:
            return []
        if thread.passed is not None:
            return [item for item in thread.passed if item.open]
        found = _open(self._blocks_of_thread())
        return found if found or thread.internal else _open(self._threads.of_work())

    def begin(self, call: object, observations: Sequence[Observation], module: Any) -> None:
        """Note that the recording of a call begins."""
        running = refusals.name_of(module), threading.get_ident()
        for observation in observations:
            observation.missed.running[call] = running
        with self._lock:
            self._running[call] = observations

    def end(self, call: object) -> None:
        """Note that a call has ended; repeating this has no effect."""
        with self._lock:
            observations = self._running.pop(call, ())
        for observation in observations:
            observation.missed.running.pop(call, None)

    def overlook(self, module: Any) -> None:
        """Note an outermost call that is not recorded, so that blocks can explain the reason."""
        thread = self._thread
        if thread.busy or thread.internal:
            return
        here = self.here()
        for observation in list(self.open):
            accepted = observation.admits(module)
            if any(observation is item for item in here):
                if not accepted:
                    observation.missed.other(module)
            elif accepted:
                observation.missed.elsewhere(module, name_of())

    def thread_started(self, thread: threading.Thread) -> None:
        """Assign a thread that is about to start to the blocks of the current code."""
        self._threads.started(thread, self.here())

    def future_made(self, future: Any) -> None:
        """Assign the work of a new future to the blocks of the current code."""
        self._threads.submitted(future, self.here())

    def _blocks_of_thread(self) -> References:
        """Return the blocks that the current thread has entered or was started in."""
        thread = self._thread
        if thread.blocks is None:
            thread.internal = is_disowned()
            thread.blocks = [] if thread.internal else self._threads.of_current()
        return thread.blocks


def _open(references: References) -> list[Observation]:
    return [item for reference in references if (item := reference()) is not None and item.open]
