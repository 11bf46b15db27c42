"""Creates the outcome of a call that has ended, with a second forward pass if necessary."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import caches
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.inspection.contents import is_tensor
from attnlab.capture.isolation.isolated_model import IsolatedModel, NotIsolatedError
from attnlab.capture.isolation.random_generators import RandomGenerators
from attnlab.capture.passes import releases, replay
from attnlab.capture.passes.call_recording import CallRecording
from attnlab.capture.passes.generation import Generation, UnfinishedError
from attnlab.capture.reading import returned_weights
from attnlab.capture.reading.fingerprint import Fingerprint
from attnlab.capture.record import refusals
from attnlab.capture.record.clauses import capitalized, uncapitalized
from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.tokens.tokens import sendable

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.capture.record.sequence_naming import SequenceNaming

    Outcome = Callable[[SequenceNaming], RecordedCall | Refusal | None]

REPLAYED = "A second forward pass was recorded: {reason}."


class OutcomeBuilder:
    """Creates the outcome of one model call.

    Parameters
    ----------
    model
        The module that was called.
    thread
        The gate's state of this thread; its `recording` handles module calls.
    milliseconds
        Duration of the user's call.
    """

    def __init__(self, model: Any, thread: Any, milliseconds: float) -> None:
        self._model = model
        self._thread = thread
        self._milliseconds = milliseconds

    def after(
        self, first: CallRecording, replay_inputs: replay.ReplayInputs | None, result: Any
    ) -> Outcome:
        """Return a function that creates the outcome of a module call."""

        def make(sequences: SequenceNaming) -> RecordedCall | Refusal | None:
            tap = first.tap
            if first.error is not None:
                return first.call(sequences, result)
            if replay_inputs is not None:
                reason = "the model is compiled, and recording would change its kernels"
                inputs = replay_inputs.args, replay_inputs.kwargs
                random, refusal = replay_inputs.random, replay_inputs.refusal
                return self._again(sequences, reason, inputs, first, result, random, refusal)
            if tap is not None and tap.fused:
                reason = (
                    "PyTorch ran fused encoder layers (its fast path), which hide the attention"
                )
                inputs = first.args, first.kwargs
                return self._again(sequences, reason, inputs, first, result, None, _filled(first))
            if not first.recorder.noted and returned_weights.offers(self._model):
                second = self._returned(first)
                if second.recorder.noted:
                    second.recorder.unread += first.recorder.unread
                    return second.call(sequences, result)
                first.recorder.unread += second.recorder.unread
            return first.call(sequences, result)

        return make

    def after_generate(self, generation: Generation, result: Any) -> Outcome:
        """Return a function that creates the outcome of ``generate``."""

        def make(sequences: SequenceNaming) -> RecordedCall | Refusal | None:
            try:
                kwargs, prompt = generation.whole(result)
            except UnfinishedError as error:
                return _refused(self._model, f"generate() could not be shown: {error}")
            first = CallRecording.of(self._model, (), kwargs)
            if first.fault is not None:
                return refusals.internal(first.fault)
            first.generated = prompt
            reason = (
                "the steps of generate() are compiled, and one pass over its text has their rows"
            )
            try:
                second = self._second(first, (), kwargs)
            except NotIsolatedError as error:
                return self._not_isolated(reason, error)
            second.recorder.fingerprint = Fingerprint(second.model, like=generation.fingerprint)
            second_result = self._run(second, reason)
            if isinstance(second_result, Refusal):
                return second_result
            if difference := self._difference(generation, second):
                return _refused(self._model, f"{_sentence(reason)}, but {difference}")
            return second.call(sequences, second_result)

        return make

    def _again(
        self,
        sequences: SequenceNaming,
        reason: str,
        inputs: tuple[tuple[Any, ...], dict[str, Any]],
        first: CallRecording,
        result: Any,
        random: Any,
        refusal: str,
    ) -> RecordedCall | Refusal | None:
        """Repeat a call; only the results of the two passes can be compared."""
        if refusal:
            return _refused(self._model, f"{_sentence(reason)}, but {refusal}")
        try:
            second = self._second(first, *inputs, random)
        except NotIsolatedError as error:
            return self._not_isolated(reason, error)
        second_result = self._run(second, reason)
        if isinstance(second_result, Refusal):
            return second_result
        from attnlab.capture.passes.agreement import results_agree

        if not results_agree(result, second_result):
            doubt = "The output of this second pass differs from that of your call."
            second.recorder.doubt([f"{doubt} {releases.report()}"] * len(second.recorder.noted))
        return second.call(sequences, result)

    def _second(
        self,
        first: CallRecording,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        random: Any = None,
    ) -> CallRecording:
        """Create the recording of a second pass, over a copy of the model."""
        isolated = IsolatedModel(self._model, RandomGenerators(random))
        args, kwargs = isolated.copied((args, kwargs))
        second = CallRecording.of(isolated.model, args, kwargs)
        second.isolated = isolated
        second.recorder.replayed = True
        if (fault := first.recorder.projections.fault) is not None:
            second.notes.append(refusals.partly(fault))
        second.milliseconds = self._milliseconds
        second.generated = second.inputs.prompt = first.generated
        second.stop = first.stop
        return second

    def _difference(self, generation: Generation, second: CallRecording) -> str:
        """Return why the steps of ``generate`` do not confirm a second pass; empty if they do."""
        from attnlab.capture.passes.agreement import doubts

        user_fingerprint, second_fingerprint = generation.fingerprint, second.recorder.fingerprint
        assert second_fingerprint is not None
        masks = [
            mask
            for name, mask in second.kwargs.items()
            if "mask" in name and is_tensor(mask) and mask.ndim == 2
        ]
        noted = second.recorder.noted
        start = max(0, (second.generated or 0) - 1)
        found = doubts(user_fingerprint, second_fingerprint, noted, masks, start)
        doubt = next(filter(None, found), "")
        return f"{uncapitalized(doubt)} {releases.report()}" if doubt else ""

    def _returned(self, first: CallRecording) -> CallRecording:
        """Run a second pass in which the model returns its weights."""
        kwargs = first.kwargs | {"output_attentions": True}
        try:
            if filled := _filled(first):
                raise replay.NotReplayableError(filled)
            replay.check(self._model)
            second = self._second(first, first.args, kwargs)
            second.recorder.replayed = False
            isolated = second.isolated
            assert isolated is not None
            result = self._call_copy(second, PassThrough(isolated))
        except (replay.NotReplayableError, NotIsolatedError, TypeError, ValueError) as error:
            second = CallRecording.of(self._model, first.args, kwargs)
            second.recorder.refuse(
                self._model, f"output_attentions=True returned no weights: {error}"
            )
            return second
        returned_weights.take(second.recorder, result)
        return second

    def _call_copy(self, second: CallRecording, listener: CallRecording | PassThrough) -> Any:
        """Call the copy of the model."""
        isolated = second.isolated
        assert isolated is not None
        self._thread.recording = listener
        try:
            with replay.unnoticed(isolated), listener.listen():
                return second.model(*second.args, **second.kwargs)
        finally:
            self._thread.recording = None

    def _run(self, second: CallRecording, reason: str) -> Any:
        """Run the second pass; return its result, or a refusal if it is not possible or fails."""
        try:
            replay.check(self._model)
        except replay.NotReplayableError as error:
            return _refused(self._model, f"{_sentence(reason)}, but {error}")
        second.notes.append(REPLAYED.format(reason=reason))
        try:
            return self._call_copy(second, second)
        except NotIsolatedError as error:
            return self._not_isolated(reason, error)
        except Exception as error:  # noqa: BLE001 - raised in attnlab's pass
            message = f"{type(error).__name__}: {sendable(str(error))[:300]}"
            cause = f"a second pass failed ({message}). {releases.report()}"
            return _refused(self._model, f"{_sentence(reason)}, but {cause}")

    def _not_isolated(self, reason: str, error: NotIsolatedError) -> Refusal:
        """Return the refusal of a second pass that would affect the user's objects."""
        return _refused(self._model, f"{_sentence(reason)}, but {error}")


class PassThrough:
    """A listener that runs calls without recording them."""

    def __init__(self, isolated: IsolatedModel) -> None:
        self._isolated = isolated

    def listen(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that does nothing."""
        return contextlib.nullcontext()

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module call."""
        self._isolated.check(module)
        return original(module, *args, **kwargs)

    @hidden_frame
    def attend(
        self, found: Callable[..., Any], _default: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run an attention function."""
        return found(*args, **kwargs)


def _filled(first: CallRecording) -> str:
    """Explain that a call has changed its caches and cannot be repeated; empty without caches."""
    filled = caches(first.args, first.kwargs)
    return (
        f"the call has already filled its {type(filled[0]).__name__}, so it cannot be repeated"
        if filled
        else ""
    )


def _sentence(clause: str) -> str:
    """Capitalize a clause, unless it starts with the name of a function."""
    return clause if clause.startswith("generate()") else capitalized(clause)


def _refused(model: Any, cause: str) -> Refusal:
    name = refusals.name_of(model)
    return Refusal(
        f"{name} could not be recorded",
        f"{cause.removesuffix('.')}.",
        "Call the uncompiled model directly on the text, outside generate().",
    )
