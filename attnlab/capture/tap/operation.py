"""The rule by which the tap treats an operation of PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.tap.context import TapContext
    from attnlab.capture.tap.matrix import Lineage

    Followed = Lineage | list[Lineage | None] | None
    Follow = Callable[[TapContext, tuple[Any, ...], Any, Any], Followed]


@dataclass(frozen=True)
class Operation:
    """How the tap treats one operation.

    Attributes
    ----------
    name
        Name of the operation, without the overload.
    follow
        Describes the result; None if there is no specific rule.
    views
        Whether the result is a view of an operand.
    writes
        Whether it changes its first operand.
    pointwise
        Whether each number of the result is computed from those at the same position.
    composite
        Whether PyTorch computes it by other operations, which inference mode does not show.
    begins
        Whether it may be part of an attention whatever its operands are.
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
        """The name of the operation that is not in place."""
        return self.name.removesuffix("_")
