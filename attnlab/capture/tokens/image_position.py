"""Where in an image a token or patch is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImagePosition:
    """The part of an image that a token or patch was computed from.

    Parts that do not follow from the model's call are None.

    Attributes
    ----------
    index
        Which image of the batch item, from 0; for a token with a `frame`, which of its videos.
    row, column
        Its place in a grid over the image, from 0.
    rows, columns
        Size of this grid. Tokens of one image may have different grids, e.g. an overview and tiles.
    frame
        Which frame of a video, from 0; a model may merge consecutive frames into one.
    """

    index: int | None = None
    row: int | None = None
    column: int | None = None
    rows: int | None = None
    columns: int | None = None
    frame: int | None = None


def grid(rows: int, columns: int, frame: int | None = None) -> list[ImagePosition]:
    """Return the positions of a grid, row by row."""
    return [
        ImagePosition(None, row, column, rows, columns, frame)
        for row in range(rows)
        for column in range(columns)
    ]
