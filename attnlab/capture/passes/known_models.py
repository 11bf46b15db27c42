"""Remembers the models whose attention calls all use the attention interface."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.origin import origin
from attnlab.capture.record import refusals
from attnlab.capture.transformers_internals import attention_implementation

if TYPE_CHECKING:
    from attnlab.capture.passes.call_recording import CallRecording


class KnownInterfaceModels:
    """The models whose attention calls are known to all use the attention interface.

    Their later calls of the same form do not need the tap, which adds up to 10% to a pass.
    """

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()

    def needs_tap(self, recording: CallRecording) -> bool:
        """Whether the call may compute attention outside the interface."""
        model = recording.model
        if _form(recording) in self._known.get(origin(model), ()):
            return False
        return not refusals.compiled(model) and not _compiles_attention(model)

    def learn(self, recording: CallRecording) -> None:
        """Remember the form of a call in which the tap found no attention outside the interface."""
        tap = recording.tap
        if tap is None or tap.fused or tap.lost or recording.error is not None:
            return
        if all(noted.record.method == "interface" for noted in recording.recorder.noted):
            self._known.setdefault(origin(recording.model), set()).add(_form(recording))


def _compiles_attention(model: Any) -> bool:
    """Whether a model's attention function is compiled when it is called (flex attention)."""
    configs = (getattr(part, "config", None) for part in model.modules())
    return any("flex" in attention_implementation(config) for config in configs)


def _form(recording: CallRecording) -> tuple[Any, ...]:
    """Return the properties of a call that determine which parts of the model run."""
    model = recording.model
    config = getattr(model, "config", None)
    given = sorted(name for name, value in recording.kwargs.items() if value is not None)
    implementation = attention_implementation(config)
    return len(recording.args), tuple(given), model.training, implementation
