"""A trace's numbers as a panel gets them: a description, and bytes beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.server.clients import Wishes
    from attnlab.traces.trace import Trace

Drawn = tuple[Picture, bytes]
"""A picture, whose `buffer` is 0 until it is put beside others, and its little-endian bytes."""


def thumbnails(trace: Trace, size: int, stopped: Callable[[], bool]) -> Drawn:
    """Draw max-pooled weights of every head: u8, (heads of all sites, height, width).

    Parameters
    ----------
    size : int
        The longest that a side may be, in pixels; a side has no more pixels than tokens.
    stopped
        Polled while computing; an exception is raised soon after it is true.
    """
    numbers = trace.thumbnails(size, stopped)
    return (
        Picture(
            kind="thumbnails",
            trace=trace.id,
            site=-1,
            head=-1,
            query=-1,
            shape=list(numbers.shape),
            buffer=0,
        ),
        numbers.astype("u1", copy=False).tobytes(),
    )


def head(trace: Trace, site: int, head: int) -> Drawn:
    """Draw the exact weights of one head: f32, (queries, keys)."""
    numbers = trace.head(site, head)
    return (
        Picture(
            kind="head",
            trace=trace.id,
            site=site,
            head=head,
            query=-1,
            shape=list(numbers.shape),
            buffer=0,
        ),
        numbers.astype("<f4", copy=False).tobytes(),
    )


def row(trace: Trace, site: int, query: int) -> Drawn:
    """Draw the exact weights of one query in all heads of a site: f32, (heads, keys)."""
    numbers = trace.row(site, query)
    return (
        Picture(
            kind="row",
            trace=trace.id,
            site=site,
            head=-1,
            query=query,
            shape=list(numbers.shape),
            buffer=0,
        ),
        numbers.astype("<f4", copy=False).tobytes(),
    )


def wished(trace: Trace, wishes: Wishes) -> tuple[list[Picture], list[bytes]]:
    """Draw what panels show of a new trace, each picture once.

    What a panel shows may not exist in this trace, e.g. a head of a model with more heads:
    it is left out, and the panel asks for what it shows in its place.
    """
    drawn: list[Drawn] = []
    sizes = {wish["size"] for wish in wishes if wish["size"] > 0}
    drawn += [thumbnails(trace, size, lambda: False) for size in sorted(sizes)]
    heads, rows = set(), set()
    for wish in wishes:
        focus, query = wish["focus"], wish["query"]
        if focus is None or not 0 <= focus["site"] < len(trace.sites):
            continue
        site = trace.sites[focus["site"]]
        if 0 <= focus["head"] < site.heads:
            heads.add((site.index, focus["head"]))
        if query is not None and 0 <= query < site.queries:
            rows.add((site.index, query))
    drawn += [head(trace, *place) for place in sorted(heads)]
    drawn += [row(trace, *place) for place in sorted(rows)]
    pictures = [Picture(**{**picture, "buffer": index}) for index, (picture, _) in enumerate(drawn)]
    return pictures, [data for _, data in drawn]
