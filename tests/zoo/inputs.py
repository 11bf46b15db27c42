"""What the models are given: tokens with and without padding, pictures, sound, a filled cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tests.zoo.sizes import VOCABULARY

Given = dict[str, Any]
LONG, SHORT = 9, 6


def ids(*shape: int, seed: int = 0) -> torch.Tensor:
    """Token ids, none of them that of padding or of an end."""
    return torch.randint(2, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


def noise(*shape: int, seed: int = 5) -> torch.Tensor:
    """Pixels, samples or features."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def text(length: int = LONG, batch: int = 2, **more: Any) -> Given:
    """Sequences of one length, none of them padded."""
    return {
        "input_ids": ids(batch, length),
        "attention_mask": torch.ones(batch, length).long(),
    } | more


def right(**more: Any) -> Given:
    """Two sequences, the first padded at its end."""
    given = text(**more)
    given["attention_mask"][0, SHORT:] = 0
    return given


def left(**more: Any) -> Given:
    """Two sequences, the first padded at its start."""
    given = text(**more)
    given["attention_mask"][0, : LONG - SHORT] = 0
    return given


def pair(**more: Any) -> Given:
    """A padded source and a shorter target: cross attention is not square."""
    return right(decoder_input_ids=ids(2, 5, seed=1)) | more


def boxes(scale: float = 1.0) -> torch.Tensor:
    """Places of words on a page."""
    corners = torch.randint(0, 20, (2, LONG, 4), generator=torch.Generator().manual_seed(5))
    # x0 ≤ x1 and y0 ≤ y1: some models embed the width and the height.
    ordered = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:]], -1)
    return ordered / scale if scale != 1 else ordered


def image(size: int = 32, batch: int = 2) -> Given:
    """Pictures."""
    return {"pixel_values": noise(batch, 3, size, size)}


def captioned(**more: Any) -> Given:
    """Two texts, each with a picture."""
    return right() | image() | more


def prefilled(cache: Callable[[Any], Any]) -> Callable[[Any], Given]:
    """Continue a sequence whose first five tokens a cache already holds."""

    def given(model: Any) -> Given:
        tokens = ids(2, LONG)
        held = cache(model.config)
        with torch.no_grad():
            model(input_ids=tokens[:, :5], past_key_values=held)
        return {"input_ids": tokens[:, 5:], "past_key_values": held}

    return given
