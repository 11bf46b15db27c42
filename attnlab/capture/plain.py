"""Which tensors hold their numbers in memory as they are, so that they can be followed.

PyTorch has many other kinds: nested, sparse, quantized, fake and meta tensors, tensors inside
a transformation of ``torch.func``, and subclasses that dispatch their operations themselves.
Reading such a tensor can raise, or run code of its class, so it is never touched.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def plain(value: Any) -> bool:
    """Whether a value is a tensor whose numbers are at its address, one after the other."""
    return (
        isinstance(value, torch.Tensor)
        and _ordinary(type(value))
        and value.layout is torch.strided
        and not value.is_nested
        and not value.is_quantized
        and not value.is_meta
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
        and not value._is_zerotensor()
        and value.numel() > 0
    )


@cache
def _ordinary(kind: type) -> bool:
    """Whether a class of tensors leaves every operation to PyTorch's own kernels."""
    dispatch = getattr(kind, "__torch_dispatch__", None)
    return dispatch is getattr(torch.Tensor, "__torch_dispatch__", None)


def unusual(values: Iterable[Any]) -> torch.Tensor | None:
    """Find the first tensor that is not plain, also inside a list of tensors."""
    return next((own for own in tensors(values) if not plain(own)), None)


def tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """List the tensors among some operands."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (own for own in value if isinstance(own, torch.Tensor))


def kind_of(tensor: torch.Tensor) -> str:
    """Name what kind of tensor one is that is not plain."""
    if not _ordinary(type(tensor)):
        layout = "jagged " if _jagged(tensor) else ""
        return f"{layout}tensors of the class {type(tensor).__name__}"
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "tensors inside a torch.func transformation"
    if tensor.is_nested:
        return "nested tensors"
    if tensor.is_quantized:
        return "quantized tensors"
    if tensor.is_meta:
        return "tensors on the meta device, which hold no numbers"
    if tensor.layout is not torch.strided:
        return f"tensors with the layout {tensor.layout}"
    return "tensors without any numbers"


def _jagged(tensor: torch.Tensor) -> bool:
    nested = getattr(torch, "nested", None)
    return nested is not None and type(tensor).__module__.startswith(nested.__name__ + ".")
