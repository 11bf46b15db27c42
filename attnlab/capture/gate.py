"""The gate between a notebook's model calls and their recordings."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.blocks import Blocks, ThreadState
from attnlab.capture.callsite import callsites_of
from attnlab.capture.forwards import Forwards
from attnlab.capture.frames import between, hide
from attnlab.capture.generation import Generation
from attnlab.capture.observation import Observation
from attnlab.capture.placement import Placement
from attnlab.capture.recording import Habits, Recording
from attnlab.capture.replay import Before
from attnlab.capture.steps import Steps
from attnlab.capture.teller import Teller

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from attnlab.capture.forward import Found

log = logging.getLogger(__name__)


class Gate:
    """Tells watched calls from others; the listener of the interposition."""

    def __init__(self) -> None:
        self._thread = ThreadState()
        self._habits = Habits()
        self._teller = Teller(self._thread, self._habits)
        self.blocks = Blocks(self._thread)
        self._placement = Placement(self, self.blocks)
        tell, release = self._teller.ended, self._placement.release
        self._forwards = Forwards(self._thread, self.blocks, self._begun, tell, release)

    def enter(self, observation: Observation) -> None:
        """Open for one more block; the first puts everything in place."""
        self.blocks.enter(observation)
        self._placement.place()

    def leave(self, observation: Observation) -> None:
        """Close for a block; the last takes everything away.

        Calls that other threads have begun are still recorded and told of, so what is in
        place stays until the last of them has returned.
        """
        self._forwards.settle()
        self.blocks.leave(observation)
        self._placement.release()

    # --- what the interposition tells ---------------------------------------------------

    @between
    def tokenizer_called(
        self,
        original: Callable[..., Any],
        tokenizer: Any,
        method: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run a tokenizer's method, and remember it for the blocks of this thread."""
        self._forwards.current()
        observations = self.blocks.here()
        if not observations:
            return original(tokenizer, *args, **kwargs)
        thread = self._thread
        thread.tokenizing += 1
        try:
            result = original(tokenizer, *args, **kwargs)
        finally:
            thread.tokenizing -= 1
        try:
            outermost = not thread.tokenizing
            for own in observations:
                own.remember(tokenizer, method, (args, kwargs), result, outermost=outermost)
        except Exception:  # Ours, so it must not reach the user's call.
            log.exception("attnlab could not note a tokenizer's call")
        return result

    def attention_function(
        self, found: Callable[..., Any], default: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Give a function that calls `found` with the very same arguments, and notes them."""
        import torch

        if torch.compiler.is_compiling():
            return found
        listener = self._forwards.listener()
        if listener is None:
            return found

        @functools.wraps(found)  # Some models ask a function for its name.
        @between
        def attention(*args: Any, **kwargs: Any) -> Any:
            try:
                if self._forwards.listener() is not listener:
                    return found(*args, **kwargs)
                return listener.attend(found, default, args, kwargs)
            except BaseException as error:
                hide(error)
                raise

        return attention

    @between
    def module_call(
        self,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a module's call; record it when it is the outermost of a watched thread."""
        import torch

        # A graph that is being compiled must not see us, or it would change.
        if torch.compiler.is_compiling():
            return original(module, *args, **kwargs)
        thread = self._thread
        listener = thread.recording or thread.generation
        if listener is not None:
            return listener.inside(original, module, args, kwargs)
        if thread.forward is not None and (forward := self._forwards.current()):
            return self._forwards.run(forward, original, module, args, kwargs)
        asked = Observation.accepts if thread.passed is not None else Observation.admits
        observations = [item for item in self.blocks.here() if asked(item, module)]
        # A backward pass runs checkpointed layers a second time: not a call of the user's.
        if not observations or torch._C._current_graph_task_id() != -1:
            return self._passed(original, module, args, kwargs)
        if forward := self._forwards.begin():
            return self._forwards.run(forward, original, module, args, kwargs)
        return self._observed(observations, original, module, args, kwargs)

    @between
    def _passed(
        self,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a call that nothing is recorded of."""
        thread = self._thread
        if thread.passed is not None or not self.blocks.open:
            return original(module, *args, **kwargs)
        self.blocks.overlook(module)
        thread.passed = self.blocks.here()
        try:
            return original(module, *args, **kwargs)
        finally:
            thread.passed = None

    @between
    def thread_started(self, original: Callable[..., Any], thread: threading.Thread) -> None:
        """Start a thread, which belongs to the blocks of the code that starts it."""
        self.blocks.thread_started(thread)
        original(thread)

    def future_made(self, future: Any) -> None:
        """Learn of work that is about to be given to another thread."""
        self.blocks.future_made(future)

    @between
    def generate_called(
        self, original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run ``generate``; then record one pass over what it has returned."""
        thread = self._thread
        if thread.listener is not None or self._forwards.current():
            return original(model, *args, **kwargs)
        observations = [item for item in self.blocks.here() if item.admits(model)]
        if not observations:
            return self._passed(original, model, args, kwargs)
        call = object()
        self.blocks.begin(call, observations, model)
        try:
            return self._generated(observations, original, model, args, kwargs)
        finally:
            self.blocks.end(call)
            self._placement.release()

    # --- one recording ------------------------------------------------------------------

    @between
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
            result = original(model, *args, **kwargs)
        except BaseException as error:
            refusal = refusals.failed(model, error)
            thread.generation = None
            self._teller.refused(observations, refusal)
            raise
        finally:
            thread.generation = None
        milliseconds = 1000 * (time.perf_counter() - began)
        self._teller.generated(observations, callsites, generation, result, milliseconds)
        return result

    @between
    def _observed(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        call = object()
        self.blocks.begin(call, observations, module)
        try:
            return self._recorded(observations, original, module, args, kwargs)
        finally:
            self.blocks.end(call)
            self._placement.release()

    def _prepared(
        self,
        observations: list[Observation],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Recording:
        """Prepare to record a call that is about to be made."""
        self._placement.ensure()
        recording = Recording.of(module, args, kwargs)
        for observation in observations:
            recording.stop = recording.stop or observation.stop
            recording.generated = recording.inputs.prompt = observation.prompt()
        return recording

    @between
    def _recorded(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        others = [item for item in self.blocks.here() if item not in observations]
        recording = self._prepared(observations, module, args, kwargs)
        callsites = callsites_of([*observations, *others])
        before = None
        tap: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if refusals.compiled(module):
            before = Before(recording)
        elif self._habits.needs_tap(recording):
            tap = recording.listen()
        self._thread.recording = recording
        began = time.perf_counter()
        try:
            with tap:
                result = original(module, *args, **kwargs)
        except BaseException as error:
            self._thread.recording = None
            if recording.recorder.noted or refusals.has_attention(module):
                refusal = refusals.failed(module, error)
                self._teller.refused(observations, refusal)
            raise
        finally:
            self._thread.recording = None
        spent = time.perf_counter() - began - recording.recorder.seconds
        recording.milliseconds = 1000 * spent
        own = [*observations, *self._teller.concerned(others, recording)]
        self._teller.returned(own, callsites, recording, before, result)
        return result

    # --- a forward that was called directly ---------------------------------------------

    def _begun(self, observations: list[Observation], found: Found) -> Recording | Steps:
        if found.generates:
            return Steps(found.module)
        recording = self._prepared(observations, found.module, found.args, found.kwargs)
        if self._habits.needs_tap(recording):
            recording.listen()
        return recording
