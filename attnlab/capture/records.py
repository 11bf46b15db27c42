"""One attention call: everything that its weights follow from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Kind = Literal["encoder", "decoder", "cross"]


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """What one attention call was given, for the first item of its batch.

    Tensors are private copies in the model's own dtype, on its own device, without
    gradients: a cache that is overwritten later does not reach them.

    Attributes
    ----------
    name
        Path of the attention module in the model that was called.
    kind
        ``cross`` where the keys come from another sequence, ``decoder`` where a query
        sees only what precedes it, else ``encoder``.
    layer
        The model's own number of the layer.
    query
        Shape (heads, queries, width), after rotary embedding.
    key
        Shape (groups, keys, width); head ``h`` reads group ``h // (heads // groups)``.
    value
        Shape (groups, keys, value width).
    scale
        Factor of the dot product.
    softcap
        Scores become ``softcap * tanh(score / softcap)``; None for none.
    bias
        Added to the scores, e.g. T5's; broadcasts to (heads, queries, keys).
    mask
        Additive, or boolean with True for "may attend"; broadcasts to (heads, queries, keys).
    causal
        Whether a query may not see keys after its own position.
    window
        A query sees only the last `window` positions up to its own; None for all.
    offset
        Position of the first query among the keys, for `causal` and `window`.
    sinks
        Shape (heads,): a score that takes part in the softmax and is then dropped.
    rows
        Indices of the queries whose output was kept.
    output
        Shape (len(rows), heads, value width): what the model's own kernel returned there.
    doubt
        Why `output` cannot confirm the weights (e.g. dropout); empty where it can.
    """

    name: str
    kind: Kind
    layer: int
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    scale: float
    softcap: float | None = None
    bias: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    causal: bool = False
    window: int | None = None
    offset: int = 0
    sinks: torch.Tensor | None = None
    rows: tuple[int, ...] = ()
    output: torch.Tensor | None = None
    doubt: str = ""

    def __repr__(self) -> str:
        return f"<Record {self.name}: {self.kind} {self.layer}, {tuple(self.query.shape)}>"

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return int(self.query.shape[0])

    @property
    def groups(self) -> int:
        """Number of key/value heads."""
        return int(self.key.shape[0])

    @property
    def queries(self) -> int:
        """Number of query positions."""
        return int(self.query.shape[1])

    @property
    def keys(self) -> int:
        """Number of key positions."""
        return int(self.key.shape[1])

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors held, for the accounting of memory; several records may share one."""
        held = (self.query, self.key, self.value, self.bias, self.mask, self.sinks, self.output)
        return [tensor for tensor in held if tensor is not None]
