"""Second forward passes, for calls that cannot be observed while they run.

Observing would change the kernels of compiled models and of PyTorch's fused encoder layers.
Therefore the user's call runs unchanged, and a second pass is recorded afterward: on an isolated
copy of the model, without gradients, with the same random numbers and with copies of the caches.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import copied
from attnlab.capture.inspection.copies import UncopiedError
from attnlab.capture.isolation.silenced_output import silenced
from attnlab.capture.torch_internals import forward_hooks, has_global_forward_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.isolation.isolated_model import IsolatedModel
    from attnlab.capture.passes.call_recording import CallRecording

LIBRARIES = ("torch.", "transformers.", "accelerate.", "peft.")


class NotReplayableError(Exception):
    """The reason why a call cannot be repeated."""


class ReplayInputs:
    """The state before the first pass that a second pass needs: random numbers and caches."""

    def __init__(self, recording: CallRecording) -> None:
        import torch

        self.random = torch.get_rng_state()
        self.args, self.kwargs = recording.args, recording.kwargs
        self.refusal = ""
        """A clause that states why the call cannot be repeated; empty if it can."""
        try:
            self.args, self.kwargs = copied(recording.args, recording.kwargs)
        except UncopiedError as error:
            self.refusal = str(error)


def check(model: Any) -> None:
    """Refuse models on which a second pass would have side effects.

    Raises
    ------
    NotReplayableError
        The message states the reason.
    """
    if has_global_forward_hooks():
        raise NotReplayableError(
            "torch has global module hooks, which a second forward pass would run again"
        )
    for module in model.modules():
        # Hooks of libraries are part of the model: they just collect the same data again.
        if any(
            not str(getattr(hook, "__module__", "")).startswith(LIBRARIES)
            for hook in forward_hooks(module)
        ):
            raise NotReplayableError(
                f"{type(module).__name__} has hooks, which a second pass would run again"
            )


@contextlib.contextmanager
def unnoticed(isolated: IsolatedModel, *, plain: bool = True) -> Iterator[None]:
    """Return a context for passes over a copy of a model, without output or side effects.

    Parameters
    ----------
    isolated
        The copy.
    plain
        Whether to disable the fast path of modules, which cannot be observed.
    """
    import torch

    from attnlab.capture.isolation.operation_guard import OperationGuard

    with contextlib.ExitStack() as stack:
        stack.enter_context(silenced(isolated.generators))
        stack.enter_context(torch.no_grad())
        stack.enter_context(OperationGuard(isolated))
        # A function mode disables the modules' fast path only on this thread; PyTorch's setting
        # would also affect passes on other threads.
        if plain:
            stack.enter_context(torch.overrides.BaseTorchFunctionMode())
        yield
