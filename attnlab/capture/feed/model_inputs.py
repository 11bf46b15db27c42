"""Reads the arguments of a model call: token ids, padding masks, images and caches."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import cached_tokens, caches
from attnlab.capture.feed.image_inputs import ImageInputs
from attnlab.capture.inspection.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.tokens.tokens import TokenInfo

Rows = list[list[int]]

SHAPED = ("input_ids", "inputs_embeds", "pixel_values", "input_features", "input_values")
"""Arguments whose first axis is the batch, in order of preference."""


@dataclass
class ModelInputs:
    """The token ids that a model call was given, by batch item, and its caches."""

    ids: Rows | None = None
    decoder: Rows | None = None
    batch: int = 1
    pixels: tuple[int, int] | None = None
    """Height and width of the images."""
    paired: bool = False
    """Whether each batch item has exactly one image."""
    prompt: int | None = None
    """Number of prompt ids before those that the model generated; None if it generated none."""
    written: Rows | None = None
    """The ids that the model generated after a prompt of embeddings; None if `ids` has them."""
    context: Rows | None = None
    """The ids of the tokens that its cache had before the call; None if unknown."""
    past: int | None = None
    """Number of tokens that its cache had before the call; None without a cache, or if unknown."""
    caches: list[Any] = field(default_factory=list)
    tensors: list[Any] = field(default_factory=list)
    """The tensors that the ids were read from."""
    images: ImageInputs | None = None
    """The images in its text; None without any."""
    _masks: dict[str, Rows] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ModelInputs:
        """Read the arguments of a call by their names in the model's `forward`."""
        given = arguments(model, args, kwargs)
        found = cls(caches=caches(args, kwargs))
        found.past = cached_tokens(found.caches[0]) if found.caches else None
        found.batch = batch_of(given, args)
        found.ids = rows(given.get("input_ids"))
        found.decoder = rows(given.get("decoder_input_ids"))
        if found.ids is not None:
            found.tensors.append(given["input_ids"])
        pixels = _shape(given.get("pixel_values"))
        found.pixels = (int(pixels[-2]), int(pixels[-1])) if len(pixels) >= 4 else None
        found.images = ImageInputs.of(model, given, found.ids)
        found.paired = len(pixels) == 4 and _paired(pixels[0], found.ids, found.images)
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
        """Note the ids of a decoder inside, e.g. shifted labels; whether there is one."""
        ids = kwargs.get("input_ids")
        config = getattr(model, "config", None)
        decodes = getattr(config, "is_decoder", False) or "Decoder" in type(model).__name__
        if ids is None or not decodes or self.decoder is not None:
            return False
        self.decoder = rows(ids)
        return True

    def crosses(self, source: ModelInputs) -> None:
        """Note the text that a decoder's encoder states came from; its ids are the target."""
        mask = self._masks.get("tokens")
        self.ids, self.decoder = source.ids, self.ids
        both = {"source": source._masks.get("tokens"), "target": mask}
        self._masks = {name: mask for name, mask in both.items() if mask is not None}

    def masked(self, other: ModelInputs) -> None:
        """Add the padding masks of another call with the same ids."""
        self._masks = {**other._masks, **self._masks}

    def aside(self) -> ModelInputs:
        """Return the inputs without the texts."""
        return ModelInputs(
            batch=self.batch, pixels=self.pixels, paired=self.paired, caches=self.caches
        )

    def generated(self, items: list[int], ends: list[int], tokens: int) -> ModelInputs:
        """Return the inputs of a pass over generated texts.

        Parameters
        ----------
        items
            By text, the item of this call that it continues.
        ends
            By text, the number of tokens before the padding that ``generate`` filled in.
        tokens
            Number of tokens of each text.
        """
        masks: dict[str, Rows] = {}
        if any(end < tokens for end in ends):
            # Without a mask, only what follows a text that has ended is padding.
            masks = {name: [[] for _ in ends] for name in ("tokens", "target")}
        for name, mask in self._masks.items():
            if len(mask) > max(items):
                masks[name] = [mask[item] for item in items]
        for name, mask in masks.items():
            if name != "source":
                masks[name] = [
                    [*row, *[1] * (end - len(row)), *[0] * tokens][:tokens]
                    for row, end in zip(mask, ends, strict=True)
                ]
        return replace(self, batch=len(items), _masks=masks)

    def returned(self, result: Any) -> None:
        """Note the caches that the call returned."""
        known = {id(cache) for cache in self.caches}
        self.caches += [cache for cache in caches(result) if id(cache) not in known]

    def first(self, items: int) -> None:
        """Drop all but the first items of the batch."""
        self.ids = None if self.ids is None else self.ids[:items]
        self.decoder = None if self.decoder is None else self.decoder[:items]
        self._masks = {name: mask[:items] for name, mask in self._masks.items()}

    def embeds(self, length: int) -> bool:
        """Whether a text of this length is a prompt of embeddings, and what was generated."""
        return self.written is not None and (self.prompt or 0) + len(self.written[0]) == length

    @property
    def lengths(self) -> frozenset[int]:
        """The numbers of tokens of its texts."""
        return frozenset(len(ids[0]) for ids in (self.ids, self.decoder) if ids)

    def padded(self, tokens: list[TokenInfo], item: int, name: str) -> list[TokenInfo]:
        """Mark the tokens of a batch item that the mask hides from all others."""
        mask = self._masks.get(name, [])
        row = mask[item] if item < len(mask) else []
        if len(row) != len(tokens):
            return tokens
        return [
            token if seen else replace(token, padding=True)
            for token, seen in zip(tokens, row, strict=True)
        ]


def _paired(count: int, ids: Rows | None, images: ImageInputs | None) -> bool:
    """Whether each text has one of `count` images; True without texts."""
    if ids is None:
        return True
    token = None if images is None else images.settings.image_token
    # Without placeholders in any text, its images are not part of it, as in CLIP.
    having = [token in row for row in ids]
    return len(ids) == count and (all(having) or not any(having))


def arguments(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Map the arguments of a call to their names in the model's `forward`."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return dict(kwargs)
    return {**bound.arguments.pop("kwargs", {}), **bound.arguments}


def batch_of(given: Mapping[str, Any], args: tuple[Any, ...]) -> int:
    """Return the number of batch items; 1 if no argument has a batch axis."""
    named = [given.get(name) for name in SHAPED]
    for value in [*named, *args, *given.values()]:
        if isinstance(value, dict):  # some models take one dictionary with all arguments
            return batch_of(value, ())
        shape = _shape(value)
        if len(shape) > 1 and shape[0] > 0:
            return int(shape[0])
    return 1


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a tensor; empty for other objects, whose attributes are not read."""
    return tuple(value.shape) if is_tensor(value) and not value.is_nested else ()


def rows(ids: Any) -> Rows | None:
    """Return ids by batch item; None for values other than vectors and matrices of integers."""
    if not is_tensor(ids) or ids.ndim not in (1, 2) or not ids.numel():
        return None
    if ids.is_floating_point() or ids.is_complex() or ids.is_meta:
        return None
    matrix = ids[None] if ids.ndim == 1 else ids
    return [[int(number) for number in row] for row in matrix.tolist()]
