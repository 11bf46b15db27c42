"""The gate between a notebook's model calls and their recordings."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.call import Call
from attnlab.capture.callsite import callsite
from attnlab.capture.feed import Feed
from attnlab.capture.frames import between, hide
from attnlab.capture.generation import Generation, UnfinishedError
from attnlab.capture.imports import ImportWatch
from attnlab.capture.interposition import Interposition
from attnlab.capture.recorder import unseen
from attnlab.capture.recording import Habits, Recording
from attnlab.capture.replay import Before
from attnlab.capture.second import Second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.capture.call import Refusal
    from attnlab.capture.callsite import Callsite
    from attnlab.capture.observation import Observation
    from attnlab.capture.sequences import Sequences
    from attnlab.capture.tokenized import Tokenized

log = logging.getLogger(__name__)


UNCONFIRMED = "one pass over the finished text differs from what generate() computed"


class _Thread(threading.local):
    """What the current thread is doing."""

    recording: Recording | None = None
    generation: Generation | None = None
    busy: bool = False
    tokenizing: int = 0

    @property
    def listener(self) -> Recording | Generation | None:
        """Who hears of what is called inside."""
        return self.recording or self.generation


class Gate:
    """Tells watched calls from others; the listener of the interposition."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._observations: list[Observation] = []
        self._thread = _Thread()
        self._interposition = Interposition(self)
        self._imports: ImportWatch | None = None
        self._habits = Habits()

    def enter(self, observation: Observation) -> None:
        """Open for one more block; the first puts everything in place."""
        with self._lock:
            self._observations.append(observation)
            if self._imports is None:
                self._imports = ImportWatch(Interposition.PARTS, self._arrived)
                self._imports.start()
            self._interposition.ensure()

    def leave(self, observation: Observation) -> None:
        """Close for a block; the last takes everything away."""
        with self._lock:
            # An interrupt may have come before the block was entered in full.
            self._observations = [item for item in self._observations if item is not observation]
            if self._observations:
                return
            imports, self._imports = self._imports, None
            if imports is not None:
                imports.stop()
            self._interposition.remove()

    def _arrived(self, name: str, module: Any) -> None:
        with self._lock:
            if self._observations:
                self._interposition.add(name, module)

    def _here(self) -> list[Observation]:
        """List the blocks of the current thread."""
        if self._thread.busy:
            return []
        own = threading.get_ident()
        return [item for item in self._observations if item.thread == own]

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
        observations = self._here()
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
        listener = self._thread.listener
        if listener is None:
            return found

        @functools.wraps(found)  # Some models ask a function for its name.
        @between
        def attention(*args: Any, **kwargs: Any) -> Any:
            try:
                if self._thread.listener is not listener:
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
        observations = [item for item in self._here() if item.accepts(module)]
        # A backward pass runs checkpointed layers a second time: not a call of the user's.
        if not observations or torch._C._current_graph_task_id() != -1:
            return original(module, *args, **kwargs)
        return self._observed(observations, original, module, args, kwargs)

    @between
    def generate_called(
        self, original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run ``generate``; then record one pass over what it has returned."""
        thread = self._thread
        observations = [item for item in self._here() if item.accepts(model)]
        if not observations or thread.recording is not None or thread.generation is not None:
            return original(model, *args, **kwargs)
        callsites = self._callsites(observations)
        thread.generation = generation = Generation(model)
        began = time.perf_counter()
        try:
            result = original(model, *args, **kwargs)
        except BaseException as error:
            refusal = refusals.failed(model, error)
            thread.generation = None
            self._tell(observations, lambda _: refusal)
            raise
        finally:
            thread.generation = None
        milliseconds = 1000 * (time.perf_counter() - began)
        second = Second(model, thread, milliseconds)

        def fed(tokenized: Sequence[Tokenized], place: Callsite | None) -> Feed:
            kwargs, prompt = generation.whole(result)
            feed = Feed.of(model, (), kwargs, prompt, tokenized, place)
            return feed if generation.confirmed else feed.refused(UNCONFIRMED)

        make = second.after_generate(generation, result)
        self._tell(observations, make, partial(self._fed, fed, callsites))
        return result

    # --- one recording ------------------------------------------------------------------

    @between
    def _observed(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        with self._lock:
            self._interposition.ensure()
        recording = Recording.of(module, args, kwargs)
        for observation in observations:
            recording.stop = recording.stop or observation.stop
            recording.generated = recording.inputs.prompt = observation.prompt()
        callsites = self._callsites(observations)
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
                self._tell(observations, lambda _: refusal)
            raise
        finally:
            self._thread.recording = None
        spent = time.perf_counter() - began - recording.recorder.seconds
        recording.milliseconds = 1000 * spent
        self._habits.learn(recording)
        second = Second(module, self._thread, recording.milliseconds)

        def fed(tokenized: Sequence[Tokenized], place: Callsite | None) -> Feed:
            given = (args, kwargs) if before is None else (before.args, before.kwargs)
            return Feed.of(module, *given, None, tokenized, place)

        make = second.after(recording, before, result)
        self._tell(observations, make, partial(self._fed, fed, callsites))
        return result

    def _callsites(self, observations: list[Observation]) -> dict[int, Callsite | None]:
        """Find where a call is made that is about to begin, for the blocks that ask."""
        return {
            id(observation): callsite(observation.sequences.namespace)
            for observation in observations
            if observation.fed
        }

    def _fed(
        self,
        feed: Callable[[Sequence[Tokenized], Callsite | None], Feed],
        callsites: Mapping[int, Callsite | None],
        observation: Observation,
    ) -> Feed | None:
        """Find how a call was fed; None where that cannot be told, which is no one's error."""
        try:
            return feed(observation.tokenized, callsites[id(observation)])
        except UnfinishedError:
            return None
        except Exception:  # The call itself is recorded all the same.
            log.exception("attnlab could not find how a model was fed")
            return None

    def _tell(
        self,
        observations: list[Observation],
        make: Callable[[Sequences], Call | Refusal | None],
        fed: Callable[[Observation], Feed | None] = lambda _: None,
    ) -> None:
        """Make the outcome and hand it on, unobserved, with every error kept from the user."""
        self._thread.busy = True
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
                    continue
                try:
                    observation.on_call(outcome)
                except Exception:
                    log.exception("attnlab could not keep a recording")
        finally:
            self._thread.busy = False
