"""Which tokens stand along the axes of a model call."""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.encodings import Encodings, resolve
from attnlab.capture.tokens import TokenInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.capture.records import Record

UNKNOWN = TokenInfo(id=-1, text="·", piece="")


@dataclass
class Sequences:
    """The tokens of a watched cell's model calls.

    Remembers what each key/value cache has been fed, so that a later call, which brings
    only new tokens, can name the keys that the cache brings.
    """

    encodings: Encodings
    namespace: Mapping[str, Any]
    _cached: dict[int, tuple[weakref.ref[Any], list[TokenInfo]]] = field(default_factory=dict)

    def tokens(
        self, model: Any, inputs: Inputs, records: list[Record], notes: list[str]
    ) -> tuple[list[TokenInfo], list[TokenInfo] | None, str | None]:
        """Tokens of the queries and, where they differ, of the keys; and the text.

        Adds to `notes` what a reader must know about them.
        """
        kinds = {record.kind for record in records}
        if "cross" in kinds:
            return self._crossed(model, inputs, records, notes)
        ids = inputs.ids if inputs.ids is not None else inputs.decoder
        # The text model is the one with as many queries as there are ids; else the first.
        lengths = [record.queries for record in records]
        known = len(ids) if ids is not None else -1
        length = known if known in lengths else lengths[0]
        queries, text = self._named(model, ids, length, notes)
        spans = max(record.keys for record in records if record.queries == length)
        if spans <= length:
            self._remember(inputs.caches, queries)
            return queries, None, text
        past = self._recall(inputs.caches)
        if len(past) + length > spans:
            past = []
        if not past:
            notes.append("Keys from a cache that was filled outside the watched cell show as “·”.")
            keys = [UNKNOWN] * (spans - length) + queries
        else:
            # A static cache is longer than what it holds.
            keys = past + queries + [UNKNOWN] * (spans - length - len(past))
            self._remember(inputs.caches, past + queries)
        return queries, keys, text

    def _crossed(
        self, model: Any, inputs: Inputs, records: list[Record], notes: list[str]
    ) -> tuple[list[TokenInfo], list[TokenInfo], str | None]:
        """Two sequences: the decoder's tokens are the queries, the other's the keys.

        A decoder that is called alone is given states in place of the other's ids.
        """
        cross = next(record for record in records if record.kind == "cross")
        alone = inputs.decoder is None
        read = inputs.ids if alone else inputs.decoder
        queries, text = self._named(model, read, cross.queries, notes if alone else [])
        other = None if alone else inputs.ids
        keys, source = self._named(model, other, cross.keys, notes)
        return queries, keys, text if alone else source

    def _named(
        self, model: Any, ids: Sequence[int] | None, length: int, notes: list[str]
    ) -> tuple[list[TokenInfo], str | None]:
        """Tokens of one axis; positions where there are no ids, or not as many."""
        if ids is not None and len(ids) == length:
            tokens, text, note = resolve(ids, self.encodings, self.namespace, model)
            if note:
                notes.append(note)
            return tokens, text
        notes.append("The model was called without token ids for this axis: positions are shown.")
        return [TokenInfo(id=-1, text=str(place), piece="") for place in range(length)], None

    def _recall(self, caches: list[Any]) -> list[TokenInfo]:
        for cache in caches:
            reference, tokens = self._cached.get(id(cache), (None, []))
            if reference is not None and reference() is cache:
                return tokens
        return []

    def _remember(self, caches: list[Any], tokens: list[TokenInfo]) -> None:
        for cache in caches:
            try:
                self._cached[id(cache)] = (weakref.ref(cache), tokens)
            except TypeError:  # an old-style cache, a tuple, is made anew at each call
                continue


@dataclass
class Inputs:
    """The ids that a model call was given, of the batch's first item, and its caches."""

    ids: list[int] | None = None
    decoder: list[int] | None = None
    caches: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Inputs:
        """Read the arguments of a call as the model's own `forward` names them."""
        try:
            bound = inspect.signature(model.forward).bind_partial(*args, **kwargs)
            given = {**bound.arguments.pop("kwargs", {}), **bound.arguments}
        except (TypeError, ValueError):
            given = dict(kwargs)
        cache = given.get("past_key_values")
        return cls(
            ids=first_row(given.get("input_ids")),
            decoder=first_row(given.get("decoder_input_ids")),
            caches=[] if cache is None else [cache],
        )

    def nested(self, model: Any, kwargs: Mapping[str, Any]) -> None:
        """Learn from a call inside: a decoder's shifted labels, a wrapped model's own ids."""
        ids = kwargs.get("input_ids")
        if ids is None:
            return
        config = getattr(model, "config", None)
        if getattr(config, "is_decoder", False) or "Decoder" in type(model).__name__:
            self.decoder = self.decoder or first_row(ids)
        else:
            self.ids = self.ids or first_row(ids)

    def returned(self, result: Any) -> None:
        """Learn the cache that the call made."""
        cache = getattr(result, "past_key_values", None)
        if cache is not None and all(cache is not known for known in self.caches):
            self.caches.append(cache)


def first_row(ids: Any) -> list[int] | None:
    """Ids of a batch's first item; None for anything that is no matrix of whole numbers."""
    import torch

    if not isinstance(ids, torch.Tensor) or ids.ndim not in (1, 2) or not ids.numel():
        return None
    if ids.is_floating_point() or ids.is_complex() or ids.is_meta:
        return None
    row = ids if ids.ndim == 1 else ids[0]
    return [int(number) for number in row.tolist()]
