"""Runs composite operations, which PyTorch computes by others, as they run without a mode.

Usually a dispatch mode sees only the parts of such an operation, as autograd decomposes it first.
In inference mode, the mode receives the whole operation, with some of the dispatcher's layers
disabled for everything that the mode calls. The parts would then run without these layers, and the
results would differ: a matrix product chooses its kernel by whether a view of a parameter requires
gradients, and autocast misses the products inside an einsum. So the layers are enabled again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture import torch_internals
from attnlab.capture.guards.frames import hidden_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.guards.user_call import UserCall


class Composites:
    """Runs composite operations for a mode."""

    def __init__(self) -> None:
        self._passed: frozenset[Any] = frozenset()
        """Layers that an operation around this one has passed; its parts skip them."""
        self._casts: list[tuple[int, list[Any]]] = [_casts()]
        """By running module: the number of nested autocast contexts, and the enabled layers."""

    def enter(self) -> None:
        """Note that a module is about to run; the state of autocast cannot be read later."""
        self._casts.append(_casts() if torch.is_inference_mode_enabled() else (0, []))

    def leave(self) -> None:
        """Note that it has ended."""
        self._casts.pop()

    @hidden_frame
    def run(
        self, call: UserCall, args: tuple[Any, ...], kwargs: Any, mode: Any | None = None
    ) -> Any:
        """Compute a composite operation; a `mode` that is given sees its parts."""
        func: Any = call.original
        with self._as_without(func):
            if mode is None:
                return call(*args, **kwargs)
            with mode:
                return call.through(torch_internals.decomposed(func), *args, **kwargs)

    @contextmanager
    def _as_without(self, func: Any) -> Iterator[None]:
        before, name = self._passed, func.name()
        layers = [*torch_internals.inference_layers(), *self._casting()]
        # A layer with a kernel for the operation itself runs before a mode, and only once.
        self._passed = before | {
            layer for layer in layers if torch_internals.has_kernel(name, layer)
        }
        try:
            with ExitStack() as stack:
                for layer in layers:
                    if layer not in self._passed:
                        stack.enter_context(torch_internals.layer_enabled(layer))
                yield
        finally:
            self._passed = before

    def _casting(self) -> list[Any]:
        """List the enabled layers of autocast; none in an autocast context inside the module."""
        depth, layers = self._casts[-1]
        return layers if depth == _depth() else []


def _casts() -> tuple[int, list[Any]]:
    depth = _depth()
    layers = [
        torch_internals.autocast_layer(device)
        for device in ("cpu", "cuda", "xpu", "mps")
        if depth and torch.is_autocast_enabled(device)
    ]
    return depth, layers


def _depth() -> int:
    """Return the number of nested autocast contexts around the current operation."""
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())
