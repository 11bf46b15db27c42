"""A second forward pass, for calls that cannot be observed while they run.

Observing would change the kernels of a compiled model and of PyTorch's fused encoder layers.
So the user's call runs untouched, and one like it is recorded afterwards: without gradients,
with the same random numbers, with copies of the caches, its buffers restored.
"""

from __future__ import annotations

import contextlib
import random
import sys
from typing import TYPE_CHECKING, Any

from attnlab.capture import refusals
from attnlab.capture.caches import UncopiedError, copied
from attnlab.capture.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.recording import Recording


LIBRARIES = ("torch.", "transformers.", "accelerate.", "peft.")


class NotReplayableError(Exception):
    """Why a call cannot be made a second time."""


class Before:
    """What a second pass needs from before the first: random numbers and caches."""

    def __init__(self, recording: Recording) -> None:
        import torch

        self.random = torch.get_rng_state()
        self.args, self.kwargs = recording.args, recording.kwargs
        self.refusal = ""
        """Why the call cannot be made a second time, a clause; empty where it can."""
        try:
            self.args, self.kwargs = copied(recording.args, recording.kwargs)
        except UncopiedError as why:
            self.refusal = str(why)


def check(model: Any) -> None:
    """Refuse models of which a second pass would be noticed.

    Raises
    ------
    NotReplayableError
        With the reason.
    """
    from torch.nn.modules import module as library

    if library._global_forward_hooks or library._global_forward_pre_hooks:
        raise NotReplayableError("torch has hooks for all modules, which it would run again")
    for module in model.modules():
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        # The libraries' own are part of the model: what they collect, they collect anew.
        if any(not str(getattr(hook, "__module__", "")).startswith(LIBRARIES) for hook in hooks):
            raise NotReplayableError(
                f"{type(module).__name__} has hooks, which a second pass would run again"
            )


@contextlib.contextmanager
def unnoticed(model: Any, random: Any, *, plain: bool = True) -> Iterator[list[str]]:
    """Run a pass that leaves nothing behind: gradients, random numbers, buffers, hooks.

    Parameters
    ----------
    model
        The module that is called.
    random
        State of the random numbers to begin with; None for that of now.
    plain
        Whether modules leave their fast path, on which nothing is seen.

    Yields
    ------
    list of str
        Afterwards the names of the buffers that the pass has changed, which are as before.
    """
    import torch

    inner = getattr(model, "_orig_mod", model)
    changed: list[str] = []
    kept = [
        (name, own, own.detach().clone()) for name, own in inner.named_buffers() if not own.is_meta
    ]
    buffers = [(part, dict(part._buffers)) for part in inner.modules() if part._buffers]
    held = [(part, dict(vars(part)), set(part._forward_hooks)) for part in model.modules()]
    devices = sorted(
        {own.device.index or 0 for own in inner.parameters() if own.device.type == "cuda"}
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(torch.random.fork_rng(devices=devices))
        stack.enter_context(_drawn())
        stack.enter_context(torch.no_grad())
        if refusals.compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        # Under a function mode modules leave their fast path. Its own switch is of the whole
        # process, and passes of other threads would leave it as well.
        if plain:
            stack.enter_context(torch.overrides.BaseTorchFunctionMode())
        if random is not None:
            torch.set_rng_state(random)
        try:
            yield changed
        finally:
            for name, own, before in kept:
                # Not all kernels count their changes as a new version: batch norm's do not.
                if not torch.equal(own, before):
                    own.copy_(before)
                    changed.append(name)
            for part, named in buffers:
                changed += [name for name, own in named.items() if part._buffers[name] is not own]
                part._buffers.update(named)
            for part, names, hooks in held:
                for name in vars(part).keys() - names.keys():
                    delattr(part, name)
                vars(part).update(names)
                for hook in part._forward_hooks.keys() - hooks:
                    del part._forward_hooks[hook]


@contextlib.contextmanager
def _drawn() -> Iterator[None]:
    """Keep the random numbers of Python and NumPy: some models set their seed."""
    numpy = sys.modules.get("numpy")
    own = random.getstate()
    theirs = None if numpy is None else numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(own)
        if numpy is not None:
            numpy.random.set_state(theirs)
