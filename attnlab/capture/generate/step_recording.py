"""Records one step of ``generate``: notes its attention calls with the model's own tensors.

A step has few new queries, but attends to all keys. To copy each call's arguments would take as
long as the attention itself, so they are copied once the step has ended, for all layers together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any

from attnlab.capture.generate.interface_calls import InterfaceCall, versions_of_call
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.passes.call_recording import CallRecording
from attnlab.capture.reading.attention_recorder import AttentionRecorder
from attnlab.capture.reading.kept_tensors import KeptTensors
from attnlab.capture.reading.projection_samples import ProjectionSamples
from attnlab.capture.torch_internals import has_function_modes, without_torch_function

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@dataclass
class StepTensors(KeptTensors):
    """The tensors of one step, which are not copied."""

    def begin(self, module: Any, *tensors: torch.Tensor) -> None:
        """Keep all batch items: each may belong to a text that is returned."""

    def admit(self, tensor: torch.Tensor) -> None:
        """Accept any tensor, since the model holds it anyway while the step runs."""

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor itself."""
        return tensor.detach()

    def shared(self, tensor: torch.Tensor, keys: int | None = None) -> torch.Tensor:
        """Return a mask or bias with four axes; the same object for the same tensor."""
        known = self._copies.get((id(tensor), keys))
        if known is None:
            four = tensor.detach()
            while four.ndim < 4:
                four = four[None]
            known = self._copies[id(tensor), keys] = (tensor, four[..., :keys])
        return known[1]

    def rows(self, output: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor]:
        """Return the last row of an output, (items, 1, heads, width), for the certificate."""
        last = int(output.shape[1]) - 1
        return (last,), output.detach()[:, last:]


@dataclass(eq=False)
class StepRecording(CallRecording):
    """The recording of one running step.

    Attributes
    ----------
    calls
        Its calls of attention functions of the interface, if it is not tapped.
    thread
        Identity of the thread in which it runs.
    """

    calls: list[InterfaceCall] = field(default_factory=list)
    thread: int = field(default_factory=get_ident)

    @classmethod
    def of_step(
        cls, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], batch: int, tapped: bool
    ) -> StepRecording:
        """Create the recording of a step that is about to be made."""
        recorder = AttentionRecorder(model)
        recorder.kept = StepTensors(recorder.model, batch)
        recorder.projections = ProjectionSamples(model, args, kwargs)
        recorder.projections.active = False
        recording = cls(model, args, kwargs, recorder)
        if tapped:
            recording.listen()
        return recording

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run the call of a module inside the model; fast, since a step has hundreds."""
        if self.tap is None:
            return original(module, *args, **kwargs)
        with self.tap.entered(module):
            return original(module, *args, **kwargs)

    def note(
        self,
        function: Callable[..., Any],
        default: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> None:
        """Keep a call of an attention function of the interface that has returned."""
        if has_function_modes():
            # The user's modes must not see what is read of the tensors.
            with without_torch_function():
                versions = versions_of_call(args, result)
        else:
            versions = versions_of_call(args, result)
        self.calls.append(InterfaceCall(function, default, args, kwargs, result, versions))
