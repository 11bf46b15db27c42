"""Recognizes tensors whose numbers are stored in memory directly, so that they can be followed.

PyTorch has many other kinds: nested, sparse, quantized, fake and meta tensors, tensors inside
a transformation of ``torch.func``, and subclasses that dispatch their operations themselves.
Reading such a tensor can raise an exception or run code of its class, so it is never read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.torch_internals import is_functorch_wrapped, is_zero_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def is_plain(value: Any) -> bool:
    """Whether a value is a tensor whose numbers are stored at its address."""
    return (
        isinstance(value, torch.Tensor)
        and _ordinary(type(value))
        and value.layout is torch.strided
        and not value.is_nested
        and not value.is_quantized
        and not value.is_meta
        and not is_functorch_wrapped(value)
        and not is_zero_tensor(value)
        and value.numel() > 0
    )


@cache
def _ordinary(kind: type) -> bool:
    """Whether a class of tensors leaves every operation to PyTorch's kernels."""
    dispatch = getattr(kind, "__torch_dispatch__", None)
    return dispatch is getattr(torch.Tensor, "__torch_dispatch__", None)


def first_unusual(values: Iterable[Any]) -> torch.Tensor | None:
    """Return the first tensor that is not plain, also inside a list of tensors."""
    return next((tensor for tensor in tensors(values) if not is_plain(tensor)), None)


def tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Yield the tensors among some operands, also inside lists and tuples."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, torch.Tensor))


def kind_of(tensor: torch.Tensor) -> str:
    """Name the kind of a tensor that is not plain."""
    if not _ordinary(type(tensor)):
        layout = "jagged " if _jagged(tensor) else ""
        return f"{layout}tensors of the class {type(tensor).__name__}"
    if is_functorch_wrapped(tensor):
        return "tensors inside a torch.func transformation"
    if tensor.is_nested:
        return "nested tensors"
    if tensor.is_quantized:
        return "quantized tensors"
    if tensor.is_meta:
        return "tensors on the meta device, which have no numbers"
    if tensor.layout is not torch.strided:
        return f"tensors with the layout {tensor.layout}"
    return "tensors without any numbers"


def _jagged(tensor: torch.Tensor) -> bool:
    nested = getattr(torch, "nested", None)
    return nested is not None and type(tensor).__module__.startswith(nested.__name__ + ".")
