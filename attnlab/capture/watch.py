"""Watching: the gate between a cell's model calls and their recordings.

Forward passes of the thread that entered `observing` are recorded, one recording at a
time, from the outermost module's call to its return. Passes of any other thread go
through untouched. Whatever goes wrong in here becomes a `Refusal`; the user's call, its
result and its exceptions are the user's.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.encodings import Encodings, Remembered
from attnlab.capture.generation import Generation
from attnlab.capture.imports import ImportWatch
from attnlab.capture.interposition import Interposition
from attnlab.capture.recorder import unseen
from attnlab.capture.recording import Habits, Recording
from attnlab.capture.replay import Before
from attnlab.capture.second import Second
from attnlab.capture.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from attnlab.capture.call import Call, Refusal

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Observation:
    """One `observing` block."""

    on_call: Callable[[Call | Refusal], None]
    only: Any | None
    sequences: Sequences
    thread: int = field(default_factory=threading.get_ident)

    def accepts(self, module: Any) -> bool:
        """Whether a call of `module` is to be recorded for this block."""
        return self.only is None or self.only is module


class _Thread(threading.local):
    """What the current thread is doing."""

    recording: Recording | None = None
    generation: Generation | None = None
    busy: bool = False


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

    def tokenizer_called(
        self, tokenizer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """Remember the call for the blocks of this thread."""
        given = dict(zip(("text", "text_pair"), args, strict=False)) | dict(kwargs)
        call = Remembered(tokenizer, given.get("text"), given.get("text_pair"), result)
        for observation in self._here():
            observation.sequences.encodings.calls.append(call)

    def attention_function(
        self, found: Callable[..., Any], default: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Give a function that calls `found` with the very same arguments, and notes them."""
        import torch

        if torch.compiler.is_compiling():
            return found
        recording = self._thread.recording
        if recording is None:
            return found

        def attention(*args: Any, **kwargs: Any) -> Any:
            if self._thread.recording is not recording:
                return found(*args, **kwargs)
            return recording.attend(found, default, args, kwargs)

        # Some models ask a function for its name.
        attention.__name__ = getattr(found, "__name__", "attention")
        attention.__wrapped__ = found  # type: ignore[attr-defined]
        return attention

    def module_call(
        self,
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a module's call; record it when it is the outermost of a watched thread."""
        __tracebackhide__ = True
        import torch

        # A graph that is being compiled must not see us, or it would change.
        if torch.compiler.is_compiling():
            return original(module, *args, **kwargs)
        thread = self._thread
        if thread.recording is not None:
            return thread.recording.inside(original, module, args, kwargs)
        if thread.generation is not None:
            thread.generation.saw(module, args, kwargs)
            return original(module, *args, **kwargs)
        observations = [item for item in self._here() if item.accepts(module)]
        # A backward pass runs checkpointed layers a second time: not a call of the user's.
        if not observations or torch._C._current_graph_task_id() != -1:
            return original(module, *args, **kwargs)
        return self._observed(observations, original, module, args, kwargs)

    def generate_called(
        self, original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run ``generate``; then record one pass over what it has returned."""
        __tracebackhide__ = True
        thread = self._thread
        observations = [item for item in self._here() if item.accepts(model)]
        if not observations or thread.recording is not None or thread.generation is not None:
            return original(model, *args, **kwargs)
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
        self._tell(observations, second.after_generate(generation, result))
        return result

    # --- one recording ------------------------------------------------------------------

    def _observed(
        self,
        observations: list[Observation],
        original: Callable[..., Any],
        module: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        __tracebackhide__ = True
        with self._lock:
            self._interposition.ensure()
        recording = Recording.of(module, args, kwargs)
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
        self._tell(observations, second.after(recording, before, result))
        return result

    def _tell(
        self,
        observations: list[Observation],
        make: Callable[[Sequences], Call | Refusal | None],
    ) -> None:
        """Make the outcome and hand it on, unobserved, with every error kept from the user."""
        self._thread.busy = True
        try:
            for observation in observations:
                try:
                    with unseen():
                        outcome = make(observation.sequences)
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


_gate = Gate()


@contextmanager
def observing(
    on_call: Callable[[Call | Refusal], None],
    namespace: Mapping[str, Any],
    only: Any | None = None,
) -> Iterator[None]:
    """Record the model calls that this thread makes in the ``with`` block.

    Neither torch nor transformers is imported; if the block imports them, they are watched
    from then on. On exit, also by an exception or an interrupt, everything is as before.

    Parameters
    ----------
    on_call
        Called after each outermost model call, on the thread that made it, with what was
        recorded or why nothing was. Errors that it raises are logged, not passed on.
    namespace
        The notebook's names; read only, to find a tokenizer for ids whose tokenizer call
        was not seen.
    only
        Record calls of this module alone; None for the outermost module of every call.
    """
    observation = Observation(on_call, only, Sequences(Encodings(), namespace))
    try:
        _gate.enter(observation)
        yield
    finally:
        _gate.leave(observation)
