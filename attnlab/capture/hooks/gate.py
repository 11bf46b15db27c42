"""The gate: decides which of a notebook's model calls are recorded."""

from __future__ import annotations

import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.user_call import guarded, without_traceback
from attnlab.capture.hooks.blocks import Blocks, ThreadState
from attnlab.capture.hooks.direct_calls import DirectCalls
from attnlab.capture.hooks.installation import Installation
from attnlab.capture.hooks.observation import Observation, callsites_of
from attnlab.capture.hooks.reporting import OutcomeReporter
from attnlab.capture.passes.call_recording import CallRecording
from attnlab.capture.passes.direct_generation import DirectGeneration
from attnlab.capture.passes.generation import Generation
from attnlab.capture.passes.known_models import KnownInterfaceModels
from attnlab.capture.passes.replay import ReplayInputs
from attnlab.capture.record import refusals
from attnlab.capture.torch_internals import in_backward_pass

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from attnlab.capture.guards.user_call import UserCall
    from attnlab.capture.hooks.direct_call import RunningMethod

log = logging.getLogger(__name__)


class Gate:
    """Decides which calls are recorded; the listener of `Interposition`."""

    def __init__(self) -> None:
        self._thread = ThreadState()
        self._known = KnownInterfaceModels()
        self._reporter = OutcomeReporter(self._thread, self._known)
        self.blocks = Blocks(self._thread)
        self._installation = Installation(self, self.blocks)
        self._direct_calls = DirectCalls(
            self._thread,
            self.blocks,
            self._prepared_direct_call,
            self._reporter.report_direct_call,
            self._installation.release,
            self.failed,
        )

    def enter(self, observation: Observation) -> None:
        """Open a block; the first one installs the replaced functions."""
        self.blocks.enter(observation)
        self._installation.install()

    def leave(self, observation: Observation) -> None:
        """Close a block; the last one restores the original functions.

        Calls that are running in other threads are still recorded and reported, so the
        functions stay replaced until the last of them has returned.
        """
        self._direct_calls.settle()
        self.blocks.leave(observation)
        self._installation.release()

    # --- calls from the interposition -----------------------------------------------------

    def failed(self, fault: Exception) -> None:
        """Report an error of attnlab to the recording of this thread, or else to its blocks."""
        log.error("attnlab could not follow a call", exc_info=fault)
        fault = without_traceback(fault)
        try:
            listener = self._direct_calls.listener()
            if listener is not None:
                listener.fault = listener.fault or fault
                return
            observations = self.blocks.here()
        except Exception:
            log.exception("attnlab could not find the blocks of a call")
            observations = []
        for observation in observations or list(self.blocks.open):
            observation.failed(fault)

    @hidden_frame
    def tokenizer_called(
        self, method: str, call: UserCall, tokenizer: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run a tokenizer's method, and note the call for the blocks of this thread."""
        self._direct_calls.current()
        observations = self.blocks.here()
        if not observations:
            return call(tokenizer, *args, **kwargs)
        thread = self._thread
        thread.tokenizing += 1
        try:
            result = call(tokenizer, *args, **kwargs)
        finally:
            thread.tokenizing -= 1
        outermost = not thread.tokenizing
        for observation in observations:
            observation.remember(tokenizer, method, (args, kwargs), result, outermost=outermost)
        return result

    def attention_function(
        self, found: Callable[..., Any], default: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Return a function that calls `found`, and passes the call to the recording."""
        listener = self._direct_calls.listener()
        if listener is None:
            return found
        return guarded(found, partial(self._attended, listener, default), self.failed)

    @hidden_frame
    def _attended(
        self,
        listener: CallRecording | Generation,
        default: Callable[..., Any],
        call: UserCall,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._direct_calls.listener() is not listener:
            return call(*args, **kwargs)
        return listener.attend(call, default, args, kwargs)

    @hidden_frame
    def module_call(self, original: UserCall, module: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a module call; record it if it is an outermost call that belongs to a block."""
        import torch

        # Compiled graphs must not contain attnlab's code.
        if torch.compiler.is_compiling():
            return original(module, *args, **kwargs)
        thread = self._thread
        listener = thread.recording or thread.generation
        if listener is not None:
            return listener.inside(original, module, args, kwargs)
        if thread.direct_call is not None and (direct_call := self._direct_calls.current()):
            return self._direct_calls.run(direct_call, original, module, args, kwargs)
        includes = Observation.accepts if thread.passed is not None else Observation.admits
        observations = [block for block in self.blocks.here() if includes(block, module)]
        # A backward pass calls checkpointed layers again; these are not calls by the user.
        if not observations or in_backward_pass():
            return self._passed(original, module, args, kwargs)
        if direct_call := self._direct_calls.begin():
            return self._direct_calls.run(direct_call, original, module, args, kwargs)
        return self._tracked(self._recorded, observations, original, module, args, kwargs)

    @hidden_frame
    def _passed(
        self,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a call that is not recorded."""
        thread = self._thread
        if thread.passed is not None or not self.blocks.open:
            return original(module, *args, **kwargs)
        self.blocks.overlook(module)
        thread.passed = self.blocks.here()
        try:
            return original(module, *args, **kwargs)
        finally:
            thread.passed = None

    @hidden_frame
    def thread_started(self, call: UserCall, thread: threading.Thread, /) -> None:
        """Start a thread, after assigning it to the blocks of the code that starts it."""
        self.blocks.thread_started(thread)
        call(thread)

    @hidden_frame
    def future_made(self, call: UserCall, future: Any, /) -> None:
        """Initialize a future, and assign its work to the blocks of the code that creates it."""
        call(future)
        self.blocks.future_made(future)

    @hidden_frame
    def generate_called(self, original: UserCall, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run ``generate``, then record one pass over its result."""
        thread = self._thread
        if thread.listener is not None or self._direct_calls.current():
            return original(model, *args, **kwargs)
        observations = [block for block in self.blocks.here() if block.admits(model)]
        if not observations:
            return self._passed(original, model, args, kwargs)
        return self._tracked(self._generated, observations, original, model, args, kwargs)

    # --- one recording ------------------------------------------------------------------

    @hidden_frame
    def _generated(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        model: Any,
        args: tuple[Any, ...],
        kwargs: Any,
    ) -> Any:
        thread = self._thread
        callsites = callsites_of(observations)
        thread.generation = generation = Generation(model)
        began = time.perf_counter()
        try:
            results = [original(model, *args, **kwargs)]
        except BaseException as error:
            refusal = refusals.failed(model, error, generation.error)
            thread.generation = None
            self._reporter.report_refusal(observations, refusal)
            generation.release()
            raise
        finally:
            thread.generation = None
        milliseconds = 1000 * (time.perf_counter() - began)
        self._reporter.report_generation(
            observations, callsites, generation, results[0], milliseconds
        )
        generation.release()
        return results.pop()  # A stored exception may keep this frame, but not the result, alive.

    @hidden_frame
    def _tracked(
        self,
        record: Callable[..., Any],
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run ``record``, which makes a call; functions stay replaced until it returns."""
        call = object()
        self.blocks.begin(call, observations, module)
        try:
            return record(observations, original, module, args, kwargs)
        finally:
            try:
                self._end(call)
            except BaseException:
                self._end(call)
                raise

    def _end(self, call: object) -> None:
        """Note that a call has ended; to be repeated if it was interrupted."""
        self.blocks.end(call)
        self._installation.release()

    def _prepared(
        self,
        observations: list[Observation],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> CallRecording:
        """Create the recording of a call that is about to be made."""
        self._installation.ensure()
        recording = CallRecording.of(module, args, kwargs)
        for observation in observations:
            recording.stop = recording.stop or observation.stop
            recording.isolated = recording.isolated or observation.isolated
            recording.generated = recording.inputs.prompt = observation.prompt()
        return recording

    @hidden_frame
    def _recorded(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        others = [block for block in self.blocks.here() if block not in observations]
        recording = self._prepared(observations, module, args, kwargs)
        callsites = callsites_of([*observations, *others])
        replay_inputs = None
        tap: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if refusals.compiled(module):
            replay_inputs = ReplayInputs(recording)
        elif self._known.needs_tap(recording):
            tap = recording.listen()
        self._thread.recording = recording
        began = time.perf_counter()
        try:
            with tap:
                results = [original(module, *args, **kwargs)]
        except BaseException as error:
            self._thread.recording = None
            if recording.recorder.noted or recording.error or refusals.has_attention(module):
                refusal = refusals.failed(module, error, recording.error)
                self._reporter.report_refusal(observations, refusal)
            # The exception may keep this frame alive.
            replay_inputs = None
            recording.release()
            raise
        finally:
            self._thread.recording = None
        elapsed = time.perf_counter() - began - recording.recorder.seconds
        recording.milliseconds = 1000 * elapsed
        concerned = [*observations, *self._reporter.also_concerned(others, recording)]
        self._reporter.report_call(concerned, callsites, recording, replay_inputs, results[0])
        recording.release()
        return results.pop()

    # --- a method that was called directly ------------------------------------------------

    def _prepared_direct_call(
        self, observations: list[Observation], found: RunningMethod
    ) -> CallRecording | DirectGeneration:
        if found.generates:
            return DirectGeneration(found.module)
        recording = self._prepared(observations, found.module, found.args, found.kwargs)
        if self._known.needs_tap(recording):
            recording.listen()
        return recording
