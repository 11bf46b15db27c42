"""The rules for the operations of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.tap import elementwise, layout, products, scoring
from attnlab.capture.tap.operation import Operation
from attnlab.capture.torch_internals import is_composite, is_operation, schema_of

if TYPE_CHECKING:
    from attnlab.capture.tap.operation import Follow


def lookup(func: Any, seen: frozenset[str]) -> Operation:
    """Look an operation up; `seen` are the names of kernels that the tap must see."""
    if not is_operation(func):
        return Operation(str(func), None)
    name = func.overloadpacket.__name__
    schema = schema_of(func)
    aliases = [out.alias_info for out in schema.returns]
    base = name.removesuffix("_") if name.removesuffix("_") in TABLE else name
    follow = TABLE.get(base)
    return Operation(
        name,
        follow,
        views=any(alias is not None and not alias.is_write for alias in aliases),
        writes=schema.is_mutable,
        pointwise=torch.Tag.pointwise in func.tags or base in elementwise.KEEPS_SHAPE,
        composite=is_composite(func),
        begins=name in seen or base in BEGINNINGS,
    )


BEGINNINGS = frozenset(
    {"bmm", "mm", "baddbmm", "_softmax", "_safe_softmax", "softmax", "bernoulli"}
)

TABLE: dict[str, Follow] = {
    **dict.fromkeys(("bmm", "mm"), products.product),
    "addmm": products.added_product,
    "baddbmm": products.added_product,
    "convolution": products.convolution,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten",
         "unflatten", "view_as", "reshape_as"),
        layout.view,
    ),
    "expand": layout.expand,
    **dict.fromkeys(
        ("alias", "detach", "clone", "contiguous", "_to_copy", "to", "type_as", "lift_fresh"),
        layout.same,
    ),
    **dict.fromkeys(("permute", "transpose", "t", "swapaxes", "swapdims"), layout.permute),
    **dict.fromkeys(("slice", "narrow", "constant_pad_nd"), layout.resize),
    **dict.fromkeys(("topk", "index_select"), layout.pick),
    "select": layout.select,
    "index": layout.index,
    "unbind": layout.unbind,
    **dict.fromkeys(
        ("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"), layout.split
    ),
    **dict.fromkeys(("cat", "stack"), layout.join),
    "scatter": elementwise.scatter,
    "mul": scoring.multiply,
    "div": scoring.divide,
    "add": scoring.add,
    "sub": scoring.subtract,
    "masked_fill": scoring.masked_fill,
    "where": scoring.where,
    **dict.fromkeys(("maximum", "clamp_min", "clamp"), scoring.floor),
    "tanh": scoring.tanh,
    **dict.fromkeys(("native_dropout", "dropout"), scoring.dropout),
    "bernoulli": scoring.bernoulli,
    **dict.fromkeys(("_softmax", "_safe_softmax", "softmax"), scoring.softmax),
}  # fmt: skip
"""Rules by name; the name of an in-place operation is without its last "_"."""
