"""Operations that PyTorch computes by other operations, as they reach a mode in inference mode.

Elsewhere a dispatch mode sees only their parts, as autograd takes them apart before. Inference
mode hands them over whole, with some of the dispatcher's layers switched off for whatever a
mode calls. Their parts would then run without these layers, and give other numbers: a matrix
product chooses its kernel by whether a view of a parameter requires gradients, and autocast
misses the products inside an einsum. So the layers are switched on again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.frames import between

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = torch._C.DispatchKey.CompositeImplicitAutograd

LAYERS = (
    torch._C.DispatchKey.ADInplaceOrView,
    torch._C.DispatchKey.Conjugate,
    torch._C.DispatchKey.Negative,
    torch._C.DispatchKey.ZeroTensor,
)
"""Layers between a call in inference mode and the kernel, which modes come behind."""


def composite(func: Any) -> bool:
    """Whether PyTorch computes an operation by others."""
    return _knows(func.name(), KEY)


def _knows(name: str, layer: Any) -> bool:
    """Whether a layer of the dispatcher has a kernel of its own for an operation."""
    # Some operations on sizes, e.g. sym_size, are unknown to the dispatcher, which raises then.
    own = torch._C._dispatch_has_kernel(name)
    return bool(own and torch._C._dispatch_has_kernel_for_dispatch_key(name, layer))


class Composites:
    """Runs composite operations for a mode as they run without it."""

    def __init__(self) -> None:
        self._passed: frozenset[Any] = frozenset()
        """Layers that an operation around this one has passed, which its parts do not."""
        self._casts: list[tuple[int, list[Any]]] = [_casts()]
        """By module that runs: how deep in contexts of autocast, and the layers in force there."""

    def enter(self) -> None:
        """Know that a module is about to run. Whether autocast is on cannot be asked later."""
        self._casts.append(_casts() if torch.is_inference_mode_enabled() else (0, []))

    def leave(self) -> None:
        """Know that it has run."""
        self._casts.pop()

    @between
    def run(self, func: Any, args: tuple[Any, ...], kwargs: Any, mode: Any | None = None) -> Any:
        """Compute a composite operation; a `mode` that is given sees its parts."""
        with self._as_without(func):
            if mode is None:
                return func(*args, **kwargs)
            with mode:
                return func._op_dk(KEY, *args, **kwargs)

    @contextmanager
    def _as_without(self, func: Any) -> Iterator[None]:
        before, name = self._passed, func.name()
        layers = [*LAYERS, *self._casting()]
        # A layer that knows the operation itself comes before a mode, and not again.
        self._passed = before | {layer for layer in layers if _knows(name, layer)}
        try:
            with ExitStack() as stack:
                for layer in layers:
                    if layer not in self._passed:
                        guard = torch._C._SetExcludeDispatchKeyGuard(layer, False)
                        stack.enter_context(guard)
                yield
        finally:
            self._passed = before

    def _casting(self) -> list[Any]:
        """List the layers of autocast that are in force; a context inside a module switches off."""
        depth, layers = self._casts[-1]
        return layers if depth == _depth() else []


def _casts() -> tuple[int, list[Any]]:
    depth = _depth()
    layers = [
        getattr(torch._C.DispatchKey, f"Autocast{device.upper()}")
        for device in ("cpu", "cuda", "xpu", "mps")
        if depth and torch.is_autocast_enabled(device)
    ]
    return depth, layers


def _depth() -> int:
    """Count the contexts of autocast around the current operation."""
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())
