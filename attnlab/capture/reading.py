"""One call of a module that was given a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from attnlab.capture.inputs import Inputs, Rows


@dataclass(eq=False)
class Reading:
    """One call of a module that was given a text, or the outermost call.

    Attributes
    ----------
    module
        The module that was called.
    inputs
        What it was given.
    parent
        The reading in which the call was made; None for the outermost.
    claims
        Vectors and matrices of whole numbers that it was given. Under a name of their own they
        are ids where an embedding layer inside is given them.
    named
        Whether it was given ids under the name that transformers has for them.
    known
        Whether its ids are known.
    mixed
        Whether several texts were embedded in it: of which its own attention is, is not known.
    table
        The embedding layer that was given its ids.
    times
        How often it was given them.
    embeds
        Whether that was done in this call, not in a reading inside of it.
    beside
        Whether it stands for what runs in the call beside the reading of its text.
    """

    module: Any
    inputs: Inputs
    parent: Reading | None = None
    claims: list[torch.Tensor] = field(default_factory=list)
    named: bool = False
    known: bool = False
    mixed: bool = False
    table: Any = None
    times: int = 0
    embeds: bool = False
    beside: bool = False

    @property
    def reads(self) -> bool:
        """Whether it is of one text, whose ids are known."""
        return self.known and not self.mixed

    @property
    def around(self) -> Iterator[Reading]:
        """List the reading and those around it, the outermost last."""
        own: Reading | None = self
        while own is not None:
            yield own
            own = own.parent

    @property
    def nearest(self) -> Reading:
        """The innermost of these whose ids are known; else the outermost."""
        return next(own for own in self.around if own.known or own.parent is None)

    @property
    def repeats(self) -> bool:
        """Whether it is of the very text of the reading around it, which is read once."""
        if self.parent is None:
            return False
        outer = self.parent.nearest
        if not outer.reads or outer.times > 1:
            return False
        own = (self.inputs.ids, self.inputs.decoder)
        return own in ((outer.inputs.ids, None), (outer.inputs.ids, outer.inputs.decoder))

    @property
    def text(self) -> Reading:
        """The outermost reading of the same text."""
        return self.parent.nearest.text if self.parent is not None and self.repeats else self

    def claimed(self, ids: torch.Tensor) -> bool:
        """Whether it was given these ids."""
        return any(_same(ids, own) for own in self.claims)

    def embedded(self, ids: Rows | None, table: Any, *, text: bool) -> bool:
        """Learn that an embedding layer inside was given ids that it claims.

        Returns
        -------
        bool
            Whether they are a text, as `text` says where that is known. What stands beside a
            text, types and positions, has tables of its own.
        """
        if not self.known:
            self.inputs.ids, self.known = ids, ids is not None
        elif ids not in (self.inputs.ids, self.inputs.decoder):
            if not text and table is not self.table:
                return False
            self.mixed = True
        self.table = self.table or table
        self.times += table is self.table
        return True


def may_be_ids(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether a value is a vector or matrix of whole numbers that can be read."""
    import torch

    return (
        type(value) is torch.Tensor
        and value.dtype in (torch.int64, torch.int32)
        and value.layout is torch.strided
        and not value.is_meta
        and not value.is_nested
        and value.ndim in (1, 2)
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one is other:
        return True
    return one.shape == other.shape and one.tolist() == other.tolist()
