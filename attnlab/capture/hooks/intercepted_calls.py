"""Records calls that the hooks intercepted: of modules, and of ``generate``."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.generate.recording import GenerateRecording
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.hooks.observation import callsites_of
from attnlab.capture.passes.call_recording import CallRecording
from attnlab.capture.passes.generation import Generation
from attnlab.capture.passes.replay import ReplayInputs
from attnlab.capture.record import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.guards.bypass import Bypass
    from attnlab.capture.hooks.blocks import Blocks, ThreadState
    from attnlab.capture.hooks.installation import Installation
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.hooks.reporting import OutcomeReporter
    from attnlab.capture.passes.known_models import KnownInterfaceModels


class InterceptedCalls:
    """Makes outermost calls and records them.

    Parameters
    ----------
    thread
        The state of each thread.
    blocks
        The open blocks.
    installation
        The replaced functions, which stay replaced until a call has been reported.
    reporter
        Reports the outcomes of the calls.
    known
        The models that need no tap.
    bypass
        Turns the interception of module calls off.
    """

    def __init__(
        self,
        thread: ThreadState,
        blocks: Blocks,
        installation: Installation,
        reporter: OutcomeReporter,
        known: KnownInterfaceModels,
        bypass: Bypass,
    ) -> None:
        self._thread = thread
        self._blocks = blocks
        self._installation = installation
        self._reporter = reporter
        self._known = known
        self._bypass = bypass

    def prepare(
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
    def call_module(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a module call, and record it."""
        others = [block for block in self._blocks.here() if block not in observations]
        recording = self.prepare(observations, module, args, kwargs)
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

    @hidden_frame
    def generate(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        model: Any,
        args: tuple[Any, ...],
        kwargs: Any,
    ) -> Any:
        """Run ``generate``, and record its passes.

        Passes of a compiled model cannot be observed: one pass over its result is recorded.
        """
        thread = self._thread
        callsites = callsites_of(observations)
        generation: Generation | GenerateRecording
        if refusals.compiled(model):
            generation = Generation(model)
        else:
            self._installation.ensure()
            with without_user_modes():
                generation = GenerateRecording(model, args, kwargs, self._known, self._bypass)
            if any(observation.progress is not None for observation in observations):
                generation.progress = partial(
                    self._reporter.report_progress, observations, generation
                )
        thread.generation = generation
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
    def tracked(
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
        self._blocks.begin(call, observations, module)
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
        self._blocks.end(call)
        self._installation.release()
