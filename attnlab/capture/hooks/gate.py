"""The gate: decides which of a notebook's model calls are recorded."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.generate.noting_function import noting_function
from attnlab.capture.generate.recording import GenerateRecording
from attnlab.capture.guards.bypass import Bypass
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.user_call import guarded, without_traceback
from attnlab.capture.hooks.blocks import Blocks, ThreadState
from attnlab.capture.hooks.direct_calls import DirectCalls
from attnlab.capture.hooks.installation import Installation
from attnlab.capture.hooks.intercepted_calls import InterceptedCalls
from attnlab.capture.hooks.observation import Observation
from attnlab.capture.hooks.reporting import OutcomeReporter
from attnlab.capture.passes.known_models import KnownInterfaceModels
from attnlab.capture.torch_internals import in_backward_pass

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from attnlab.capture.guards.user_call import UserCall
    from attnlab.capture.hooks.direct_call import RunningMethod
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.passes.generation import Generation

log = logging.getLogger(__name__)


class Gate:
    """Decides which calls are recorded; the listener of `Interposition`."""

    def __init__(self) -> None:
        self._thread = ThreadState()
        self.bypass = Bypass()
        self._known = KnownInterfaceModels()
        self._reporter = OutcomeReporter(self._thread, self._known)
        self.blocks = Blocks(self._thread)
        self._installation = Installation(self, self.blocks)
        self._intercepted = InterceptedCalls(
            self._thread,
            self.blocks,
            self._installation,
            self._reporter,
            self._known,
            self.bypass,
        )
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
        # Each step of `generate` has one call for each layer.
        known = listener.attention_functions if isinstance(listener, GenerateRecording) else {}
        function = known.get((found, default))
        if function is None:
            handle = partial(self._attended, listener, default)
            function = guarded(found, handle, self.failed)
            if isinstance(listener, GenerateRecording):
                function = noting_function(listener, found, default, function, self.failed)
            known[found, default] = function
        return function

    @hidden_frame
    def _attended(
        self,
        listener: CallRecording | Generation | GenerateRecording,
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
        return self._intercepted.tracked(
            self._intercepted.call_module, observations, original, module, args, kwargs
        )

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
            listener = self._direct_calls.listener()
            if not isinstance(listener, GenerateRecording):
                return original(model, *args, **kwargs)
            with listener.nested(model):
                return original(model, *args, **kwargs)
        observations = [block for block in self.blocks.here() if block.admits(model)]
        if not observations:
            return self._passed(original, model, args, kwargs)
        return self._intercepted.tracked(
            self._intercepted.generate, observations, original, model, args, kwargs
        )

    @hidden_frame
    def scores_processed(
        self, original: UserCall, processors: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run the logits processors of ``generate``, and note the resulting scores."""
        listener = self._direct_calls.listener()
        if not isinstance(listener, GenerateRecording) or not len(processors):
            return original(processors, *args, **kwargs)
        # Read now, since processors may write to the scores that they are given.
        listener.processing(kwargs["scores"] if "scores" in kwargs else args[1])
        result = original(processors, *args, **kwargs)
        listener.processed(result)
        return result

    @hidden_frame
    def stopping_decided(
        self, original: UserCall, criteria: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run the stopping criteria of ``generate``, and note which texts are finished."""
        result = original(criteria, *args, **kwargs)
        listener = self._direct_calls.listener()
        if isinstance(listener, GenerateRecording):
            listener.decided(criteria, kwargs.get("input_ids", args[0] if args else None), result)
        return result

    # --- a method that was called directly ------------------------------------------------

    def _prepared_direct_call(
        self, observations: list[Observation], found: RunningMethod
    ) -> CallRecording | GenerateRecording:
        if found.generates:
            return GenerateRecording(
                found.module, found.args, found.kwargs, self._known, self.bypass
            )
        recording = self._intercepted.prepare(observations, found.module, found.args, found.kwargs)
        if self._known.needs_tap(recording):
            recording.listen()
        return recording
