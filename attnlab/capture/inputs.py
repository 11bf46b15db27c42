"""What a model call was given: ids, masks of padding, pictures and caches."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.caches import caches
from attnlab.capture.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.tokens import TokenInfo

Rows = list[list[int]]

SHAPED = ("input_ids", "inputs_embeds", "pixel_values", "input_features", "input_values")
"""Arguments whose first axis is the batch, in the order in which they are believed."""


@dataclass
class Inputs:
    """The ids that a model call was given, by item of the batch, and its caches."""

    ids: Rows | None = None
    decoder: Rows | None = None
    batch: int = 1
    pixels: tuple[int, int] | None = None
    """Height and width of the pictures."""
    prompt: int | None = None
    """How many of the ids were the user's, where the model has written the others."""
    caches: list[Any] = field(default_factory=list)
    tensors: list[Any] = field(default_factory=list)
    """The tensors that its ids were read from."""
    _masks: dict[str, Rows] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Inputs:
        """Read the arguments of a call as the model's own `forward` names them."""
        given = arguments(model, args, kwargs)
        found = cls(caches=caches(args, kwargs))
        found.batch = batch_of(given, args)
        found.ids = rows(given.get("input_ids"))
        found.decoder = rows(given.get("decoder_input_ids"))
        if found.ids is not None:
            found.tensors.append(given["input_ids"])
        pixels = _shape(given.get("pixel_values"))
        found.pixels = (int(pixels[-2]), int(pixels[-1])) if len(pixels) >= 4 else None
        for name, argument in (
            ("tokens", "attention_mask"),
            ("source", "attention_mask"),
            ("target", "decoder_attention_mask"),
        ):
            mask = rows(given.get(argument))
            if mask is not None:
                found._masks[name] = mask
        return found

    def nested(self, model: Any, kwargs: Mapping[str, Any]) -> bool:
        """Learn from the call of a decoder inside, e.g. of shifted labels; whether it is one."""
        ids = kwargs.get("input_ids")
        config = getattr(model, "config", None)
        decodes = getattr(config, "is_decoder", False) or "Decoder" in type(model).__name__
        if ids is None or not decodes or self.decoder is not None:
            return False
        self.decoder = rows(ids)
        return True

    def crosses(self, source: Inputs) -> None:
        """Learn what the states are of that a decoder was given; its own ids are the target."""
        own = self._masks.get("tokens")
        self.ids, self.decoder = source.ids, self.ids
        both = {"source": source._masks.get("tokens"), "target": own}
        self._masks = {name: mask for name, mask in both.items() if mask is not None}

    def masked(self, other: Inputs) -> None:
        """Take over the masks of padding of another call that was given the same ids."""
        self._masks = {**other._masks, **self._masks}

    def aside(self) -> Inputs:
        """Give what the call was given besides its texts."""
        return Inputs(batch=self.batch, pixels=self.pixels, caches=self.caches)

    def returned(self, result: Any) -> None:
        """Learn the cache that the call made."""
        known = {id(cache) for cache in self.caches}
        self.caches += [cache for cache in caches(result) if id(cache) not in known]

    def first(self, items: int) -> None:
        """Forget all but the first items of the batch."""
        self.ids = None if self.ids is None else self.ids[:items]
        self.decoder = None if self.decoder is None else self.decoder[:items]
        self._masks = {name: mask[:items] for name, mask in self._masks.items()}

    @property
    def lengths(self) -> frozenset[int]:
        """How many tokens its texts have."""
        return frozenset(len(own[0]) for own in (self.ids, self.decoder) if own)

    def padded(self, tokens: list[TokenInfo], item: int, name: str) -> list[TokenInfo]:
        """Mark the tokens that the mask of an item hides from all others."""
        mask = self._masks.get(name, [])
        own = mask[item] if item < len(mask) else []
        if len(own) != len(tokens):
            return tokens
        return [
            token if seen else replace(token, padding=True)
            for token, seen in zip(tokens, own, strict=True)
        ]


def arguments(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Name the arguments of a call as the model's own `forward` does."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return dict(kwargs)
    return {**bound.arguments.pop("kwargs", {}), **bound.arguments}


def batch_of(given: Mapping[str, Any], args: tuple[Any, ...]) -> int:
    """Count the items of the batch; 1 where nothing tells."""
    named = [given.get(name) for name in SHAPED]
    for value in [*named, *args, *given.values()]:
        if isinstance(value, dict):  # some models take all that they are given as one
            return batch_of(value, ())
        shape = _shape(value)
        if len(shape) > 1 and shape[0] > 0:
            return int(shape[0])
    return 1


def _shape(value: Any) -> tuple[int, ...]:
    """Sizes of a tensor; none of anything else, whose attributes are not read."""
    return tuple(value.shape) if is_tensor(value) and not value.is_nested else ()


def rows(ids: Any) -> Rows | None:
    """Ids by item; None for anything that is no matrix of whole numbers."""
    if not is_tensor(ids) or ids.ndim not in (1, 2) or not ids.numel():
        return None
    if ids.is_floating_point() or ids.is_complex() or ids.is_meta:
        return None
    own = ids[None] if ids.ndim == 1 else ids
    return [[int(number) for number in row] for row in own.tolist()]
