"""How the tap treats each of PyTorch's operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture import layout, mixing, products, scoring
from attnlab.capture.composites import composite

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.matrix import Lineage
    from attnlab.capture.tap import Tap

    Followed = Lineage | list[Lineage | None] | None
    Follow = Callable[[Tap, tuple[Any, ...], Any, Any], Followed]


@dataclass(frozen=True)
class Operation:
    """How the tap treats one operation.

    Attributes
    ----------
    name
        Without the overload's.
    follow
        Tells what the result is; None where nothing special is known.
    views
        Whether the result is a view of an operand.
    writes
        Whether it changes its first operand.
    pointwise
        Whether each number of the result is computed from those at its own place.
    composite
        Whether PyTorch computes it by other operations, which inference mode does not show.
    begins
        Whether it may be of attention whatever its operands are.
    """

    name: str
    follow: Follow | None
    views: bool = False
    writes: bool = False
    pointwise: bool = False
    composite: bool = False
    begins: bool = False

    @property
    def base(self) -> str:
        """Name of the form that is not in place."""
        return self.name.removesuffix("_")


def operation(func: Any, told: frozenset[str]) -> Operation:
    """Look an operation up; `told` are the names of kernels that the tap must see."""
    if not isinstance(func, torch._ops.OpOverload):
        return Operation(str(func), None)
    name = func.overloadpacket.__name__
    schema = func._schema
    aliases = [out.alias_info for out in schema.returns]
    own = name.removesuffix("_") if name.removesuffix("_") in TABLE else name
    follow = TABLE.get(own)
    return Operation(
        name,
        follow,
        views=any(alias is not None and not alias.is_write for alias in aliases),
        writes=schema.is_mutable,
        pointwise=torch.Tag.pointwise in func.tags or own in mixing.KEEPS_SHAPE,
        composite=composite(func),
        begins=name in told or own in BEGINNINGS,
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
    "scatter": mixing.scatter,
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
"""By name, an in-place form's without its last "_"."""
