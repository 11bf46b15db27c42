"""Records a running call of ``generate``: each forward pass of its model, as it is made."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import cached_tokens, caches
from attnlab.capture.feed.image_inputs import ImageInputs
from attnlab.capture.feed.model_inputs import arguments, rows
from attnlab.capture.generate.given_texts import GivenTexts
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.inspection.contents import is_tensor
from attnlab.capture.passes.call_recording import CallRecording
from attnlab.capture.record import memory, refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from attnlab.capture.generate.step_recording import StepRecording
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.guards.bypass import Bypass
    from attnlab.capture.passes.known_models import KnownInterfaceModels

IDS = ("decoder_input_ids", "input_ids")
EMBEDDINGS = ("decoder_inputs_embeds", "inputs_embeds")

INTERVAL = 0.5
"""Shortest time between two views of a running call, in seconds."""

SHARE = 0.02
"""Part of the time of a running call that these views may take."""

log = logging.getLogger(__name__)


class GenerateRecording:
    """A running call of ``generate``.

    Parameters
    ----------
    model
        The model that generates.
    args, kwargs
        The arguments of the call.
    known
        The models that need no tap.
    bypass
        Turns the interception of module calls off.

    Attributes
    ----------
    given
        What ``generate`` was given.
    streams
        The passes of the model, those that continue one another together.
    parts
        The passes of parts of the model beside these, e.g. of an encoder.
    seconds
        Time that recording took.
    fault
        The first error in attnlab.
    attention_functions
        The replacements of attention functions, by the function and the default.
    step
        The running step, if it is not tapped.
    progress
        Shows what has been computed so far; None if nobody wants it.
    images
        The images that were given. The passes may be given their states instead.
    limit
        Why no more steps are recorded, a clause; empty if they are.
    """

    step: StepRecording | None = None

    def __init__(
        self,
        model: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        known: KnownInterfaceModels,
        bypass: Bypass,
    ) -> None:
        self.model, self.known, self._bypass = model, known, bypass
        self.streams: list[Stream] = []
        self.parts: list[CallRecording] = []
        self.seconds = 0.0
        self.fault: Exception | None = None
        self.limit = ""
        self.attention_functions: dict[Any, Callable[..., Any]] = {}
        self._current: CallRecording | None = None
        self._inside = {id(part) for part in model.modules()}
        self._attending: dict[int, bool] = {}
        from attnlab.capture.reading.logits import vocabulary_size

        self._vocabulary = vocabulary_size(model)
        self._nested = 0
        self.given = GivenTexts.of(args, kwargs)
        self.images: ImageInputs | None = self._safely(lambda: _images(model, args, kwargs))
        self.progress: Callable[[], None] | None = None
        self._began = self._returned = self._shown = time.perf_counter()
        self._showing = 0.0

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module call inside ``generate``."""
        if self._current is not None:
            return self._current.inside(original, module, args, kwargs)
        if self.fault is not None or self.limit:
            return original(module, *args, **kwargs)
        if module is self.model:
            return self._pass(original, module, args, kwargs)
        if id(module) in self._inside and self._attends(module):
            return self._part(original, module, args, kwargs)
        return original(module, *args, **kwargs)

    @hidden_frame
    def attend(
        self, call: Callable[..., Any], default: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run an attention function of the interface inside ``generate``."""
        if self._current is None:
            return call(*args, **kwargs)
        return self._current.attend(call, default, args, kwargs)  # type: ignore[arg-type]

    @property
    def error(self) -> Exception | None:
        """The first error in attnlab."""
        recordings = [*self.parts, *(stream.first for stream in self.streams)]
        errors = [self.fault, *(recording.error for recording in recordings)]
        return next((error for error in errors if error is not None), None)

    @property
    def milliseconds(self) -> float:
        """Duration of the passes so far, without what recording and showing them took."""
        return 1000 * (self._returned - self._began - self.seconds)

    def release(self) -> None:
        """Drop all data when it is no longer needed: an exception may keep the object alive."""
        for stream in self.streams:
            stream.release()
        for part in self.parts:
            part.release()
        vars(self).clear()

    def _attends(self, module: Any) -> bool:
        """Whether a part of the model has attention."""
        if id(module) not in self._attending:
            self._attending[id(module)] = refusals.has_attention(module)
        return self._attending[id(module)]

    @hidden_frame
    def _part(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        recording = self._first(module, args, kwargs)
        result = self._run(recording, original, module, args, kwargs)
        self._safely(lambda: recording.inputs.returned(result))
        self.parts.append(recording)
        return result

    @hidden_frame
    def _pass(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        found = self._safely(lambda: self._prepared(args, kwargs))
        if found is None:
            return original(module, *args, **kwargs)
        recording, end = found
        result = self._run(recording, original, module, args, kwargs)
        self._returned = time.perf_counter()
        self._safely(lambda: end(result))
        return result

    @hidden_frame
    def _run(
        self,
        recording: CallRecording,
        original: Callable[..., Any],
        module: Any,
        args: Any,
        kwargs: Any,
    ) -> Any:
        from attnlab.capture.generate.step_recording import StepRecording

        self._current = recording
        if recording.tap is None and isinstance(recording, StepRecording):
            self.step = recording
        context: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if recording.tap is not None:
            context = recording.tap
        elif isinstance(recording, StepRecording):
            context = self._bypass.entered()
        try:
            with context:
                return original(module, *args, **kwargs)
        finally:
            self._current = self.step = None

    def _safely(self, function: Callable[[], Any]) -> Any:
        """Run code of attnlab; errors do not affect the user's call."""
        if self.fault is not None:
            return None
        import torch

        began = time.perf_counter()
        try:
            with without_user_modes(), torch.no_grad():
                return function()
        except Exception as fault:  # noqa: BLE001 - an error of attnlab
            self.fault = fault
            return None
        finally:
            self.seconds += time.perf_counter() - began

    def _first(self, module: Any, args: Any, kwargs: Any) -> CallRecording:
        """Create the recording of a pass that continues no other."""
        recording = CallRecording.of(module, args, kwargs)
        if self.known.needs_tap(recording):
            recording.listen()
        return recording

    def _prepared(
        self, args: Any, kwargs: Any
    ) -> tuple[CallRecording, Callable[[Any], None]] | None:
        """Create the recording of a pass of the model, and a function that ends it."""
        from attnlab.capture.generate.step_recording import StepRecording
        from attnlab.capture.generate.stream import Stream

        given = kwargs if not args else arguments(self.model, args, kwargs)
        ids = next((given[name] for name in IDS if is_tensor(given.get(name))), None)
        embeds = next((given[name] for name in EMBEDDINGS if is_tensor(given.get(name))), None)
        tokens = ids if ids is not None else embeds
        if tokens is None or tokens.ndim < 2:
            return None
        # Embeddings of the prompt; ids beside them are those of no token.
        if embeds is not None and (ids is None or ids.shape[1] != embeds.shape[1]):
            tokens, ids = embeds, None
        batch, count = int(tokens.shape[0]), int(tokens.shape[1])
        known = (stream for stream in self.streams if stream.cache is not None)
        stream = next((one for one in known if any(v is one.cache for v in kwargs.values())), None)
        cache = next(iter(caches(args, kwargs)), None) if stream is None else stream.cache
        ids = None if ids is None else ids.detach().clone()
        stream = stream or self._stream(cache, ids)
        start = 0 if cache is None else cached_tokens(cache)
        if start is None:
            start = 0 if stream is None else stream.stop
        before = start
        if stream is None:
            first = self._first(self.model, args, kwargs)

            def begin(result: Any) -> None:
                first.inputs.returned(result)
                self.known.learn(first)
                # Some models create their cache in the first pass, or put it into another one.
                filled = next(iter(caches(result)), cache)
                filled_by = 0 if filled is None else (cached_tokens(filled) or 0) - before
                if filled_by > count:
                    self._stop(
                        f"its forward() puts {filled_by - count} states before the text that it "
                        "is given"
                    )
                    return
                stream = Stream(first, filled, before, ids, count)
                # With the prompt, an assistant's first guesses may be given.
                given = self.given.tokens
                guesses = 0 if given is None else max(0, stream.stop - given)
                self._predicted(stream, ids, result, 1 + (guesses if not before else 0))
                self.streams.append(stream)

            return first, begin
        if batch != stream.batch:
            self._stop(
                f"a step was given {batch} rows, the one before {stream.batch}, as in contrastive "
                "search and other methods that are loaded from the Hub"
            )
            return None
        if stream.recomputes(start, count):
            start, count = stream.stop, start + count - stream.stop
        step = StepRecording.of_step(self.model, args, kwargs, batch, stream.tapped)

        def end(result: Any) -> None:
            if step.error is not None:
                raise step.error
            stream.add(step, start, ids, count)
            self._predicted(stream, ids, result, count)
            step.release()
            self._check_budget()
            self._show_progress(stream)

        return step, end

    def processing(self, scores: Any) -> None:
        """Note what the logits processors are given after a pass of the model."""
        if self._between_passes and is_tensor(scores):
            self._safely(lambda: self.streams[0].predictions.begin_processing(scores))

    def processed(self, scores: Any) -> None:
        """Note what the logits processors returned after a pass of the model."""
        if not self._between_passes or not is_tensor(scores):
            return

        def note() -> None:
            if scores.ndim == 2 and scores.shape[1] == self._vocabulary:
                self.streams[0].predictions.process(scores)

        self._safely(note)

    def decided(self, criteria: Any, ids: Any, finished: Any) -> None:
        """Note which of some texts, (texts, tokens), the stopping criteria finished."""
        if not self._between_passes or not is_tensor(ids) or not is_tensor(finished):
            return

        def note() -> None:
            from attnlab.capture.generate.decisions import note_decision

            note_decision(self.streams[0], criteria, ids, finished, self.given.texts)

        self._safely(note)

    @property
    def _between_passes(self) -> bool:
        """Whether what is chosen now is chosen from the last pass of the first stream."""
        return not self._nested and self._current is None and bool(self.streams)

    @contextlib.contextmanager
    def nested(self, model: Any) -> Iterator[None]:
        """Return a context for a ``generate`` inside this one, e.g. of an assistant."""
        other = model is not self.model
        self._nested += other
        try:
            yield
        finally:
            self._nested -= other

    def _predicted(self, stream: Stream, ids: torch.Tensor | None, result: Any, count: int) -> None:
        """Reduce the logits of the last tokens of a pass that has ended."""
        from attnlab.capture.reading.logits import logits_of

        logits = logits_of(result, self._vocabulary)
        if logits is not None and logits.shape[0] == stream.batch:
            # A view would keep the logits of the whole prompt. And in assisted decoding, generate()
            # writes what logits processors return into the model's logits.
            last = logits[:, -count:].clone()
            stream.predictions.end(len(stream.steps) - 1, stream.stop, ids, last)

    def _stream(self, cache: Any, ids: torch.Tensor | None) -> Stream | None:
        """Find the passes that a pass continues."""
        for stream in self.streams:
            if cache is not None and stream.cache is cache:
                return stream
            if cache is None and stream.continues(ids):
                return stream
        return None

    def _show_progress(self, stream: Stream) -> None:
        """Show what has been computed so far, if enough time has passed since the last time."""
        now = time.perf_counter()
        pause = max(INTERVAL, self._showing / SHARE)
        if self.progress is None or stream is not self.streams[0] or now < self._shown + pause:
            return
        try:
            self.progress()
        except Exception:
            log.exception("attnlab could not show a running call")
            self.progress = None
        self._shown = time.perf_counter()
        self._showing = self._shown - now

    def _check_budget(self) -> None:
        limit = memory.budget()
        if sum(stream.nbytes for stream in self.streams) > limit:
            self._stop(
                f"its steps take more memory than {memory.readable(limit)} "
                f"(set {memory.VARIABLE} for more)"
            )

    def _stop(self, why: str) -> None:
        """Record no further steps, and drop those that were."""
        self.limit = why
        for stream in self.streams:
            stream.steps.clear()


def _images(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ImageInputs | None:
    """Return the images that ``generate`` was given."""
    given = (kwargs.get("input_ids"), kwargs.get("inputs"), *args[:1])
    ids = next((rows(value) for value in given if value is not None), None)
    return ImageInputs.of(model, kwargs, ids)
