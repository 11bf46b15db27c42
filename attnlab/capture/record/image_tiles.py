"""Joins the tiles of an image whose text names the row and column of each, as in Idefics3.

The text before the placeholders of a tile is ``<row_2_col_1>``. After the tiles of an image
follows an overview of the whole image, after ``<global-img>``; an image that was not cut has only
the overview.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnlab.capture.tokens.image_position import ImagePosition
    from attnlab.capture.tokens.tokens import TokenInfo

TILE = re.compile(r"row_(\d+)_col_(\d+)\|?>$")
OVERVIEW = re.compile(r"(global[-_]img|thumbnail)\|?>$")

NAME = 24
"""Maximum number of tokens that are read before an image, for the name of its tile."""


@dataclass(frozen=True)
class Part:
    """The tokens of a tile or an overview.

    Attributes
    ----------
    positions
        Their positions in the text.
    tile
        Row and column of the tile, from 1; None for an overview or an image without a name.
    overview
        Whether the text names it as an overview.
    """

    positions: list[int]
    tile: tuple[int, int] | None
    overview: bool


def join_tiles(
    places: dict[int, ImagePosition], tokens: list[TokenInfo], *, apart: bool
) -> dict[int, ImagePosition]:
    """Return the positions of one text's image tokens, with tiles as parts of their image.

    Parameters
    ----------
    places
        Positions in the images that the model was given, by position in the text.
    tokens
        The tokens of the text.
    apart
        Whether images without a name are images, not tiles.

    Returns
    -------
    dict
        The same positions if the text names no tiles; empty if it is unknown what is a tile.
    """
    videos = {position: place for position, place in places.items() if place.frame is not None}
    places = {position: place for position, place in places.items() if place.frame is None}
    parts = _parts(places, tokens)
    if not any(part.tile or part.overview for part in parts):
        return places | videos if apart else videos
    if not apart and not all(part.tile or part.overview for part in parts):
        return videos
    images = _images(parts)
    if images is None:
        return videos
    joined = dict(videos)
    for index, image in enumerate(images):
        rows, columns = max((part.tile for part in image if part.tile), default=(1, 1))
        for part in image:
            for position in part.positions:
                place = replace(places[position], index=index)
                joined[position] = _in_tile(place, part.tile, rows, columns)
    return joined


def _in_tile(
    place: ImagePosition, tile: tuple[int, int] | None, rows: int, columns: int
) -> ImagePosition:
    """Return the position in an image of `rows` × `columns` tiles."""
    if tile is None or place.rows is None or place.columns is None:
        return place
    assert place.row is not None
    assert place.column is not None
    return replace(
        place,
        row=place.row + (tile[0] - 1) * place.rows,
        column=place.column + (tile[1] - 1) * place.columns,
        rows=place.rows * rows,
        columns=place.columns * columns,
    )


def _parts(places: dict[int, ImagePosition], tokens: list[TokenInfo]) -> list[Part]:
    """Split the image tokens of a text by the image that the model was given."""
    runs: dict[int | None, list[int]] = {}
    for position in sorted(places):
        runs.setdefault(places[position].index, []).append(position)
    parts = []
    for positions in runs.values():
        start, name = positions[0], ""
        for position in range(start - 1, max(-1, start - 1 - NAME), -1):
            if position in places:
                break
            name = tokens[position].piece + name
        tile, overview = TILE.search(name), OVERVIEW.search(name)
        named = None if tile is None else (int(tile[1]), int(tile[2]))
        parts.append(Part(positions, named, overview is not None))
    return parts


def _images(parts: list[Part]) -> list[list[Part]] | None:
    """Group tiles and overviews by image; None if their order is another one than expected."""
    images: list[list[Part]] = []
    tiles: list[Part] = []
    overviews = any(part.overview for part in parts)
    for part in [*parts, None]:
        if part is not None and part.tile is not None and part.tile != (1, 1):
            tiles.append(part)
            continue
        if tiles and not _complete(tiles):
            return None
        closes = part is not None and part.overview
        if tiles and overviews and not closes:
            return None
        if closes:
            assert part is not None
            images.append([*tiles, part])
        else:
            images += [tiles] if tiles else []
        starts = part is not None and part.tile is not None
        tiles = [part] if starts and part is not None else []
        if part is not None and not closes and not starts:
            images.append([part])
    return images


def _complete(tiles: list[Part]) -> bool:
    """Whether the tiles are those of a whole image, row by row."""
    rows, columns = max(part.tile for part in tiles if part.tile)
    expected = [(row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)]
    return [part.tile for part in tiles] == expected
