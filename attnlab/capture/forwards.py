"""Records each ``forward`` that is called directly, from the first module inside to its end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.callsite import callsites_of
from attnlab.capture.forward import Forward, find
from attnlab.capture.frames import between

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.blocks import Blocks, ThreadState
    from attnlab.capture.observation import Observation
    from attnlab.capture.recording import Recording

    Prepare = Callable[[list[Observation], Any, tuple[Any, ...], dict[str, Any]], Recording]

log = logging.getLogger(__name__)


class Forwards:
    """The ``forward`` methods that run and were called directly, in all threads.

    Parameters
    ----------
    thread
        The state of each thread.
    blocks
        The open blocks.
    prepare
        Prepares the recording of a call.
    tell
        Tells of a recording that has ended.
    left
        Called after that.
    """

    def __init__(
        self,
        thread: ThreadState,
        blocks: Blocks,
        prepare: Prepare,
        tell: Callable[[Forward], None],
        left: Callable[[], None],
    ) -> None:
        self._thread = thread
        self._blocks = blocks
        self._prepare = prepare
        self._tell = tell
        self._left = left
        self._running: set[Forward] = set()

    def begin(self, observations: list[Observation], module: Any) -> Forward | None:
        """Begin to record the ``forward`` that calls a module; None where none does."""
        if all(own.only is module for own in observations):
            return None
        try:
            here = self._blocks.here()
            found = find(lambda owner: any(own.accepts(owner) for own in here))
            # A compiled model calls what was compiled, which is recorded in its own way.
            if found is None or refusals.compiled(found.module):
                return None
            own = [item for item in here if item.accepts(found.module)]
            recording = self._prepare(own, found.module, found.args, found.kwargs)
            callsites = callsites_of(own)
            ident, began = threading.get_ident(), time.perf_counter()
            forward = Forward(recording, own, ident, began, callsites)
            self._running.add(forward)
            self._blocks.begin(forward, own, found.module)
            self._thread.forward = forward
            forward.follow(found.frame, self.end)
        except Exception:  # Ours, so it must not reach the user's call.
            log.exception("attnlab could not find who called forward")
            return None
        return forward

    def current(self) -> Forward | None:
        """Return the ``forward`` that runs in this thread; tells of one that has ended."""
        forward = self._thread.forward
        if forward is None or self._thread.busy:
            return None
        if forward.calls():
            return forward
        self.end(forward)
        return None

    def settle(self) -> None:
        """Tell of all that have ended by an exception, which keeps their frames."""
        for forward in list(self._running):
            if not forward.runs():
                self.end(forward)

    @between
    def run(
        self,
        forward: Forward,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run the call of a module in a ``forward``."""
        recording, forward.failed = forward.recording, None
        self._thread.recording = recording
        try:
            with contextlib.nullcontext() if recording.tap is None else recording.tap:
                return recording.inside(original, module, args, kwargs)
        except BaseException as error:
            forward.failed = refusals.failed(recording.model, error)
            raise
        finally:
            self._thread.recording = None

    def end(self, forward: Forward) -> None:
        """Tell of a ``forward`` that has ended; nothing happens the second time."""
        thread = self._thread
        try:
            self._running.remove(forward)
        except KeyError:
            return
        if thread.forward is forward:
            thread.forward = None
        # It may end in the middle of anything, where an exception has kept its frame.
        state = thread.recording, thread.generation, thread.forward
        thread.recording = thread.generation = thread.forward = None
        try:
            spent = time.perf_counter() - forward.began - forward.recording.recorder.seconds
            forward.recording.milliseconds = 1000 * spent
            self._tell(forward)
        except Exception:  # Ours, so it must not reach the user's code.
            log.exception("attnlab could not record a model call")
        finally:
            thread.recording, thread.generation, thread.forward = state
            self._blocks.end(forward)
            self._left()
