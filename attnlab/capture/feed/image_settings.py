"""Reads the settings of a model that say how its images become tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

FACTORS = (
    "scale_factor",
    "spatial_merge_size",
    "downsample_factor",
    "projector_pooling_size",
    "pooling_kernel_size",
)
"""Fields with the number of patches along each side of one token."""

RATIOS = ("downsample_ratio", "pixel_shuffle_ratio")
"""Fields with the inverse of that number."""

COUNTS = ("mm_tokens_per_image",)
"""Fields with the number of tokens of an image, which are means over squares of patches."""

RESAMPLER = re.compile(r"resampler|perceiver|qformer|num_query_tokens|latent|patch_to_query")
"""Fields of models whose image tokens attend to all patches, and so have no position."""


@dataclass(frozen=True)
class ImageSettings:
    """Fields of a model's configuration.

    Attributes
    ----------
    image_token, video_token
        Ids of the placeholders in the text; None if unknown.
    patch
        Height and width of a patch in pixels; None if unknown.
    size
        Side of the square images that the vision tower reads, in pixels; None if unknown.
    factors
        The numbers of patches along each side of one token.
    tokens
        Number of tokens of an image; None if it is not a setting.
    pinpoints
        Resolutions (height, width) that images are padded to before they are cut into tiles.
    class_token
        Whether the vision tower's class token is kept before the patches.
    resampled
        Whether the tokens are computed by a resampler.
    """

    image_token: int | None = None
    video_token: int | None = None
    patch: tuple[int, int] | None = None
    size: int | None = None
    factors: frozenset[int] = frozenset()
    tokens: int | None = None
    pinpoints: tuple[tuple[int, int], ...] = ()
    class_token: bool = False
    resampled: bool = False

    @classmethod
    def of(cls, config: Any) -> ImageSettings:
        """Read the configuration of a model."""
        vision = _read(config, "vision_config")
        parts = [part for part in (config, vision) if part is not None]
        return cls(
            first_number(config, "image_token_id", "image_token_index"),
            first_number(config, "video_token_id", "video_token_index"),
            patch_sides(config),
            first_number(vision, "image_size"),
            frozenset(_factors(parts)),
            first_number(config, *COUNTS),
            _pairs(_read(config, "image_grid_pinpoints")),
            _read(config, "vision_feature_select_strategy") == "full",
            any(map(RESAMPLER.search, _read(config, "__dict__") or ())),
        )

    @property
    def factor(self) -> int | None:
        """The number of patches along each side of one token; None if settings differ."""
        return next(iter(self.factors or {1})) if len(self.factors) < 2 else None

    def tokens_of(self, patches: tuple[int, int], count: int) -> tuple[int, int] | None:
        """Return the rows and columns of an image's tokens; None if they are not a grid.

        Parameters
        ----------
        patches
            Rows and columns of its patches.
        count
            Number of its tokens.
        """
        high, wide = patches
        factor = self.factor
        if count == self.tokens and high == wide:
            side = round(count**0.5)
            exact = 0 < side == count / side and high % side == 0
            return (side, side) if exact else None
        if not factor or high % factor or wide % factor or high * wide != count * factor**2:
            return None
        # The operations that merge patches into tokens are written for squares.
        return (high // factor, wide // factor) if factor == 1 or high == wide else None


def patch_sides(config: Any) -> tuple[int, int] | None:
    """Return the height and width of a vision model's patches in pixels; None if unknown."""
    vision = _read(config, "vision_config")
    size = _read(config if vision is None else vision, "patch_size")
    sides = size if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        return None
    return sides[0], sides[1]


def first_number(owner: Any, *names: str) -> int | None:
    """Return the first of some attributes that is a number from 0 on; None if there is none."""
    for name in names:
        value = _read(owner, name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _read(owner: Any, name: str) -> Any:
    """Read an attribute; None if there is none, or if it raises."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - raised in the user's code
        return None


def _factors(parts: list[Any]) -> set[int]:
    found: set[int] = set()
    for part in parts:
        for name in (*FACTORS, *RATIOS):
            value = _read(part, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                found.add(round(1 / value) if name in RATIOS else round(value))
    return found


def _pairs(value: Any) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list | tuple):
        return ()
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        return ()
    return tuple((int(high), int(wide)) for high, wide in value)
