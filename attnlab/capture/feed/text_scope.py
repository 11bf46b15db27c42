"""The call of a module that was given a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from attnlab.capture.torch_internals import is_functorch_wrapped

if TYPE_CHECKING:
    import torch

    from attnlab.capture.feed.model_inputs import ModelInputs, Rows


@dataclass(eq=False)
class TextScope:
    """One call of a module that was given a text, or the outermost call.

    Attributes
    ----------
    module
        The module that was called.
    inputs
        Its arguments.
    parent
        The scope in which the call was made; None for the outermost.
    claims
        Integer vectors and matrices among its arguments. If their name is unusual, they are ids
        if an embedding layer inside is called with them.
    named
        Whether ids were passed under the name that transformers uses.
    known
        Whether its ids are known.
    mixed
        Whether several texts were embedded in it, so that the text of its attention is unknown.
    table
        The embedding layer that was called with its ids.
    times
        How often that layer was called with them.
    embeds
        Whether that happened in this call, not in a scope inside of it.
    beside
        Whether it represents what else runs in the call, beside the scope of its text.
    """

    module: Any
    inputs: ModelInputs
    parent: TextScope | None = None
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
        """Whether it belongs to a single text, whose ids are known."""
        return self.known and not self.mixed

    @property
    def around(self) -> list[TextScope]:
        """The scope and those around it, the outermost last."""
        return [self] if self.parent is None else [self, *self.parent.around]

    @property
    def nearest(self) -> TextScope:
        """The innermost of these scopes whose ids are known; else the outermost."""
        scope = self
        while not scope.known and scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def repeats(self) -> bool:
        """Whether it has the same text as the scope around it, if that reads its text only once."""
        if self.parent is None:
            return False
        outer = self.parent.nearest
        if not outer.reads or outer.times > 1:
            return False
        texts = (self.inputs.ids, self.inputs.decoder)
        ids, decoder = outer.inputs.ids, outer.inputs.decoder
        # If the encoder ran before, a module inside is given the decoder's text alone.
        alone = decoder is not None and texts == (decoder, None)
        return alone or texts in ((ids, None), (ids, decoder))

    @property
    def text(self) -> TextScope:
        """The outermost scope with the same text."""
        return self.parent.nearest.text if self.parent is not None and self.repeats else self

    def claimed(self, ids: torch.Tensor) -> bool:
        """Whether it was given these ids."""
        return any(_same(ids, claim) for claim in self.claims)

    def embedded(self, ids: Rows | None, table: Any, *, text: bool) -> bool:
        """Note that an embedding layer inside was called with ids among the scope's claims.

        Returns
        -------
        bool
            Whether they are a text; `text` is the answer if it is known. Token types and positions
            beside a text are embedded by other layers.
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
    """Whether a value is an integer vector or matrix that can be read."""
    import torch

    return (
        type(value) is torch.Tensor
        and value.dtype in (torch.int64, torch.int32)
        and value.layout is torch.strided
        and not value.is_meta
        and not value.is_nested
        and value.ndim in (1, 2)
        and not is_functorch_wrapped(value)
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one is other:
        return True
    return one.shape == other.shape and one.tolist() == other.tolist()
