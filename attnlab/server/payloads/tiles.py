"""Tiles: parts of a head at several levels of detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import TILE_ONE, ErrorCode, TilePayload
from attnlab.server.payloads.lazy import LazyPayload
from attnlab.server.protocol.errors import RpcError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.traces.cancellation import Cancelled
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

TILE = 256
"""Pixels along a side of a tile."""


def tile(trace: Trace, item: int, site: int, head: int, level: int, y: int, x: int) -> LazyPayload:
    """Describe a tile: f4 at level 0, else u1 with the maxima of 2^level × 2^level weights.

    Raises
    ------
    RpcError
        INVALID_PARAMS if the site has no such level or tile.
    """
    at, index = trace.at(site, item)
    _check(at, level, y, x)
    block = 2**level
    queries, keys = (
        range(TILE * block * position, min(TILE * block * (position + 1), length))
        for position, length in ((y, at.queries), (x, at.keys))
    )

    def compute(cancelled: Cancelled) -> NDArray[np.generic]:
        weights = at.blocks(head, queries, keys, block, index, cancelled)
        return weights if level == 0 else _bytes(weights)

    return LazyPayload(
        TilePayload(
            kind="tile",
            dtype="f4" if level == 0 else "u1",
            trace=trace.id,
            item=item,
            site=site,
            head=head,
            level=level,
            y=y,
            x=x,
            shape=[-(-len(queries) // block), -(-len(keys) // block)],
            buffer=0,
        ),
        # The number of steps is unknown: the site may have computed some of the rows before.
        compute,
    )


def tiles(site: Site, level: int) -> tuple[int, int]:
    """Return the number of tiles of a head at a level, along queries and keys."""
    side = TILE * 2**level
    return -(-site.queries // side), -(-site.keys // side)


def levels(site: Site) -> int:
    """Return the number of levels of a site's heads; at the last one, a head is one pixel.

    A matrix that is drawn smaller than a tile needs the levels after the first one that has a
    single tile.
    """
    return (max(site.queries, site.keys) - 1).bit_length() + 1


def _check(site: Site, level: int, y: int, x: int) -> None:
    if not 0 <= level < levels(site):
        size = f"{site.queries} × {site.keys} weights"
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.level must be 0 to {levels(site) - 1} in site {site.index}, whose heads "
            f"have {size}, not {level}.",
        )
    for axis, position, count in zip(("y", "x"), (y, x), tiles(site, level), strict=True):
        if not 0 <= position < count:
            raise RpcError(
                ErrorCode.INVALID_PARAMS,
                f"params.{axis} must be 0 to {count - 1} at level {level} of site {site.index}, "
                f"not {position}.",
            )


def _bytes(weights: NDArray[np.float32]) -> NDArray[np.generic]:
    """Scale weights to bytes; NaN becomes the byte after that of a weight of 1."""
    import numpy as np

    scaled = (weights.clip(0, 1) * TILE_ONE).round()
    scaled[np.isnan(scaled)] = TILE_ONE + 1
    return scaled.astype("u1")
