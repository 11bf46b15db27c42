"""What one step of ``generate`` computed: copies of its queries and of the keys that it added."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.terms import Causal, Window, identity_of, mapped, tensor_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.terms import Term

SiteKey = tuple[int, int]
"""The id of a module, and how often it had attended before in the same pass."""


@dataclass(eq=False, slots=True)
class Attention:
    """One attention call with the model's own tensors; the attributes are those of a record."""

    query: torch.Tensor | None
    key: torch.Tensor | None
    value: torch.Tensor | None
    output: torch.Tensor | None
    terms: tuple[Term, ...]
    weights: torch.Tensor | None = None
    doubt: str = ""

    @classmethod
    def of(cls, record: AttentionRecord) -> Attention:
        """Take the tensors of a record."""
        names = ("query", "key", "value", "output", "terms", "weights", "doubt")
        return cls(*(getattr(record, name) for name in names))

    @property
    def queries(self) -> int:
        """Number of queries."""
        tensor = self.query if self.query is not None else self.weights
        assert tensor is not None
        return int(tensor.shape[2])

    @property
    def keys(self) -> int:
        """Number of keys."""
        if self.key is not None:
            return int(self.key.shape[2])
        assert self.weights is not None
        return int(self.weights.shape[3])


@dataclass(eq=False, slots=True)
class StepCall:
    """What is known of an attention call of a step beside its queries and new keys and values.

    Attributes
    ----------
    keys
        Number of keys that it was given. If these are fewer than the tokens up to the step's end,
        they are the newest; if more, a static cache has unused keys at its end.
    terms
        The terms of its weights, for the step's new queries.
    weights
        Shape (items, heads, queries, keys); None if they follow from queries and keys.
    doubt
        As in `AttentionRecord`.
    changed
        All keys and values that it was given, if they are not those of earlier steps followed by
        those that this step added. Otherwise None.
    """

    keys: int
    terms: tuple[Term, ...]
    weights: torch.Tensor | None = None
    doubt: str = ""
    changed: tuple[torch.Tensor, torch.Tensor] | None = None


@dataclass(eq=False, slots=True)
class Block:
    """Copies of calls of one shape.

    Calls of several layers are mostly the same but for these tensors, so they share one object:
    objects for each layer and step would have Python's garbage collector search all its objects.

    Attributes
    ----------
    sites
        By site, its index on the first axis of the tensors; the same object in most steps.
    calls
        By site, the call; `call` for sites that are missing.
    query
        Shape (calls, items, heads, new queries, width); None if only weights were seen.
    key, value
        Shape (calls, items, groups, new queries, width): those that the step added; None if it
        added none, as in cross attention.
    outputs
        By call, shape (items, 1, heads, width): the kernel's output for the last query; None if it
        was not kept.
    """

    query: torch.Tensor | None
    key: torch.Tensor | None
    value: torch.Tensor | None
    outputs: list[torch.Tensor] | None
    sites: Mapping[SiteKey, int]
    call: StepCall
    calls: dict[SiteKey, StepCall] | None = None

    def at(self, site: SiteKey) -> StepCall:
        """Return the call of a site."""
        return self.call if self.calls is None else self.calls.get(site, self.call)


@dataclass(eq=False, slots=True)
class Step:
    """One forward pass of ``generate``, after the first.

    Attributes
    ----------
    start
        Position of its first new token in the text.
    count
        Number of its new tokens. Without a cache, a step is also given all tokens before them.
    ids
        Shape (items, count): the ids of the new tokens; None if it was given embeddings.
    parents
        Shape (items,): by item, the item of the step before that it continues; None if each
        continues itself.
    blocks
        The tensors of its calls.
    """

    start: int
    count: int
    ids: torch.Tensor | None
    parents: torch.Tensor | None = None
    blocks: list[Block] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """Number of tokens after the step."""
        return self.start + self.count

    @property
    def sites(self) -> list[SiteKey]:
        """The sites that it called."""
        return [site for block in self.blocks for site in block.sites]

    def find(self, site: SiteKey) -> Block | None:
        """Return the block of a site; None if the site was not called."""
        return next((block for block in self.blocks if site in block.sites), None)

    @property
    def nbytes(self) -> int:
        """Memory that it takes, in bytes."""
        tensors = [
            tensor for block in self.blocks for tensor in (block.query, block.key, block.value)
        ]
        for block in self.blocks:
            for call in (block.call, *(block.calls or {}).values()):
                tensors += [call.weights, *(call.changed or ())]
        return sum(tensor.nbytes for tensor in tensors if tensor is not None)

    def drop_outputs(self) -> None:
        """Drop the kernels' outputs."""
        for block in self.blocks:
            block.outputs = None

    def keep_outputs(self) -> None:
        """Copy the kernels' outputs, which may be parts of larger tensors."""
        for block in self.blocks:
            if block.outputs is not None:
                block.outputs = [tensor.clone() for tensor in block.outputs]

    def pack(
        self,
        sites: Sequence[tuple[SiteKey, Attention]],
        crossing: set[SiteKey],
        changed: set[SiteKey],
        indices: dict[tuple[SiteKey, ...], Mapping[SiteKey, int]],
    ) -> None:
        """Copy what is new in the attention calls, for all calls of one shape together.

        Parameters
        ----------
        sites
            The calls, with the model's own tensors.
        crossing
            The sites whose keys no step changes.
        changed
            The sites whose earlier keys have changed.
        indices
            The indices of sites in earlier blocks, by these sites.
        """
        groups: dict[tuple[object, ...], list[tuple[SiteKey, Attention]]] = {}
        for site, record in sites:
            groups.setdefault(_shape(record, site in crossing), []).append((site, record))
        copies: dict[int, torch.Tensor] = {}
        for members in groups.values():
            names = tuple(site for site, _ in members)
            if names not in indices:
                indices[names] = {site: index for index, site in enumerate(names)}
            records = [record for _, record in members]
            crosses = names[0] in crossing
            block = Block(
                _stacked([self._new(record.query) for record in records]),
                None if crosses else self._added([record.key for record in records]),
                None if crosses else self._added([record.value for record in records]),
                [output for record in records if (output := record.output) is not None] or None,
                indices[names],
                self._call(records[0], copies),
            )
            first = records[0]
            different = {
                site: self._call(record, copies, changed=site in changed)
                for site, record in members
                if record.weights is not None
                or site in changed
                or not _same_terms(record.terms, first.terms)
                or record.keys != first.keys
                or record.doubt != first.doubt
            }
            block.calls = different or None
            self.blocks.append(block)

    def _call(
        self, record: Attention, copies: dict[int, torch.Tensor], *, changed: bool = False
    ) -> StepCall:
        """Copy what the step's new queries need of a call."""
        terms = tuple(self._copied(term, record.queries, copies) for term in record.terms)
        weights = self._new(record.weights)
        call = StepCall(
            record.keys, terms, None if weights is None else weights.clone(), record.doubt
        )
        if changed and record.key is not None and record.value is not None:
            stop = min(self.stop, record.keys)
            call.changed = record.key[:, :, :stop].clone(), record.value[:, :, :stop].clone()
        return call

    def _new(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        """Return the new queries of a tensor with the axes (items, heads, queries, …)."""
        if tensor is None or tensor.shape[2] == self.count:
            return tensor
        return tensor[:, :, -self.count :]

    def _added(self, tensors: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
        """Copy the keys or values that the step added to tensors of one shape."""
        present = [tensor for tensor in tensors if tensor is not None]
        if not present:
            return None
        stop = min(self.stop, int(present[0].shape[2]))
        count = min(self.count, stop)
        return torch.stack([tensor.narrow(2, stop - count, count) for tensor in present])

    def _copied(self, term: Term, queries: int, copies: dict[int, torch.Tensor]) -> Term:
        """Copy a term for the new queries; its tensor once for all terms that share it."""
        before = max(0, queries - self.count)
        match term:
            case Causal(offset):
                return Causal(offset + before)
            case Window(size, offset):
                return Window(size, offset + before)
        tensor = tensor_of(term)
        if tensor is None:
            return term
        if id(tensor) not in copies:
            new = tensor[:, :, -self.count :] if tensor.shape[2] > 1 else tensor
            copies[id(tensor)] = new.clone()
        copy = copies[id(tensor)]
        return mapped(term, lambda _: copy)


def _shape(record: Attention, crosses: bool) -> tuple[object, ...]:
    query, key, value, output = record.query, record.key, record.value, record.output
    some = query if query is not None else value
    return (
        crosses,
        None if query is None else query.shape,
        None if key is None else key.shape,
        None if value is None else value.shape,
        None if output is None else output.shape,
        # Parts of a model may be on several devices.
        None if some is None else (some.dtype, some.device),
    )


def _same_terms(one: tuple[Term, ...], other: tuple[Term, ...]) -> bool:
    return one is other or [*map(identity_of, one)] == [*map(identity_of, other)]


def _stacked(tensors: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.stack(present) if present else None
