"""The record of one attention call: everything that its weights are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attnlab.capture.record.terms import tensor_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from attnlab.capture.record.rotary_sample import RotarySample
    from attnlab.capture.record.terms import Term

Kind = Literal["encoder", "decoder", "cross"]

CaptureMethod = Literal["interface", "tap", "replay", "returned"]
"""How a call was captured: at transformers' attention interface; by the tap on softmax and
matrix products; either of them in a second forward pass; or only as returned by the model.
"""


@dataclass(frozen=True, eq=False)
class EarlierKeys:
    """Keys and values that changed later, e.g. when a quantized cache rounded them.

    Attributes
    ----------
    stop
        The queries before this one attended to these keys, from the `stop` of the ones before on.
    key, value
        As in `AttentionRecord`; `value` is None if it was not seen.
    """

    stop: int
    key: torch.Tensor
    value: torch.Tensor | None


@dataclass(frozen=True, eq=False, repr=False)
class AttentionRecord:
    """The arguments of one attention call.

    Tensors are copies in the model's dtype without gradients, so later changes of a cache do not
    affect them. All except `weights` are present if the weights are the softmax of a product of
    queries and keys. Otherwise `weights` are present; `query`, `key` and `terms` beside them are
    then what they were computed from, if that is known.

    Attributes
    ----------
    name
        Path of the attention module in the model that was called.
    stack
        The path with the layers' numbers replaced by ``#``: calls of the same stack of layers,
        e.g. of a vision tower, have the same.
    kind
        ``cross`` if the keys come from another sequence, ``decoder`` if a query attends only to
        itself and earlier positions, else ``encoder``.
    layer
        The model's number of the layer.
    method
        How the call was captured.
    value
        Shape (items, groups, keys, value width); None if it was not seen.
    query
        Shape (items, heads, queries, width), after rotary embedding.
    key
        Shape (items, groups, keys, width); head ``h`` uses group ``h // (heads // groups)``.
    terms
        The operations of the model between q·k and the softmax, in order.
    sinks
        Shape (heads,): a score that takes part in the softmax and is then dropped.
    weights
        Shape (items, heads, queries, keys): the matrix that multiplied the values, if it is not
        the softmax of the scores.
    softened
        Whether `weights` were computed from the softmax of the scores, e.g. gated or normalized.
    rows
        Indices of the queries whose output was kept.
    output
        Shape (items, len(rows), heads, value width): the output of the model's kernel there.
    doubt
        Why `output` cannot confirm the weights (e.g. dropout); empty if it can.
    caveat
        What it means if `output` does not confirm the weights; empty if unknown.
    rotary_sample
        Outputs of the module's parts before it attended, in this call or an earlier one; None if
        they were not seen.
    depth
        Number of layers of the stack, including those without attention; 0 if unknown.
    earlier
        Other keys and values that earlier queries attended to, in the order of their queries.
    """

    name: str
    stack: str
    kind: Kind
    layer: int
    method: CaptureMethod
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
    rotary_sample: RotarySample | None = None
    depth: int = 0
    earlier: tuple[EarlierKeys, ...] = ()

    def __post_init__(self) -> None:
        if (self.query is None) != (self.key is None):
            raise ValueError("a record has both queries and keys, or neither")
        if self.query is None and self.weights is None:
            raise ValueError("a record has queries and keys, or weights")

    def __repr__(self) -> str:
        return f"<AttentionRecord {self.name}: {self.kind} {self.layer}, {self.shape}>"

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

    def keys_of(self, query: int) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return the keys and values that a query attended to."""
        for earlier in self.earlier:
            if query < earlier.stop:
                return earlier.key, earlier.value
        return self.key, self.value

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors of the record, to account for memory; several records may share one."""
        stored = (self.query, self.key, self.value, self.sinks, self.weights, self.output)
        changed = [tensor for keys in self.earlier for tensor in (keys.key, keys.value)]
        sampled = () if self.rotary_sample is None else self.rotary_sample.tensors
        all_tensors = (*stored, *changed, *sampled, *map(tensor_of, self.terms))
        return [tensor for tensor in all_tensors if tensor is not None]


def nbytes(records: Iterable[AttentionRecord]) -> int:
    """Return the memory that records take, in bytes; memory that they share counts once."""
    sizes = {}
    for record in records:
        for tensor in record.tensors:
            # A view keeps the memory of the whole tensor.
            storage = tensor.untyped_storage()
            sizes[tensor.device, storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())
