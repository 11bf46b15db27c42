"""Summarizes what a pass computed in a few numbers per row, so that two passes can be compared.

A second pass is shown instead of the user's, e.g. one pass over the finished text instead of the
steps of ``generate``. Whether both computed the same must be checked against the user's pass. So
while it runs, each row of each attention's output is projected onto a few fixed random directions
(a random projection preserves distances: Johnson and Lindenstrauss 1984). The same is done in the
second pass, and each of its rows must be found in the user's pass.

Attention outside transformers' interface is not seen in the steps of ``generate``. There, the
change that each layer makes to its input is used instead.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.modes import without_dispatch_modes
from attnlab.capture.guards.user_call import without_traceback
from attnlab.capture.inspection.contents import leaves
from attnlab.capture.inspection.origin import origin
from attnlab.capture.torch_internals import (
    children_of,
    has_dispatch_modes,
    is_functorch_wrapped,
    without_torch_function,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    import torch

    Function = TypeVar("Function", bound=Callable[..., Any])

log = logging.getLogger(__name__)

DIRECTIONS = 3
"""Number of random directions that each head's output is projected onto."""

OutputKey = tuple[str, int, int]
"""What was seen: ``attention``, ``layer`` or ``result``; the module's id; the index of its call."""


@dataclass
class ModuleOutputs:
    """The outputs of one module in all its calls in a pass, or in the steps of ``generate``.

    Attributes
    ----------
    dtype
        The dtype of the outputs.
    blocks
        By call: projections of the rows, shape (items, rows, heads, directions), float32.
    norms
        By call: the norms of the same rows, shape (items, rows, heads); only in a second pass.
    """

    dtype: torch.dtype
    blocks: list[torch.Tensor] = field(default_factory=list)
    norms: list[torch.Tensor] = field(default_factory=list)


def unobserved(function: Function) -> Function:
    """Hide what a function reads of tensors from the user's function modes and subclasses."""

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        with without_torch_function():
            return function(*args)

    return wrapped  # type: ignore[return-value]


class Fingerprint:
    """Collects the outputs of a model's modules.

    Parameters
    ----------
    model
        The module whose calls are the passes.
    like
        The fingerprint of the user's pass, if this one is of a second pass.
    """

    def __init__(self, model: Any, like: Fingerprint | None = None) -> None:
        self.seen: dict[OutputKey, ModuleOutputs] = {}
        self.layer: OutputKey | None = None
        """The running layer; None outside of layers."""
        self._model = model
        self._like = like
        # The modules are kept, so that no other objects get their ids.
        self._own = {_id(part): origin(part) for part in model.modules()}
        self._layers = {_id(model), *_layers(model)}
        self._counts: Counter[tuple[str, int]] = Counter()
        self._attended = False
        self._directions: dict[Any, torch.Tensor] = {}
        self.fault: Exception | None = None

    def follows(self, module: Any) -> bool:
        """Whether a call of a module is to be made through `call`."""
        return _id(module) in self._layers and (self.layer is None or module is self._model)

    @hidden_frame
    def call(self, original: Callable[..., Any], module: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run the call of the model or of one of its layers, and note its output."""
        if module is self._model:
            self._counts.clear()
            result = original(module, *args, **kwargs)
            self._returned(result)
            return result
        self.layer, self._attended = self._key("layer", module), False
        try:
            result = original(module, *args, **kwargs)
            self._passed(self.layer, args, kwargs, result)
        finally:
            self.layer = None
        return result

    @unobserved
    def attended(self, module: Any, result: Any) -> OutputKey | None:
        """Note the output of an attention function; return None if it cannot be noted."""
        self._attended = True
        output = _first(result)
        if _id(module) not in self._own or output is None or output.ndim not in (3, 4):
            return None
        key = self._key("attention", module)
        self._note(key, output if output.ndim == 4 else output[:, :, None])
        return key

    @unobserved
    def _passed(self, key: OutputKey, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        """Note what a layer added to its input, if no attention was seen in it."""
        output = None if self._attended else _first(result)
        if output is None or output.ndim != 3:
            return
        given = (tensor for tensor in (*args, *kwargs.values()) if _plain(tensor))
        before = next((tensor for tensor in given if tensor.shape == output.shape), None)
        self._note(key, output[:, :, None], None if before is None else before[:, :, None])

    @unobserved
    def _returned(self, result: Any) -> None:
        """Note the output of the model itself, if nothing was seen inside of it."""
        key = ("result", _id(self._model), 0)
        inner = any(other != key for other in self.seen)
        if inner if self._like is None else key not in self._like.seen:
            return
        output = _first(result)
        if output is not None and output.ndim == 3:
            self._note(key, output[:, :, None])

    def _key(self, kind: str, module: Any) -> OutputKey:
        identity = _id(module)
        count = self._counts[kind, identity]
        self._counts[kind, identity] += 1
        return kind, identity, count

    def _note(
        self, key: OutputKey, output: torch.Tensor, before: torch.Tensor | None = None
    ) -> None:
        """Store the projections of the rows; never raises."""
        if self.fault is not None:
            return
        try:
            with _alone(output.device.type):
                rows = output.float()
                if before is not None:
                    rows = rows - before.float()
                seen = self.seen.setdefault(key, ModuleOutputs(output.dtype))
                seen.blocks.append(rows @ self._projection(rows))
                if self._like is not None:
                    seen.norms.append(rows.norm(dim=-1))
        except Exception as fault:
            log.exception("attnlab could not note what a module returned")
            self.fault = without_traceback(fault)
            self.seen.clear()  # Without these numbers, nothing is confirmed.

    def _projection(self, output: torch.Tensor) -> torch.Tensor:
        import torch

        known = (int(output.shape[-1]), output.device)
        if known not in self._directions:
            generator = torch.Generator("cpu").manual_seed(0)
            shape = (known[0], DIRECTIONS)
            drawn = torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
            self._directions[known] = drawn.to(output.device)
        return self._directions[known]


def _alone(device: str) -> AbstractContextManager[Any]:
    """Hide a computation from the user's modes, gradients and autocast; cheap if there are none."""
    import torch

    if not (has_dispatch_modes() or torch.is_grad_enabled() or torch.is_autocast_enabled(device)):
        return nullcontext()
    stack = ExitStack()
    stack.enter_context(without_dispatch_modes())
    stack.enter_context(torch.no_grad())
    stack.enter_context(torch.autocast(device, enabled=False))
    return stack


def _layers(model: Any) -> set[int]:
    """Find the modules in module lists: the layers of a model."""
    import torch

    lists = [part for part in model.modules() if issubclass(type(part), torch.nn.ModuleList)]
    return {_id(part) for layers in lists for part in children_of(layers)}


def _id(module: Any) -> int:
    """Identify a module; its copies have the same identity."""
    return id(origin(module))


def _first(result: Any) -> torch.Tensor | None:
    """Return the first floating-point tensor of a result."""
    # Nearly all modules and attention functions return a tensor, or a tuple that starts with one.
    first = result[0] if type(result) is tuple and result else result
    if _plain(first):
        return first  # type: ignore[no-any-return]
    return next((leaf for leaf in leaves(result) if _plain(leaf)), None)


def _plain(value: Any) -> bool:
    import torch

    return (
        type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.is_floating_point()
        and value.layout is torch.strided
        and not (value.is_meta or value.is_nested)
        and not is_functorch_wrapped(value)
    )
