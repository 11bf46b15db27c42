"""A trace's numbers as a panel gets them: a description, and bytes beside it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from attnlab.server.messages import TILE_ONE, WHOLE, Picture
from attnlab.traces.cancellation import Cancelled, never, stop_if

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.server.clients import Wishes
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

Drawn = tuple[Picture, bytes]
"""A picture, whose `buffer` is 0 until it is put beside others, and its little-endian bytes."""


EDGES = 8
"""Keys of each query that are told of a head, the heaviest ones."""

TILE = 256
"""Pixels along a side of a tile."""


def thumbnails(
    trace: Trace, item: int, size: int, sampled: bool, stopped: Cancelled = never
) -> Drawn:
    """Draw max-pooled weights of every head: u8, (heads of all sites, height, width).

    Parameters
    ----------
    size : int
        The longest that a side may be, in pixels; a side has no more pixels than tokens.
    sampled : bool
        Whether some of the queries will do, where that saves time.
    stopped
        Polled while computing; an exception is raised soon after it is true.
    """
    sampled = sampled and trace.samples(size)
    numbers = trace.thumbnails(size, stopped, item, sampled=sampled)
    return _drawn("thumbnails", trace, item, numbers.astype("u1", copy=False), sampled=sampled)


def head(trace: Trace, item: int, site: int, head: int, stopped: Cancelled = never) -> Drawn:
    """Draw the exact weights of one head: f32, (queries, keys)."""
    numbers = trace.head(site, head, item, stopped)
    return _drawn("head", trace, item, numbers.astype("<f4", copy=False), site=site, head=head)


def row(trace: Trace, item: int, site: int, query: int, stopped: Cancelled = never) -> Drawn:
    """Draw the exact weights of one query in all heads of a site: f32, (heads, keys)."""
    numbers = trace.row(site, query, item, stopped)
    return _drawn("row", trace, item, numbers.astype("<f4", copy=False), site=site, query=query)


def tile(
    trace: Trace,
    item: int,
    site: int,
    head: int,
    level: int,
    place: tuple[int, int],
    stopped: Cancelled = never,
) -> Drawn:
    """Draw a part of a head: f32 at level 0, else u8 maxima of 2^level × 2^level weights.

    Parameters
    ----------
    place
        Which tile of the level, down and across; it is one of `tiles`.
    """
    own, index = trace.at(site, item)
    side = 2**level
    queries, keys = (
        range(TILE * side * at, min(TILE * side * (at + 1), length))
        for at, length in zip(place, (own.queries, own.keys), strict=True)
    )
    weights = own.blocks(head, queries, keys, side, index, stopped)
    numbers = weights.astype("<f4", copy=False) if level == 0 else _bytes(weights)
    return _drawn("tile", trace, item, numbers, site=site, head=head, tile=[level, *place])


def tiles(site: Site, level: int) -> tuple[int, int]:
    """How many tiles a site's heads have at a level, down and across."""
    side = TILE * 2**level
    return -(-site.queries // side), -(-site.keys // side)


def levels(site: Site) -> int:
    """How many levels a site's heads have; the last has one pixel.

    A matrix that is drawn smaller than a tile needs those past the first that has one tile.
    """
    return (max(site.queries, site.keys) - 1).bit_length() + 1


def edges(trace: Trace, item: int, site: int, head: int, stopped: Cancelled = never) -> Drawn:
    """Draw the heaviest keys of each query: f32, (queries, weights, their keys, the rest)."""
    import numpy as np

    own, index = trace.at(site, item)
    found = own.topk(EDGES, head=head, item=index, cancelled=stopped)
    # Float32 counts exactly to 16 million, more keys than any model has.
    numbers = np.concatenate([found.weights, found.indices, found.rest[:, None]], axis=1)
    return _drawn("edges", trace, item, numbers.astype("<f4"), site=site, head=head)


def vectors(trace: Trace, item: int, site: int, head: int, stopped: Cancelled = never) -> Drawn:
    """Draw the key vectors of one head: f32, (keys, width)."""
    own, index = trace.at(site, item)
    stop_if(stopped)
    numbers = own.vectors(head, index).astype("<f4", copy=False)
    picture, data = _drawn("vectors", trace, item, numbers, site=site, head=head)
    if own.pairs:
        picture["pairs"] = [[pair.first, pair.second, pair.wavelength or 0] for pair in own.pairs]
    return picture, data


def neuron(
    trace: Trace, item: int, site: int, head: int, query: int, stopped: Cancelled = never
) -> Drawn:
    """Draw one query of one head, taken apart: f32, its vector, steps, weights and sink."""
    import numpy as np

    own, index = trace.at(site, item)
    stop_if(stopped)
    found = own.neuron(query, head, index)
    # A head without a sink has None, which is NaN among numbers.
    sink = np.array([found.sink, found.sink_weight], dtype=np.float32)
    labels = [label for label, _ in found.steps]
    steps = [scores for _, scores in found.steps]
    numbers = np.concatenate([found.q, *steps, found.weights, sink]).astype("<f4", copy=False)
    return _drawn("neuron", trace, item, numbers, site=site, head=head, query=query, labels=labels)


def scores(trace: Trace, item: int, stopped: Cancelled = never) -> Drawn:
    """Draw the scores of all heads: f32, (heads of all sites, scores)."""
    from attnlab.analysis import table

    numbers = table.numbers(trace, item, stopped).astype("<f4", copy=False)
    return _drawn("scores", trace, item, numbers, labels=list(table.COLUMNS))


def _bytes(weights: NDArray[np.float32]) -> NDArray[np.generic]:
    """Bring weights to bytes, NaN to the one above a weight of 1."""
    import numpy as np

    numbers = (weights.clip(0, 1) * TILE_ONE).round()
    numbers[np.isnan(numbers)] = TILE_ONE + 1
    return numbers.astype("u1")


def _drawn(
    kind: Literal["thumbnails", "head", "row", "tile", "edges", "vectors", "neuron", "scores"],
    trace: Trace,
    item: int,
    numbers: NDArray[np.generic],
    *,
    site: int = -1,
    head: int = -1,
    query: int = -1,
    sampled: bool = False,
    tile: list[int] | None = None,
    labels: list[str] | None = None,
) -> Drawn:
    picture = Picture(
        kind=kind,
        trace=trace.id,
        item=item,
        site=site,
        head=head,
        query=query,
        sampled=sampled,
        shape=list(numbers.shape),
        buffer=0,
    )
    if tile is not None:
        picture["tile"] = tile
    if labels is not None:
        picture["labels"] = labels
    return picture, numbers.tobytes()


def shown_items(trace: Trace, wishes: Wishes) -> list[int]:
    """Which items of a trace's batch panels show: each its own, or the first where it has none."""
    return sorted({_item(trace, wish["item"]) for wish in wishes})


def wished(trace: Trace, wishes: Wishes) -> tuple[list[Picture], list[bytes]]:
    """Draw what panels show of a new trace, each picture once; thumbnails sampled.

    A head that is too large to be shown whole is drawn by its edges.

    What a panel shows may not exist in this trace, e.g. a head of a model with more heads:
    it is left out, and the panel asks for what it shows in its place.
    """
    small: set[tuple[int, int]] = set()
    asked: dict[Callable[..., Drawn], set[tuple[int, ...]]] = defaultdict(set)
    for wish in wishes:
        item, focus, query = _item(trace, wish["item"]), wish["focus"], wish["query"]
        if wish["size"] > 0:
            small.add((item, wish["size"]))
        if focus is None or not 0 <= focus["site"] < len(trace.sites):
            continue
        site = trace.sites[focus["site"]]
        draw = head if site.queries * site.keys <= WHOLE**2 else edges
        for number in {focus["head"], *wish["heads"]} & set(range(site.heads)):
            asked[draw].add((item, site.index, number))
        if query is None or not 0 <= query < site.queries:
            continue
        asked[row].add((item, site.index, query))
        if wish["neuron"] and site.record.query is not None and 0 <= focus["head"] < site.heads:
            asked[vectors].add((item, site.index, focus["head"]))
            asked[neuron].add((item, site.index, focus["head"], query))
    drawn = [thumbnails(trace, *of, sampled=True) for of in sorted(small)]
    for draw, places in asked.items():
        drawn += [draw(trace, *place) for place in sorted(places)]
    pictures = [Picture(**{**picture, "buffer": index}) for index, (picture, _) in enumerate(drawn)]
    return pictures, [data for _, data in drawn]


def _item(trace: Trace, item: int) -> int:
    return item if 0 <= item < trace.items else 0
