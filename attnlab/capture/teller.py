"""Tells blocks what a call has left, once it has ended."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals, returned
from attnlab.capture.call import Call, Refusal
from attnlab.capture.feed import Feed
from attnlab.capture.generation import UnfinishedError
from attnlab.capture.recorder import unseen
from attnlab.capture.second import Second
from attnlab.capture.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.capture.blocks import ThreadState
    from attnlab.capture.callsite import Callsite
    from attnlab.capture.forward import Forward
    from attnlab.capture.generation import Generation
    from attnlab.capture.observation import Observation
    from attnlab.capture.recording import Habits, Recording
    from attnlab.capture.replay import Before
    from attnlab.capture.sequences import Sequences
    from attnlab.capture.tokenized import Tokenized

    Callsites = Mapping[int, Callsite | None]

log = logging.getLogger(__name__)

UNCONFIRMED = "one pass over the finished text differs from what generate() computed"


class Teller:
    """Makes the outcomes of calls, and hands them on to the blocks that they belong to.

    Parameters
    ----------
    thread
        The state of each thread.
    habits
        Learns from each call.
    """

    def __init__(self, thread: ThreadState, habits: Habits) -> None:
        self._thread = thread
        self._habits = habits

    def refused(self, observations: list[Observation], refusal: Refusal) -> None:
        """Tell why a call was not recorded."""
        self._tell(observations, lambda _: refusal)

    def generated(
        self,
        observations: list[Observation],
        callsites: Callsites,
        generation: Generation,
        result: Any,
        milliseconds: float,
    ) -> None:
        """Tell of a ``generate``."""
        model = generation.model

        def fed(tokenized: Sequence[Tokenized], place: Callsite | None) -> Feed:
            kwargs, prompt = generation.whole(result)
            feed = Feed.of(model, (), kwargs, prompt, tokenized, place)
            return feed if generation.confirmed else feed.refused(UNCONFIRMED)

        make = Second(model, self._thread, milliseconds).after_generate(generation, result)
        self._tell(observations, make, partial(_fed, fed, callsites), model)

    def returned(
        self,
        observations: list[Observation],
        callsites: Callsites,
        recording: Recording,
        before: Before | None,
        result: Any,
    ) -> None:
        """Tell of a call of a module."""
        self._habits.learn(recording)
        model = recording.model
        second = Second(model, self._thread, recording.milliseconds)
        given = recording if before is None else before

        def fed(tokenized: Sequence[Tokenized], place: Callsite | None) -> Feed:
            return Feed.of(model, given.args, given.kwargs, None, tokenized, place)

        make = second.after(recording, before, result)
        self._tell(observations, make, partial(_fed, fed, callsites), model)

    def concerned(self, others: list[Observation], recording: Recording) -> list[Observation]:
        """List those of the other blocks whose model has run inside the call of another.

        One call is recorded once in a thread: a block in a tagged cell gets the cell's trace.
        """
        modules = [noted.module for noted in recording.recorder.noted]
        found = [own for own in others if any(own.accepts(module) for module in modules)]
        for own in others:
            if own not in found:
                own.missed.other(recording.model)
        return found

    def ended(self, forward: Forward) -> None:
        """Tell of a method that was not seen when it was called, nor what it has returned."""
        listener, refusal = forward.listener, forward.failed
        own, callsites = forward.observations, forward.callsites
        spent = time.perf_counter() - forward.began
        if refusal is not None:
            if refusals.has_attention(listener.model):
                self.refused(own, refusal)
            return
        if isinstance(listener, Steps):
            self.generated(own, callsites, listener, None, 1000 * spent)
            return
        listener.milliseconds = 1000 * (spent - listener.recorder.seconds)
        if _unfollowed(listener):
            self.refused(own, refusals.direct(listener.model))
        else:
            self.returned(own, callsites, listener, None, None)

    def _tell(
        self,
        observations: list[Observation],
        make: Callable[[Sequences], Call | Refusal | None],
        fed: Callable[[Observation], Feed | None] = lambda _: None,
        module: Any | None = None,
    ) -> None:
        """Make the outcome and hand it on, unobserved, with every error kept from the user."""
        busy, self._thread.busy = self._thread.busy, True
        try:
            for observation in observations:
                try:
                    with unseen():
                        outcome = make(observation.sequences)
                        if observation.fed and isinstance(outcome, Call):
                            outcome = replace(outcome, feed=fed(observation))
                except Exception as fault:
                    log.exception("attnlab could not record a model call")
                    outcome = refusals.internal(fault)
                if outcome is None:
                    observation.missed.quiet(module)
                    continue
                try:
                    observation.tell(outcome)
                except Exception:
                    log.exception("attnlab could not keep a recording")
        finally:
            self._thread.busy = busy


def _unfollowed(recording: Recording) -> bool:
    """Whether the attention of a ``forward`` that was called directly has passed unseen."""
    # A second pass could be compared with nothing, since what was returned is not known.
    if recording.tap is not None and recording.tap.fused:
        return True
    if recording.recorder.noted or recording.recorder.unread or recording.error:
        return False
    return refusals.has_attention(recording.model) and not returned.offers(recording.model)


def _fed(
    feed: Callable[[Sequence[Tokenized], Callsite | None], Feed],
    callsites: Callsites,
    observation: Observation,
) -> Feed | None:
    """Find how a call was fed; None where that cannot be told, which is no one's error."""
    try:
        # A copy: other threads may note calls of tokenizers meanwhile.
        return feed(list(observation.tokenized), callsites[id(observation)])
    except UnfinishedError:
        return None
    except Exception:  # The call itself is recorded all the same.
        log.exception("attnlab could not find how a model was fed")
        return None
