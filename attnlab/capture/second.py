"""What is made of a call after it has ended, by a second forward pass where there must be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals, replay, returned
from attnlab.capture.call import Refusal
from attnlab.capture.generation import Generation, UnfinishedError
from attnlab.capture.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.call import Call
    from attnlab.capture.sequences import Sequences

    Outcome = Callable[[Sequences], Call | Refusal | None]

REPLAYED = "A second forward pass was recorded: {reason}."


class Second:
    """Makes the outcome of one call of a model.

    Parameters
    ----------
    model
        The module that was called.
    thread
        The gate's state of this thread, whose `recording` hears of modules that are called.
    milliseconds
        Duration of the user's own call.
    """

    def __init__(self, model: Any, thread: Any, milliseconds: float) -> None:
        self._model = model
        self._thread = thread
        self._milliseconds = milliseconds

    def after(self, first: Recording, before: replay.Before | None, result: Any) -> Outcome:
        """Make the outcome of a model's call."""

        def make(sequences: Sequences) -> Call | Refusal | None:
            tap = first.tap
            if first.error is not None:
                return first.call(sequences, result)
            if before is not None:
                reason = "the model is compiled, and observing would change its kernels"
                return self._again(sequences, reason, before.kwargs, first, result, before.random)
            if tap is not None and tap.fused:
                reason = "PyTorch computed whole layers at once (its fast path)"
                return self._again(sequences, reason, first.kwargs, first, result, None)
            if not first.recorder.noted and returned.offers(self._model):
                second = self._returned(first)
                if second.recorder.noted:
                    second.recorder.unread += first.recorder.unread
                    return second.call(sequences, result)
                first.recorder.unread += second.recorder.unread
            return first.call(sequences, result)

        return make

    def after_generate(self, generation: Generation, result: Any) -> Outcome:
        """Make the outcome of ``generate``."""

        def make(sequences: Sequences) -> Call | Refusal | None:
            try:
                kwargs, prompt = generation.whole(result)
            except UnfinishedError as why:
                return _refused(self._model, f"generate() could not be shown: {why}")
            first = Recording.of(self._model, (), kwargs)
            first.generated = prompt
            reason = (
                f"generate() wrote the tokens from {prompt} on, and one pass shows all its steps"
            )
            return self._again(sequences, reason, kwargs, first, None, None)

        return make

    def _again(
        self,
        sequences: Sequences,
        reason: str,
        kwargs: dict[str, Any],
        first: Recording,
        result: Any,
        random: Any,
    ) -> Call | Refusal | None:
        try:
            replay.check(self._model)
        except replay.NotReplayableError as why:
            return _refused(self._model, f"{reason[0].upper()}{reason[1:]}; but {why}")
        second = Recording.of(self._model, first.args, kwargs)
        second.recorder.replayed = True
        second.milliseconds = self._milliseconds
        second.generated = second.inputs.prompt = first.generated
        second.stop = first.stop
        again = self._run(second, random)
        second.notes.append(REPLAYED.format(reason=reason))
        if not replay.agrees(result, again):
            for noted in second.recorder.noted:
                noted.parts["doubt"] = "The second pass gave another output than the model's own."
        return second.call(sequences, result if result is not None else again)

    def _returned(self, first: Recording) -> Recording:
        """Ask the model for its weights, in a second pass."""
        second = Recording.of(self._model, first.args, first.kwargs | {"output_attentions": True})
        second.milliseconds = self._milliseconds
        try:
            replay.check(self._model)
            with replay.unnoticed(self._model, None):
                result = self._model(*second.args, **second.kwargs)
        except (replay.NotReplayableError, TypeError, ValueError) as why:
            second.recorder.refuse(self._model, f"output_attentions=True gave nothing: {why}")
            return second
        returned.take(second.recorder, result)
        return second

    def _run(self, second: Recording, random: Any) -> Any:
        self._thread.recording = second
        try:
            with replay.unnoticed(self._model, random), second.listen():
                return self._model(*second.args, **second.kwargs)
        finally:
            self._thread.recording = None


def _refused(model: Any, cause: str) -> Refusal:
    name = refusals.name_of(model)
    return Refusal(
        f"{name} could not be recorded",
        f"{cause}.",
        "Call the model itself on the text, outside generate() and before torch.compile.",
    )
