"""The tokens that a model makes of each image, in their order.

A block is the list of the positions of one image's tokens. Each function returns the blocks that
the arguments of the call imply; whether the text has as many placeholders is checked afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.capture.tokens.image_position import ImagePosition, grid

if TYPE_CHECKING:
    from attnlab.capture.feed.image_inputs import ImageInputs
    from attnlab.capture.feed.image_settings import ImageSettings

    Block = list[ImagePosition]

WITHOUT_PLACE = ImagePosition()
"""A token of an image that no place in it is known of, e.g. the end of a row."""


def packed(grids: list[list[int]], settings: ImageSettings, *, video: bool) -> list[Block] | None:
    """Return the blocks of images whose patches are packed into one list.

    Parameters
    ----------
    grids
        By image, the numbers (frames, rows, columns) of its patches.
    settings
        How the model makes tokens of images.
    video
        Whether they are videos, whose positions have a frame.
    """
    factor = settings.factor
    if not factor or any(high % factor or wide % factor for _, high, wide in grids):
        return None
    if not video and any(frames != 1 for frames, _, _ in grids):
        return None
    return [
        [
            place
            for frame in range(frames)
            for place in grid(high // factor, wide // factor, frame if video else None)
        ]
        for frames, high, wide in grids
    ]


def sized(inputs: ImageInputs) -> list[Block] | None:
    """Return the blocks of images of several sizes, which are padded to one size."""
    settings, factor = inputs.settings, inputs.settings.factor
    if not inputs.sizes or not settings.patch or not factor:
        return None
    high, wide = (side * factor for side in settings.patch)
    return [grid(height // high, width // wide) for height, width in inputs.sizes]


def tiled(inputs: ImageInputs) -> list[Block] | None:
    """Return the blocks of images that are given as an overview and tiles, as in LLaVA-NeXT.

    The overview comes first. The tiles cover a padded image: they are joined, the padding is cut
    off, and each row ends with one token more. An image of one tile ends with one such token.
    """
    settings = inputs.settings
    if not inputs.sizes or not settings.patch or not settings.size:
        return None
    rows, columns = (settings.size // side for side in settings.patch)
    blocks = []
    for height, width in inputs.sizes:
        best = _resolution(height, width, settings.pinpoints)
        # Only sides that are multiples of a tile: others would be cut in a way unknown here.
        if any(side % settings.size for side in best):
            return None
        tall, long = (side // settings.size for side in best)
        high, wide = _unpadded(tall * rows, long * columns, height, width)
        block = grid(rows, columns)
        for row in range(high):
            block += [*grid(high, wide)[row * wide : (row + 1) * wide], WITHOUT_PLACE]
        blocks.append(block)
    return blocks


def equal(inputs: ImageInputs, count: int) -> Block:
    """Return the block of each of several images of one size that have `count` tokens each."""
    settings, pixels = inputs.settings, inputs.pixels
    alone = [WITHOUT_PLACE] * count
    if not settings.patch or settings.resampled or count in inputs.resampled or len(pixels) > 5:
        return alone
    high, wide = (side // patch for side, patch in zip(pixels[-2:], settings.patch, strict=True))
    first = [WITHOUT_PLACE] if settings.class_token and count == high * wide + 1 else []
    shape = settings.tokens_of((high, wide), count - len(first))
    return alone if shape is None else [*first, *grid(*shape)]


def _resolution(height: int, width: int, choices: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Return the resolution that shows most of an image, with the least padding."""

    def fit(choice: tuple[int, int]) -> tuple[int, int]:
        scale = min(choice[1] / width, choice[0] / height)
        shown = min(int(width * scale) * int(height * scale), width * height)
        return shown, shown - choice[0] * choice[1]

    return max(choices, key=fit)


def _unpadded(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Return the numbers of rows and columns that show an image, without those of its padding."""
    if width / height > columns / rows:
        shown = int(round(height * (columns / width), 7))
        return rows - 2 * ((rows - shown) // 2), columns
    shown = int(round(width * (rows / height), 7))
    return rows, columns - 2 * ((columns - shown) // 2)
