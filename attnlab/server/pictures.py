"""A trace's numbers as a panel gets them: a description, and bytes beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attnlab.server.messages import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.server.clients import Wishes
    from attnlab.traces.trace import Trace

Drawn = tuple[Picture, bytes]
"""A picture, whose `buffer` is 0 until it is put beside others, and its little-endian bytes."""


def _never() -> bool:
    return False


def thumbnails(
    trace: Trace, item: int, size: int, sampled: bool, stopped: Callable[[], bool] = _never
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


def head(
    trace: Trace, item: int, site: int, head: int, stopped: Callable[[], bool] = _never
) -> Drawn:
    """Draw the exact weights of one head: f32, (queries, keys)."""
    numbers = trace.head(site, head, item, stopped)
    return _drawn("head", trace, item, numbers.astype("<f4", copy=False), site=site, head=head)


def row(
    trace: Trace, item: int, site: int, query: int, stopped: Callable[[], bool] = _never
) -> Drawn:
    """Draw the exact weights of one query in all heads of a site: f32, (heads, keys)."""
    numbers = trace.row(site, query, item, stopped)
    return _drawn("row", trace, item, numbers.astype("<f4", copy=False), site=site, query=query)


def _drawn(
    kind: Literal["thumbnails", "head", "row"],
    trace: Trace,
    item: int,
    numbers: NDArray[np.generic],
    *,
    site: int = -1,
    head: int = -1,
    query: int = -1,
    sampled: bool = False,
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
    return picture, numbers.tobytes()


def shown_items(trace: Trace, wishes: Wishes) -> list[int]:
    """Which items of a trace's batch panels show: each its own, or the first where it has none."""
    return sorted({_item(trace, wish["item"]) for wish in wishes})


def wished(trace: Trace, wishes: Wishes) -> tuple[list[Picture], list[bytes]]:
    """Draw what panels show of a new trace, each picture once; thumbnails sampled.

    What a panel shows may not exist in this trace, e.g. a head of a model with more heads:
    it is left out, and the panel asks for what it shows in its place.
    """
    small, heads, rows = set(), set(), set()
    for wish in wishes:
        item, focus, query = _item(trace, wish["item"]), wish["focus"], wish["query"]
        if wish["size"] > 0:
            small.add((item, wish["size"]))
        if focus is None or not 0 <= focus["site"] < len(trace.sites):
            continue
        site = trace.sites[focus["site"]]
        if 0 <= focus["head"] < site.heads:
            heads.add((item, site.index, focus["head"]))
        if query is not None and 0 <= query < site.queries:
            rows.add((item, site.index, query))
    drawn: list[Drawn] = []
    drawn += [thumbnails(trace, *of, sampled=True) for of in sorted(small)]
    drawn += [head(trace, *place) for place in sorted(heads)]
    drawn += [row(trace, *place) for place in sorted(rows)]
    pictures = [Picture(**{**picture, "buffer": index}) for index, (picture, _) in enumerate(drawn)]
    return pictures, [data for _, data in drawn]


def _item(trace: Trace, item: int) -> int:
    return item if 0 <= item < trace.items else 0
