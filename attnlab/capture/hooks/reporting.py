"""Reports the outcomes of calls that have ended to their blocks."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.feed import Feed
from attnlab.capture.generate.recording import GenerateRecording
from attnlab.capture.guards.modes import without_dispatch_modes, without_function_modes
from attnlab.capture.passes.generation import UnfinishedError
from attnlab.capture.passes.outcome import OutcomeBuilder
from attnlab.capture.reading import returned_weights
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import RecordedCall, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.capture.feed.callsite import Callsite
    from attnlab.capture.feed.tokenized import Tokenized
    from attnlab.capture.hooks.blocks import ThreadState
    from attnlab.capture.hooks.direct_call import DirectCall
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.passes.generation import Generation
    from attnlab.capture.passes.known_models import KnownInterfaceModels
    from attnlab.capture.passes.replay import ReplayInputs
    from attnlab.capture.record.sequence_naming import SequenceNaming

    Callsites = Mapping[int, Callsite | None]

log = logging.getLogger(__name__)


class OutcomeReporter:
    """Creates the outcomes of calls, and reports them to the blocks that they belong to.

    Parameters
    ----------
    thread
        The state of each thread.
    known
        Updated after each call.
    """

    def __init__(self, thread: ThreadState, known: KnownInterfaceModels) -> None:
        self._thread = thread
        self._known = known

    def report_refusal(self, observations: list[Observation], refusal: Refusal) -> None:
        """Report why a call was not recorded."""
        self._report(observations, lambda _: refusal)

    def report_generation(
        self,
        observations: list[Observation],
        callsites: Callsites,
        generation: Generation | GenerateRecording,
        result: Any,
        milliseconds: float,
    ) -> None:
        """Report a call of ``generate``."""
        if isinstance(generation, GenerateRecording):
            self._report_recorded(observations, callsites, generation, result, milliseconds)
            return
        model = generation.model

        def feed_of(tokenized: Sequence[Tokenized], callsite: Callsite | None) -> Feed:
            kwargs, prompt = generation.whole(result)
            return Feed.of(model, (), kwargs, prompt, tokenized, callsite)

        make = OutcomeBuilder(model, self._thread, milliseconds).after_generate(generation, result)
        if generation.error is not None:
            self.report_refusal(observations, refusals.internal(generation.error))
            return
        self._report(observations, make, partial(_fed, feed_of, callsites), model)

    def report_progress(
        self, observations: list[Observation], recording: GenerateRecording
    ) -> None:
        """Report what a running ``generate`` has computed so far, to those who look at it."""
        from attnlab.capture.generate.generated_call import RECORDED, GeneratedCall

        milliseconds = recording.milliseconds
        wanted = [
            (observation, observation.progress)
            for observation in observations
            if observation.progress is not None and observation.progress.wanted()
        ]
        for observation, progress in wanted:
            with without_dispatch_modes(), without_function_modes():
                call = GeneratedCall(recording, recording.streams[0], None)
                outcome = call.outcome(observation.sequences, milliseconds)
            if isinstance(outcome, RecordedCall):
                # Each token so far was passed through the model.
                notes = [note for note in outcome.notes if note != RECORDED]
                progress.show(replace(outcome, running=True, notes=notes))

    def _report_recorded(
        self,
        observations: list[Observation],
        callsites: Callsites,
        recording: GenerateRecording,
        result: Any,
        milliseconds: float,
    ) -> None:
        """Report a call of ``generate`` whose passes were recorded."""
        from attnlab.capture.generate.generated_call import GeneratedCall, refused

        model = recording.model
        if recording.error is not None:
            self.report_refusal(observations, refusals.internal(recording.error))
            return
        elapsed = milliseconds - 1000 * recording.seconds
        if recording.limit or not recording.streams:
            cause = recording.limit or "another model ran its forward passes"
            self.report_refusal(observations, refused(model, cause))
            return
        main, *others = recording.streams
        for stream in others:
            # Shown before the main one, which is the newest then.
            beside = GeneratedCall(recording, stream, None, beside=True)
            self._report(observations, partial(beside.outcome, milliseconds=elapsed), module=model)
        call = GeneratedCall(recording, main, result)

        def make(sequences: SequenceNaming) -> RecordedCall | Refusal:
            return call.outcome(sequences, elapsed)

        def feed_of(tokenized: Sequence[Tokenized], callsite: Callsite | None) -> Feed:
            kwargs, prompt = call.prompt_arguments()
            return Feed.of(model, (), kwargs, prompt, tokenized, callsite)

        self._report(observations, make, partial(_fed, feed_of, callsites), model)

    def report_call(
        self,
        observations: list[Observation],
        callsites: Callsites,
        recording: CallRecording,
        replay_inputs: ReplayInputs | None,
        result: Any,
    ) -> None:
        """Report a module call."""
        self._known.learn(recording)
        model = recording.model
        builder = OutcomeBuilder(model, self._thread, recording.milliseconds)
        inputs = recording if replay_inputs is None else replay_inputs

        def feed_of(tokenized: Sequence[Tokenized], callsite: Callsite | None) -> Feed:
            return Feed.of(model, inputs.args, inputs.kwargs, None, tokenized, callsite)

        make = builder.after(recording, replay_inputs, result)
        self._report(observations, make, partial(_fed, feed_of, callsites), model)

    def also_concerned(
        self, others: list[Observation], recording: CallRecording
    ) -> list[Observation]:
        """Return the other blocks whose model was called inside the recorded call.

        A thread records one call at a time, so these blocks share the recording: for example, a
        block in a tagged cell gets the trace of the cell.
        """
        modules = [noted.module for noted in recording.recorder.noted]
        concerned = [other for other in others if any(map(other.accepts, modules))]
        for other in others:
            if other not in concerned:
                other.missed.other(recording.model)
        return concerned

    def report_direct_call(self, method: DirectCall) -> None:
        """Report a method that was called directly; its result is unknown."""
        listener, refusal = method.listener, method.failed
        observations, callsites = method.observations, method.callsites
        elapsed = time.perf_counter() - method.began
        if refusal is not None:
            if refusals.has_attention(listener.model):
                self.report_refusal(observations, refusal)
            return
        if isinstance(listener, GenerateRecording):
            self.report_generation(observations, callsites, listener, None, 1000 * elapsed)
            return
        listener.milliseconds = 1000 * (elapsed - listener.recorder.seconds)
        if _unfollowed(listener):
            self.report_refusal(observations, refusals.direct(listener.model))
        else:
            self.report_call(observations, callsites, listener, None, None)

    def _report(
        self,
        observations: list[Observation],
        make: Callable[[SequenceNaming], RecordedCall | Refusal | None],
        fed: Callable[[Observation], Feed | None] = lambda _: None,
        module: Any | None = None,
    ) -> None:
        """Create an outcome and report it, unobserved; errors do not affect the user."""
        busy, self._thread.busy = self._thread.busy, True
        try:
            for observation in observations:
                try:
                    with without_dispatch_modes(), without_function_modes():
                        outcome = make(observation.sequences)
                        if isinstance(outcome, RecordedCall):
                            outcome = observation.sequences.with_vocabulary(outcome, module)
                            if observation.fed:
                                outcome = _with_feed(outcome, fed, observation)
                except Exception as fault:
                    log.exception("attnlab could not record a model call")
                    outcome = refusals.internal(fault)
                if outcome is None:
                    observation.missed.quiet(module)
                    continue
                try:
                    observation.tell(outcome)
                except Exception as fault:
                    log.exception("attnlab could not keep a recording")
                    observation.failed(fault)
        finally:
            self._thread.busy = busy


def _unfollowed(recording: CallRecording) -> bool:
    """Whether the attention of a directly called ``forward`` was not recorded."""
    # The result is unknown, so a second pass could not be compared with it.
    if recording.tap is not None and recording.tap.fused:
        return True
    if recording.recorder.noted or recording.recorder.unread or recording.error:
        return False
    return refusals.has_attention(recording.model) and not returned_weights.offers(recording.model)


def _fed(
    feed: Callable[[Sequence[Tokenized], Callsite | None], Feed],
    callsites: Callsites,
    observation: Observation,
) -> Feed | None:
    """Return the origin of a call's arguments; None if it cannot be determined."""
    try:
        # Copied, because other threads may note tokenizer calls at the same time.
        return feed(list(observation.tokenized), callsites[id(observation)])
    except UnfinishedError:
        return None


def _with_feed(
    call: RecordedCall, fed: Callable[[Observation], Feed | None], observation: Observation
) -> RecordedCall:
    """Add the origin of a call's arguments, or else a note with the error."""
    try:
        feed = fed(observation)
        if feed is not None and call.generated is not None:
            written = [item.tokens[call.generated :] for item in call.sequences[0].items]
            feed = replace(feed, written=written)
        return replace(call, feed=feed)
    except Exception as fault:
        log.exception("attnlab could not find the origin of a call's arguments")
        return replace(call, notes=[*call.notes, refusals.unfed(fault)])
