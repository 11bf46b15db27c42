"""Records methods that were not seen when they were called, from the first module inside."""

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
from attnlab.capture.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.blocks import Blocks, ThreadState
    from attnlab.capture.forward import Found
    from attnlab.capture.generation import Generation
    from attnlab.capture.observation import Observation
    from attnlab.capture.recording import Recording

    Prepare = Callable[[list[Observation], Found], Recording | Steps]

log = logging.getLogger(__name__)


class Forwards:
    """The methods that run and were not seen when they were called, in all threads.

    Parameters
    ----------
    thread
        The state of each thread.
    blocks
        The open blocks.
    prepare
        Makes the listener of a method.
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

    def begin(self) -> Forward | None:
        """Begin to record the method that is about to call a module; None where none is."""
        try:
            here = self._blocks.here()
            found = find(lambda owner: any(own.accepts(owner) for own in here))
            # A compiled model calls what was compiled, which is recorded in its own way.
            if found is None or refusals.compiled(found.module):
                return None
            own = [item for item in here if item.accepts(found.module)]
            listener = self._prepare(own, found)
            callsites = callsites_of(own)
            ident, began = threading.get_ident(), time.perf_counter()
            forward = Forward(listener, own, ident, began, callsites)
            self._running.add(forward)
            self._blocks.begin(forward, own, found.module)
            self._thread.forward = forward
            forward.follow(found.frame, self.end)
        except Exception:  # Ours, so it must not reach the user's call.
            log.exception("attnlab could not find who calls a module")
            return None
        return forward

    def current(self) -> Forward | None:
        """Return the method that runs in this thread; tells of one that has ended."""
        forward = self._thread.forward
        if forward is None or self._thread.busy:
            return None
        if forward in self._running and forward.calls():
            return forward
        self._thread.forward = None
        self.end(forward)
        return None

    def listener(self) -> Recording | Generation | None:
        """Return who hears of what this thread runs."""
        listener = self._thread.listener
        if listener is not None or self._thread.forward is None:
            return listener
        forward = self.current()
        return None if forward is None else forward.listener

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
        """Run the call of a module in a method."""
        thread, listener = self._thread, forward.listener
        forward.failed = None
        tap = None
        if isinstance(listener, Steps):
            thread.generation = listener
        else:
            thread.recording, tap = listener, listener.tap
        try:
            with contextlib.nullcontext() if tap is None else tap:
                return listener.inside(original, module, args, kwargs)
        except BaseException as error:
            forward.failed = refusals.failed(listener.model, error)
            raise
        finally:
            thread.recording = thread.generation = None

    def end(self, forward: Forward) -> None:
        """Tell of a method that has ended; nothing happens the second time."""
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
            self._tell(forward)
        except Exception:  # Ours, so it must not reach the user's code.
            log.exception("attnlab could not record a model call")
        finally:
            thread.recording, thread.generation, thread.forward = state
            self._blocks.end(forward)
            # A traceback may keep the frame, and that keeps this, for long.
            del forward.listener
            self._left()
