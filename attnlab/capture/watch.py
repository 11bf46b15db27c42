"""Watching: the gate between a cell's model calls and their recordings.

Forward passes of the thread that entered `observing` are recorded, one recording at a
time, from the outermost module's call to its return. Passes of any other thread go
through untouched. Whatever goes wrong in here becomes a `Refusal`; the user's call, its
result and its exceptions are the user's.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.attention import Reader, UnreadableError
from attnlab.capture.call import Call, Refusal
from attnlab.capture.encodings import Encodings, Remembered
from attnlab.capture.imports import ImportWatch
from attnlab.capture.interposition import Interposition
from attnlab.capture.sequences import Inputs, Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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


@dataclass(eq=False)
class Recording:
    """One model call while it runs."""

    inputs: Inputs = field(default_factory=Inputs)
    reader: Reader = field(default_factory=Reader)
    unread: list[str] = field(default_factory=list)
    fault: Exception | None = None


class _Thread(threading.local):
    """What the current thread is doing."""

    recording: Recording | None = None
    busy: bool = False


class Gate:
    """Tells watched calls from others; the listener of the interposition."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._observations: list[Observation] = []
        self._thread = _Thread()
        self._interposition = Interposition(self)
        self._imports: ImportWatch | None = None

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
            result = found(*args, **kwargs)
            if self._thread.recording is recording:
                _note(recording, found, default, args, kwargs, result)
            return result

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
        recording = self._thread.recording
        if recording is not None:
            if "input_ids" in kwargs:
                _learn(recording, module, kwargs)
            return original(module, *args, **kwargs)
        observations = [item for item in self._here() if item.accepts(module)]
        # A backward pass runs checkpointed layers a second time: not a call of the user's.
        if not observations or torch._C._current_graph_task_id() != -1:
            return original(module, *args, **kwargs)
        return self._observed(observations, original, module, args, kwargs)

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
        recording = Recording()
        with self._lock:
            self._interposition.ensure()
        try:
            recording.inputs = Inputs.of(module, args, kwargs)
        except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
            recording.fault = fault
        self._thread.recording = recording
        began = time.perf_counter()
        try:
            result = original(module, *args, **kwargs)
        except BaseException as error:
            self._thread.recording = None
            if recording.reader.noted or refusals.has_attention(module):
                refusal = refusals.failed(module, error)
                self._tell(observations, lambda _: refusal)
            raise
        finally:
            self._thread.recording = None
        milliseconds = 1000 * (time.perf_counter() - began - recording.reader.seconds)
        self._tell(
            observations,
            lambda observation: _outcome(observation, recording, module, result, milliseconds),
        )
        return result

    def _tell(
        self,
        observations: list[Observation],
        make: Callable[[Observation], Call | Refusal | None],
    ) -> None:
        """Make the outcome and hand it on, unobserved, with every error kept from the user."""
        self._thread.busy = True
        try:
            for observation in observations:
                try:
                    outcome = make(observation)
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


def _note(
    recording: Recording,
    found: Callable[..., Any],
    default: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: Any,
) -> None:
    try:
        recording.reader.note(found, default, args, kwargs, result)
    except UnreadableError as why:
        recording.unread.append(str(why))
    except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
        recording.fault = recording.fault or fault


def _learn(recording: Recording, module: Any, kwargs: Mapping[str, Any]) -> None:
    try:
        recording.inputs.nested(module, kwargs)
    except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
        recording.fault = recording.fault or fault


def _outcome(
    observation: Observation, recording: Recording, module: Any, result: Any, milliseconds: float
) -> Call | Refusal | None:
    """Turn the recording into a call, or say why there is none; None for what is no model."""
    if recording.fault is not None:
        log.error("attnlab could not record a model call", exc_info=recording.fault)
        return refusals.internal(recording.fault)
    if not recording.reader.noted:
        return refusals.without_attention(module, recording.unread)
    notes = []
    if recording.unread:
        reasons = "; ".join(sorted(set(recording.unread)))
        notes.append(f"{len(recording.unread)} attention calls are not shown: {reasons}.")
    if recording.reader.batch > 1:
        notes.append(f"The batch holds {recording.reader.batch} items; the first is shown.")
    recording.inputs.returned(result)
    records = recording.reader.records(module)
    tokens, keys, text = observation.sequences.tokens(module, recording.inputs, records, notes)
    name = refusals.name_of(module)
    return Call(name, records, tokens, keys, text, milliseconds, list(dict.fromkeys(notes)))


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
