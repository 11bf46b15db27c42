"""Records one model call while it runs, and creates its `RecordedCall`."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import ModelInputs
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.reading import interface
from attnlab.capture.reading.attention_recorder import AttentionRecorder
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.reading.projection_samples import ProjectionSamples
from attnlab.capture.reading.text_scopes import TextScopes
from attnlab.capture.record import memory, refusals
from attnlab.capture.record.recorded_call import RecordedCall, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.feed.text_scope import TextScope
    from attnlab.capture.guards.user_call import UserCall
    from attnlab.capture.isolation.isolated_model import IsolatedModel
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.predictions import Predictions
    from attnlab.capture.record.sequence_naming import SequenceLayout, SequenceNaming
    from attnlab.capture.tap.mode import Tap


class StoppedPass(BaseException):
    """The call was stopped because its result is no longer needed."""


@dataclass(eq=False)
class CallRecording:
    """The recording of one running model call."""

    model: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    recorder: AttentionRecorder
    inputs: ModelInputs = field(default_factory=ModelInputs)
    tap: Tap | None = None
    fault: Exception | None = None
    milliseconds: float = 0.0
    generated: int | None = None
    notes: list[str] = field(default_factory=list)
    stop: Callable[[], bool] | None = None
    """Returns True to stop the call; polled before each call of a module in the model."""
    isolated: IsolatedModel | None = None
    """The isolated copy of the model, in a pass that attnlab makes; otherwise None."""

    @classmethod
    def of(cls, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallRecording:
        """Create the recording of a call that is about to be made."""
        recorder = AttentionRecorder(model, projections=ProjectionSamples(model, args, kwargs))
        recording = cls(model, args, kwargs, recorder)
        try:
            with without_user_modes():
                recording.inputs = ModelInputs.of(model, args, kwargs)
                recorder.texts = TextScopes(model, recording.inputs, args, kwargs)
            recorder.kept.batch = recording.inputs.batch
        except Exception as fault:  # noqa: BLE001 - must not affect the user's call
            recording.fault = fault
        return recording

    def listen(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which the tap follows every operation."""
        from attnlab.capture.tap.mode import Tap

        self.tap = Tap(self.recorder)
        return self.tap

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run the call of a module inside the model."""
        if self.stop is not None and self.stop():
            raise StoppedPass
        if self.isolated is not None:
            self.isolated.check(module)
        texts = self.recorder.texts
        if not texts.concerns(args, kwargs):
            return self._run(original, module, args, kwargs)
        reads = self._safely(texts.enter, module, args, kwargs)
        result = None
        try:
            result = self._run(original, module, args, kwargs)
        finally:
            if reads:
                self._safely(texts.leave, result)
        self._safely(texts.saw, module, args, kwargs, result)
        return result

    @hidden_frame
    def _run(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        fingerprint, projections = self.recorder.fingerprint, self.recorder.projections
        if fingerprint is not None and fingerprint.follows(module):
            original = partial(fingerprint.call, original)
        if self.tap is None and not projections.active:
            return original(module, *args, **kwargs)
        projections.enter(module, args, kwargs)
        try:
            with contextlib.nullcontext() if self.tap is None else self.tap.entered(module):
                result = original(module, *args, **kwargs)
        finally:
            projections.leave()
        if projections.wants_results:
            with self.recorder.timed():
                projections.sample(result)
        return result

    @hidden_frame
    def attend(self, call: UserCall, default: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an attention function of the interface, and note the call."""
        tap, found = self.tap, call.original
        from_library = interface.of_the_library(found)
        noted, unread = len(self.recorder.noted), len(self.recorder.unread)
        # Library functions: their arguments determine the weights. Other functions are tapped.
        with contextlib.nullcontext() if tap is None or not from_library else tap.aside():
            result = call(*args, **kwargs)
        if len(self.recorder.noted) > noted:
            return result
        # The tap must not follow attnlab's operations.
        with contextlib.nullcontext() if tap is None else tap.aside():
            module = args[0] if args else kwargs.get("module")
            try:
                with self.recorder.fingerprinted(args, kwargs, result):
                    interface.note(self.recorder, found, default, args, kwargs, result)
                del self.recorder.unread[unread:]
                if tap is not None:
                    tap.settle((module,))
            except UnreadableError as error:
                self.recorder.refuse(module, str(error))
            except Exception as fault:  # noqa: BLE001 - must not affect the user's call
                self.fault = self.fault or fault
        return result

    def _safely(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run code of attnlab; errors do not affect the user's call."""
        tap = self.tap
        try:
            with self.recorder.timed(), contextlib.nullcontext() if tap is None else tap.aside():
                return function(*args)
        except Exception as fault:  # noqa: BLE001 - an error of attnlab
            self.fault = self.fault or fault
            return None

    @property
    def error(self) -> Exception | None:
        """The first error in attnlab."""
        return self.fault or (self.tap.fault if self.tap is not None else None)

    def release(self) -> None:
        """Drop all data of the recording and its parts when it is no longer needed.

        The object itself may be kept alive by the frames of an exception that the notebook has
        stored, or by an attention function that a model has stored.
        """
        recorder = self.recorder
        parts = (
            self.tap,
            recorder.fingerprint,
            recorder.texts,
            recorder.projections,
            recorder.kept,
            recorder,
            self,
        )
        for part in parts:
            if part is not None:
                vars(part).clear()

    def call(self, sequences: SequenceNaming, result: Any) -> RecordedCall | Refusal | None:
        """Create the recorded call, or the reason why there is none; None if none was expected."""
        if self.error is not None:
            refusals.log.error("attnlab could not record a model call", exc_info=self.error)
            return refusals.internal(self.error)
        recorder, inputs, notes = self.recorder, self.inputs, self.notes
        kept = recorder.kept
        if recorder.projections.fault is not None:
            notes.append(refusals.partly(recorder.projections.fault))
        for module in () if self.tap is None else self.tap.lost.values():
            recorder.refuse(module, "its softmax was not followed to a product with values")
        if not recorder.noted:
            return refusals.without_attention(self.model, recorder.unread)
        if recorder.unread:
            reasons = "; ".join(sorted({f"{name}: {why}" for name, why in recorder.unread}))
            count = len(recorder.unread)
            notes.append(f"Attention calls not shown: {count} ({reasons}).")
        items = kept.items or 1
        if items < kept.batch:
            notes.append(
                f"The batch has {kept.batch} items; only the first {items} fit into memory "
                f"(set {memory.VARIABLE} higher to record more)."
            )
        inputs.returned(result)
        owners = recorder.texts.owners([noted.scope for noted in recorder.noted])
        recorder.texts.trim(kept.share)
        records = recorder.records(recorder.texts.lengths)
        layout = sequences.layout(records, owners, notes)
        items = _items(items, records, owners)
        return RecordedCall(
            refusals.name_of(self.model),
            records,
            layout.sequences,
            layout.axes,
            self.milliseconds,
            items,
            self.generated,
            list(dict.fromkeys(notes)),
            predictions=self._predictions(result, layout),
        )

    def _predictions(self, result: Any, layout: SequenceLayout) -> Predictions | None:
        """Return what a language model predicted for its text."""
        import torch

        from attnlab.capture.reading.logits import logits_of, vocabulary_size
        from attnlab.capture.record.predictions import predictions_of

        logits = logits_of(result, vocabulary_size(self.model))
        main = layout.sequences[0]
        if logits is None or logits.shape[1] != len(main) or logits.shape[0] < len(main.items):
            return None
        ids = [[token.id for token in item.tokens] for item in main.items]
        if min(map(min, ids)) < 0:
            return None
        with without_user_modes(), torch.no_grad():
            following = bool(self.model.can_generate())
            return predictions_of(logits, ids, len(main.items), following=following)


def _items(recorded: int, records: list[AttentionRecord], owners: list[TextScope]) -> int:
    """Return the number of batch items of a call; the largest if its inputs differ."""
    text_counts = {len(owner.inputs.ids) for owner in owners if owner.reads and owner.inputs.ids}
    if len(text_counts) > 1:
        return max(text_counts)
    # The first axis of an argument may not be the batch: in some plain modules it is the tokens,
    # in MusicGen the codebooks. So the batch of the attention calls decides.
    counts = Counter(record.items for record in records)
    return recorded if recorded in counts else counts.most_common(1)[0][0]
