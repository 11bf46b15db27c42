"""One attention call: everything that its weights follow from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attnlab.capture.terms import tensor_of

if TYPE_CHECKING:
    import torch

    from attnlab.capture.projections import Unturned
    from attnlab.capture.terms import Term

Kind = Literal["encoder", "decoder", "cross"]

Tier = Literal["interface", "tap", "replayed", "output_attentions"]
"""How a call was read: at transformers' attention interface; by the tap on softmax and
products; either of them in a second forward pass; or only as the model returned it."""


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """What one attention call was given.

    Tensors are private copies in the model's own dtype without gradients: a cache that is
    overwritten later does not reach them. All but `weights` are there where the weights are the
    softmax of a product of queries with keys. `weights` are there where they are anything else;
    `query`, `key` and `terms` beside them are then what they were made from, where that is known.

    Attributes
    ----------
    name
        Path of the attention module in the model that was called.
    stack
        The same with the layers' numbers replaced by ``#``: calls of one stack of layers,
        e.g. of a vision tower, have one.
    kind
        ``cross`` where the keys come from another sequence, ``decoder`` where a query
        sees only what precedes it, else ``encoder``.
    layer
        The model's own number of the layer.
    tier
        How the call was read.
    value
        Shape (items, groups, keys, value width); None where it was not seen.
    query
        Shape (items, heads, queries, width), after rotary embedding.
    key
        Shape (items, groups, keys, width); head ``h`` reads group ``h // (heads // groups)``.
    terms
        What the model does to q·k before the softmax, in order.
    sinks
        Shape (heads,): a score that takes part in the softmax and is then dropped.
    weights
        Shape (items, heads, queries, keys): what multiplied the values, where it is not the
        softmax of the scores.
    softened
        Whether `weights` were made from the softmax of the scores, e.g. gated or renormalized.
    rows
        Indices of the queries whose output was kept.
    output
        Shape (items, len(rows), heads, value width): what the model's own kernel returned
        there.
    doubt
        Why `output` cannot confirm the weights (e.g. dropout); empty where it can.
    caveat
        What it means where `output` does not confirm the weights; empty where that is not known.
    unturned
        What the parts of the module gave before it attended, in this call or an earlier one;
        None where that was not seen.
    depth
        How many layers the stack has, with those that have no attention; 0 if not known.
    """

    name: str
    stack: str
    kind: Kind
    layer: int
    tier: Tier
    value: torch.Tensor | None = None
    query: torch.Tensor | None = None
    key: torch.Tensor | None = None
    terms: tuple[Term, ...] = ()
    sinks: torch.Tensor | None = None
    weights: torch.Tensor | None = None
    softened: bool = False
    rows: tuple[int, ...] = ()
    output: torch.Tensor | None = None
    doubt: str = ""
    caveat: str = ""
    unturned: Unturned | None = None
    depth: int = 0

    def __post_init__(self) -> None:
        if (self.query is None) != (self.key is None):
            raise ValueError("a record has both queries and keys, or neither")
        if self.query is None and self.weights is None:
            raise ValueError("a record has queries and keys, or weights")

    def __repr__(self) -> str:
        return f"<Record {self.name}: {self.kind} {self.layer}, {self.shape}>"

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """(items, heads, queries, keys)."""
        if self.query is not None and self.key is not None:
            items, heads, queries, _ = self.query.shape
            return int(items), int(heads), int(queries), int(self.key.shape[2])
        assert self.weights is not None
        items, heads, queries, keys = self.weights.shape
        return int(items), int(heads), int(queries), int(keys)

    @property
    def items(self) -> int:
        """Number of batch items that were kept."""
        return self.shape[0]

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return self.shape[1]

    @property
    def groups(self) -> int:
        """Number of key/value heads."""
        return self.heads if self.key is None else int(self.key.shape[1])

    @property
    def queries(self) -> int:
        """Number of query positions."""
        return self.shape[2]

    @property
    def keys(self) -> int:
        """Number of key positions."""
        return self.shape[3]

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors held, for the accounting of memory; several records may share one."""
        own = (self.query, self.key, self.value, self.sinks, self.weights, self.output)
        seen = () if self.unturned is None else self.unturned.tensors
        held = (*own, *seen, *map(tensor_of, self.terms))
        return [tensor for tensor in held if tensor is not None]
