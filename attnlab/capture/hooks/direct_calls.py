"""Records methods that were called directly, so that their calls were not intercepted."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from attnlab.capture.generate.recording import GenerateRecording
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.hooks.direct_call import DirectCall, find
from attnlab.capture.hooks.observation import callsites_of
from attnlab.capture.record import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.hooks.blocks import Blocks, ThreadState
    from attnlab.capture.hooks.direct_call import RunningMethod
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.passes.generation import Generation

    Prepare = Callable[[list[Observation], RunningMethod], CallRecording | GenerateRecording]

log = logging.getLogger(__name__)


class DirectCalls:
    """The recordings of directly called methods, in all threads.

    Parameters
    ----------
    thread
        The state of each thread.
    blocks
        The open blocks.
    prepare
        Creates the recording of a method.
    report
        Reports a recording that has ended.
    release
        Called after the report.
    failed
        Called with errors of attnlab.
    """

    def __init__(
        self,
        thread: ThreadState,
        blocks: Blocks,
        prepare: Prepare,
        report: Callable[[DirectCall], None],
        release: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._thread = thread
        self._blocks = blocks
        self._prepare = prepare
        self._report = report
        self._release = release
        self._failed = failed
        self._running: set[DirectCall] = set()

    def begin(self) -> DirectCall | None:
        """Begin to record the method that is calling a module; None if there is no such method."""
        direct_call: DirectCall | None = None
        try:
            here = self._blocks.here()
            found = find(lambda owner: any(observation.accepts(owner) for observation in here))
            # A compiled model calls the original one, and is recorded by a second pass.
            if found is None or refusals.compiled(found.module):
                return None
            accepting = [observation for observation in here if observation.accepts(found.module)]
            listener = self._prepare(accepting, found)
            callsites = callsites_of(accepting)
            ident, began = threading.get_ident(), time.perf_counter()
            direct_call = DirectCall(listener, accepting, ident, began, callsites)
            self._running.add(direct_call)
            self._blocks.begin(direct_call, accepting, found.module)
            self._thread.direct_call = direct_call
            direct_call.follow(found.frame, self.end)
        except BaseException as fault:
            if direct_call is not None:
                self._running.discard(direct_call)
                self._thread.direct_call = None
                self._blocks.end(direct_call)
            if not isinstance(fault, Exception):
                raise
            self._failed(fault)  # Must not affect the user's call.
            return None
        return direct_call

    def current(self) -> DirectCall | None:
        """Return the method that runs in this thread; if it has ended, report it instead."""
        direct_call = self._thread.direct_call
        if direct_call is None or self._thread.busy:
            return None
        if direct_call in self._running and direct_call.calls():
            return direct_call
        self._thread.direct_call = None
        self.end(direct_call)
        return None

    def listener(self) -> CallRecording | Generation | GenerateRecording | None:
        """Return the recording that handles calls in this thread."""
        listener = self._thread.listener
        if listener is not None or self._thread.direct_call is None:
            return listener
        direct_call = self.current()
        return None if direct_call is None else direct_call.listener

    def settle(self) -> None:
        """Report all methods that have ended, but whose frames an exception keeps alive."""
        for direct_call in list(self._running):
            if not direct_call.runs():
                self.end(direct_call)

    @hidden_frame
    def run(
        self,
        direct_call: DirectCall,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a module call inside a method."""
        thread, listener = self._thread, direct_call.listener
        direct_call.failed = None
        tap = None
        if isinstance(listener, GenerateRecording):
            thread.generation = listener
        else:
            thread.recording, tap = listener, listener.tap
        try:
            with contextlib.nullcontext() if tap is None else tap:
                return listener.inside(original, module, args, kwargs)
        except BaseException as error:
            direct_call.failed = refusals.failed(listener.model, error, listener.error)
            raise
        finally:
            thread.recording = thread.generation = None

    def end(self, direct_call: DirectCall) -> None:
        """Report a method that has ended; repeating this has no effect."""
        thread = self._thread
        try:
            self._running.remove(direct_call)
        except KeyError:
            return
        if thread.direct_call is direct_call:
            thread.direct_call = None
        # If an exception kept the frame alive, this may run in the middle of any other code.
        state = thread.recording, thread.generation, thread.direct_call
        observations = direct_call.observations
        thread.recording = thread.generation = thread.direct_call = None
        try:
            self._report(direct_call)
        except Exception as fault:  # Must not affect the user's code.
            log.exception("attnlab could not record a model call")
            _report_fault(observations, fault)
        finally:
            thread.recording, thread.generation, thread.direct_call = state
            try:
                self._clean_up(direct_call)
            except BaseException as fault:
                self._clean_up(direct_call)
                if not isinstance(fault, Exception):
                    raise
                log.exception("attnlab could not end a recording")
                _report_fault(observations, fault)

    def _clean_up(self, direct_call: DirectCall) -> None:
        """Drop all data of a method that has ended."""
        self._blocks.end(direct_call)
        # A traceback may keep the frame, and this object with it, alive for long.
        if "listener" in vars(direct_call):
            direct_call.listener.release()
            del direct_call.listener, direct_call.observations
        self._release()


def _report_fault(observations: list[Observation], fault: Exception) -> None:
    for observation in observations:
        observation.failed(fault)
