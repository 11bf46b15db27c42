"""What is made of a call after it has ended, by a second forward pass where there must be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals, releases, replay, returned
from attnlab.capture.caches import caches
from attnlab.capture.call import Refusal
from attnlab.capture.contents import is_tensor
from attnlab.capture.generation import Generation, UnfinishedError
from attnlab.capture.recording import Recording
from attnlab.capture.tokens import sendable
from attnlab.capture.witness import Witness

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
                given = before.args, before.kwargs
                return self._again(
                    sequences, reason, given, first, result, before.random, before.refusal
                )
            if tap is not None and tap.fused:
                reason = "PyTorch computed whole layers at once (its fast path)"
                given = first.args, first.kwargs
                return self._again(sequences, reason, given, first, result, None, _filled(first))
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
            second = self._second(first, (), kwargs)
            second.recorder.witness = Witness(self._model, like=generation.witness)
            again = self._run(second, reason, None)
            if isinstance(again, Refusal):
                return again
            self._compare(generation, second)
            return second.call(sequences, again)

        return make

    def _again(
        self,
        sequences: Sequences,
        reason: str,
        given: tuple[tuple[Any, ...], dict[str, Any]],
        first: Recording,
        result: Any,
        random: Any,
        refusal: str,
    ) -> Call | Refusal | None:
        """Make a call again whose result is all that can be compared."""
        if refusal:
            return _refused(self._model, f"{_sentence(reason)}; but {refusal}")
        second = self._second(first, *given)
        again = self._run(second, reason, random)
        if isinstance(again, Refusal):
            return again
        from attnlab.capture.agreement import results_agree

        if not results_agree(result, again):
            doubt = "This second pass gave another output than the model's own."
            second.recorder.doubt([f"{doubt} {releases.report()}"] * len(second.recorder.noted))
        return second.call(sequences, result)

    def _second(self, first: Recording, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
        second = Recording.of(self._model, args, kwargs)
        second.recorder.replayed = True
        second.milliseconds = self._milliseconds
        second.generated = second.inputs.prompt = first.generated
        second.stop = first.stop
        return second

    def _compare(self, generation: Generation, second: Recording) -> None:
        """Doubt the attention that the steps of ``generate`` did not compute."""
        from attnlab.capture.agreement import doubts

        user, own = generation.witness, second.recorder.witness
        assert own is not None
        masks = [
            mask
            for name, mask in second.kwargs.items()
            if "mask" in name and is_tensor(mask) and mask.ndim == 2
        ]
        noted = second.recorder.noted
        start = max(0, (second.generated or 0) - 1)
        found = doubts(user, own, noted, masks, start)
        generation.confirmed = not any(found)
        second.recorder.doubt([f"{doubt} {releases.report()}" if doubt else "" for doubt in found])

    def _returned(self, first: Recording) -> Recording:
        """Ask the model for its weights, in a second pass."""
        second = Recording.of(self._model, first.args, first.kwargs | {"output_attentions": True})
        second.milliseconds = self._milliseconds
        try:
            if filled := _filled(first):
                raise replay.NotReplayableError(filled)
            replay.check(self._model)
            with replay.unnoticed(self._model, None):
                result = self._model(*second.args, **second.kwargs)
        except (replay.NotReplayableError, TypeError, ValueError) as why:
            second.recorder.refuse(self._model, f"output_attentions=True gave nothing: {why}")
            return second
        returned.take(second.recorder, result)
        return second

    def _run(self, second: Recording, reason: str, random: Any) -> Any:
        """Make the second pass; a refusal where it cannot be made, or fails."""
        try:
            replay.check(self._model)
        except replay.NotReplayableError as why:
            return _refused(self._model, f"{_sentence(reason)}; but {why}")
        second.notes.append(REPLAYED.format(reason=reason))
        self._thread.recording = second
        try:
            with replay.unnoticed(self._model, random), second.listen():
                return self._model(*second.args, **second.kwargs)
        except Exception as error:  # noqa: BLE001 - of a pass that the user did not ask for
            what = f"{type(error).__name__}: {sendable(str(error))[:300]}"
            cause = f"a second pass failed ({what}). {releases.report()}"
            return _refused(self._model, f"{_sentence(reason)}; but {cause}")
        finally:
            self._thread.recording = None


def _filled(first: Recording) -> str:
    """Say why a call cannot be made again with its caches, which it has filled."""
    filled = caches(first.args, first.kwargs)
    return f"the call has filled its {type(filled[0]).__name__}" if filled else ""


def _sentence(clause: str) -> str:
    """Begin a sentence with a clause; the name of a function keeps its case."""
    return clause if clause.startswith("generate()") else f"{clause[0].upper()}{clause[1:]}"


def _refused(model: Any, cause: str) -> Refusal:
    name = refusals.name_of(model)
    return Refusal(
        f"{name} could not be recorded",
        f"{cause.removesuffix('.')}.",
        "Call the model itself on the text, outside generate() and before torch.compile.",
    )
