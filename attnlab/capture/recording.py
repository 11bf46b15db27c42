"""One model call while it runs, and what is made of it."""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture import attention, memory, refusals
from attnlab.capture.call import Call, Refusal
from attnlab.capture.frames import between
from attnlab.capture.inputs import Inputs
from attnlab.capture.projections import Projections
from attnlab.capture.recorder import Recorder, UnreadableError, private
from attnlab.capture.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.reading import Reading
    from attnlab.capture.records import Record
    from attnlab.capture.sequences import Sequences
    from attnlab.capture.tap import Tap


class StoppedPass(BaseException):
    """A call was broken off, since nobody wants its result any more."""


@dataclass(eq=False)
class Recording:
    """One model call while it runs."""

    model: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    recorder: Recorder
    inputs: Inputs = field(default_factory=Inputs)
    tap: Tap | None = None
    fault: Exception | None = None
    milliseconds: float = 0.0
    generated: int | None = None
    notes: list[str] = field(default_factory=list)
    stop: Callable[[], bool] | None = None
    """Whether to break the call off; it is polled in each of the model's modules."""

    @classmethod
    def of(cls, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
        """Prepare to record a call that is about to be made."""
        recorder = Recorder(model, projections=Projections(model, args, kwargs))
        recording = cls(model, args, kwargs, recorder)
        try:
            with private():
                recording.inputs = Inputs.of(model, args, kwargs)
                recorder.texts = Texts(model, recording.inputs, args, kwargs)
            recording.recorder.batch = recording.inputs.batch
        except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
            recording.fault = fault
        return recording

    def listen(self) -> contextlib.AbstractContextManager[Any]:
        """Follow every operation of a block."""
        from attnlab.capture.tap import Tap

        self.tap = Tap(self.recorder)
        return self.tap

    @between
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run the call of a module in the model."""
        if self.stop is not None and self.stop():
            raise StoppedPass
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

    @between
    def _run(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        witness, projections = self.recorder.witness, self.recorder.projections
        if witness is not None and witness.follows(module):
            original = partial(witness.call, original)
        if self.tap is None and not projections.wanted:
            return original(module, *args, **kwargs)
        projections.enter(module, args, kwargs)
        try:
            with contextlib.nullcontext() if self.tap is None else self.tap.entered(module):
                result = original(module, *args, **kwargs)
        finally:
            projections.leave()
        if projections.waits:
            with self.recorder.timed():
                projections.saw(result)
        return result

    @between
    def attend(
        self, found: Callable[..., Any], default: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run an attention function of the interface, and note it."""
        tap = self.tap
        known = attention.of_the_library(found)
        noted, unread = len(self.recorder.noted), len(self.recorder.unread)
        # What the library's functions do follows from their arguments; others' are followed.
        with contextlib.nullcontext() if tap is None or not known else tap.aside():
            result = found(*args, **kwargs)
        if len(self.recorder.noted) > noted:
            return result
        # What we do ourselves goes past the tap.
        with contextlib.nullcontext() if tap is None else tap.aside():
            module = args[0] if args else kwargs.get("module")
            try:
                with self.recorder.witnessed(args, kwargs, result):
                    attention.note(self.recorder, found, default, args, kwargs, result)
                del self.recorder.unread[unread:]
                if tap is not None:
                    tap.settle((module,))
            except UnreadableError as why:
                self.recorder.refuse(module, str(why))
            except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
                self.fault = self.fault or fault
        return result

    def _safely(self, note: Callable[..., Any], *given: Any) -> Any:
        """Note something of our own; an error in it must not reach the user's call."""
        tap = self.tap
        try:
            with self.recorder.timed(), contextlib.nullcontext() if tap is None else tap.aside():
                return note(*given)
        except Exception as fault:  # noqa: BLE001 - ours
            self.fault = self.fault or fault
            return None

    @property
    def error(self) -> Exception | None:
        """The first error of our own."""
        return self.fault or (self.tap.fault if self.tap is not None else None)

    def call(self, sequences: Sequences, result: Any) -> Call | Refusal | None:
        """Turn it into a call, or say why there is none; None for what is no model."""
        if self.error is not None:
            refusals.log.error("attnlab could not record a model call", exc_info=self.error)
            return refusals.internal(self.error)
        recorder, inputs, notes = self.recorder, self.inputs, self.notes
        for module in () if self.tap is None else self.tap.lost.values():
            recorder.refuse(module, "its softmax was not seen to multiply values")
        if not recorder.noted:
            return refusals.without_attention(self.model, recorder.unread)
        if recorder.unread:
            reasons = "; ".join(sorted({f"{name}: {why}" for name, why in recorder.unread}))
            count = len(recorder.unread)
            notes.append(f"{count} attention calls are not shown: {reasons}.")
        items = recorder.items or 1
        if items < recorder.batch:
            notes.append(
                f"The batch holds {recorder.batch} items; there is memory for the first {items} "
                f"({memory.VARIABLE})."
            )
        inputs.returned(result)
        owners = recorder.texts.owners([noted.reading for noted in recorder.noted])
        recorder.texts.trim(recorder.share)
        records = recorder.records(recorder.texts.lengths)
        layout = sequences.layout(records, owners, notes)
        items = _items(items, records, owners)
        return Call(
            refusals.name_of(self.model),
            records,
            layout.sequences,
            layout.axes,
            self.milliseconds,
            items,
            self.generated,
            list(dict.fromkeys(notes)),
        )


def _items(kept: int, records: list[Record], owners: list[Reading]) -> int:
    """Count the items of a call: where its texts differ in their number, the most."""
    texts = {len(own.inputs.ids) for own in owners if own.reads and own.inputs.ids}
    if len(texts) > 1:
        return max(texts)
    # The first axis of what a model is given need not count items: tokens come first in
    # some plain modules, books of codes in MusicGen. The calls know better.
    counts = Counter(record.items for record in records)
    return kept if kept in counts else counts.most_common(1)[0][0]


class Habits:
    """Which models are known to call all their attention at the interface.

    Their later calls of the same form need no tap, which costs up to a tenth of a pass.
    """

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()

    def needs_tap(self, recording: Recording) -> bool:
        """Whether some attention of the call may pass the interface by."""
        model = recording.model
        if _form(recording) in self._known.get(model, ()):
            return False
        return not refusals.compiled(model) and not _compiles_attention(model)

    def learn(self, recording: Recording) -> None:
        """Remember a call that the tap has followed in vain."""
        tap = recording.tap
        if tap is None or tap.fused or tap.lost or recording.error is not None:
            return
        if all(noted.tier == "interface" for noted in recording.recorder.noted):
            self._known.setdefault(recording.model, set()).add(_form(recording))


def _compiles_attention(model: Any) -> bool:
    """Whether a model's attention function is compiled as it runs: flex attention."""
    configs = (getattr(part, "config", None) for part in model.modules())
    return any("flex" in str(getattr(own, "_attn_implementation", "")) for own in configs)


def _form(recording: Recording) -> tuple[Any, ...]:
    """Tell what decides which of its parts a model runs."""
    model = recording.model
    config = getattr(model, "config", None)
    given = sorted(name for name, value in recording.kwargs.items() if value is not None)
    implementation = str(getattr(config, "_attn_implementation", ""))
    return len(recording.args), tuple(given), model.training, implementation
