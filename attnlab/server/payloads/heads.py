"""Weights of single heads and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import HeadPayload, RowPayload, TopkPayload
from attnlab.server.payloads.lazy import LazyPayload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.traces.cancellation import Cancelled
    from attnlab.traces.trace import Trace

TOPK = 8
"""Number of weights per query in a top-k payload."""


def head(trace: Trace, item: int, site: int, head: int) -> LazyPayload:
    """Describe the exact weights of one head: f4, (queries, keys)."""
    at, _ = trace.at(site, item)
    return LazyPayload(
        HeadPayload(
            kind="head",
            dtype="f4",
            trace=trace.id,
            item=item,
            site=site,
            head=head,
            shape=[at.queries, at.keys],
            buffer=0,
        ),
        lambda cancelled: trace.head(site, head, item, cancelled),
        steps=at.portions,
        instead="Request tiles, rows of single queries, or top-k weights.",
    )


def row(trace: Trace, item: int, site: int, query: int) -> LazyPayload:
    """Describe the exact weights of one query in all heads of a site: f4, (heads, keys)."""
    at, _ = trace.at(site, item)
    return LazyPayload(
        RowPayload(
            kind="row",
            dtype="f4",
            trace=trace.id,
            item=item,
            site=site,
            query=query,
            shape=[at.heads, at.keys],
            buffer=0,
        ),
        lambda cancelled: trace.row(site, query, item, cancelled),
        steps=1,
        instead="Request tiles, or the top-k weights of a head.",
    )


def topk(trace: Trace, item: int, site: int, head: int) -> LazyPayload:
    """Describe the top-k weights of each query: f4, (queries, k weights, k keys, remainder)."""
    at, index = trace.at(site, item)

    def compute(cancelled: Cancelled) -> NDArray[np.generic]:
        import numpy as np

        found = at.topk(TOPK, head=head, item=index, cancelled=cancelled)
        # Float32 represents integers up to 16 million exactly, more keys than any model has.
        return np.concatenate([found.weights, found.indices, found.rest[:, None]], axis=1)

    return LazyPayload(
        TopkPayload(
            kind="topk",
            dtype="f4",
            trace=trace.id,
            item=item,
            site=site,
            head=head,
            shape=[at.queries, 2 * min(TOPK, at.keys) + 1],
            buffer=0,
        ),
        compute,
        steps=at.portions,
        instead="Request tiles, or rows of single queries.",
    )
