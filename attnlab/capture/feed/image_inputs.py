"""The images that a model call was given beside its text, without their pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.image_settings import ImageSettings
from attnlab.capture.inspection.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    Rows = list[list[int]]

IMAGES = ("pixel_values", "pixel_values_images", "image_grid_thw", "video_grid_thw")


@dataclass(frozen=True)
class ImageInputs:
    """Shapes and sizes of the images of one call.

    Attributes
    ----------
    ids
        The token ids of the call, by batch item.
    settings
        How the model makes tokens of images.
    pixels
        Shape of the images; empty if they were not given.
    grids, videos
        By image or video, the numbers (frames, rows, columns) of its patches.
    sizes
        By image, its (height, width) in pixels.
    spread
        By text, the item of the call that it continues; None if the texts are those of the call.
    resampled
        Numbers of tokens that were computed by attention to other states.
    """

    ids: Rows
    settings: ImageSettings
    pixels: tuple[int, ...] = ()
    grids: Rows | None = None
    videos: Rows | None = None
    sizes: Rows | None = None
    spread: tuple[int, ...] | None = None
    resampled: frozenset[int] = frozenset()

    @classmethod
    def of(cls, model: Any, given: Mapping[str, Any], ids: Rows | None) -> ImageInputs | None:
        """Read the arguments of a call, by name; None if it was given no text or no images."""
        if ids is None or all(given.get(name) is None for name in IMAGES):
            return None
        pixels = next((given[name] for name in IMAGES[:2] if is_tensor(given.get(name))), None)
        return cls(
            ids,
            ImageSettings.of(getattr(model, "config", None)),
            () if pixels is None or pixels.is_nested else tuple(map(int, pixels.shape)),
            _table(given.get("image_grid_thw"), 3),
            _table(given.get("video_grid_thw"), 3),
            _table(given.get("image_sizes"), 2),
        )

    def continued(self, items: list[int], batch: int) -> ImageInputs:
        """Return the images of texts that continue items of a batch of copies of the inputs.

        Parameters
        ----------
        items
            By text, the item of the batch that it continues.
        batch
            Number of items of the batch, in which each input is repeated equally often.
        """
        copies = max(1, batch // len(self.ids))
        return replace(self, spread=tuple(item // copies for item in items))


def _table(value: Any, columns: int) -> list[list[int]] | None:
    """Return the numbers of a table; None if it is not one."""
    if is_tensor(value):
        if value.is_meta or value.is_nested or value.is_complex() or value.ndim != 2:
            return None
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return None
    rows = [list(row) for row in value if isinstance(row, list | tuple)]
    plain = all(len(row) == columns and all(map(_is_whole, row)) for row in rows)
    return [[int(number) for number in row] for row in rows] if plain and rows else None


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | float) and number > 0 and number == int(number)
