"""Scores of all heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import ScoresPayload
from attnlab.server.payloads.lazy import LazyPayload

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace


def scores(trace: Trace, item: int) -> LazyPayload:
    """Describe the scores of all heads: f4, (heads of all sites, scores)."""
    from attnlab.analysis import table

    labels = list(table.COLUMNS)
    return LazyPayload(
        ScoresPayload(
            kind="scores",
            dtype="f4",
            trace=trace.id,
            item=item,
            shape=[sum(site.heads for site in trace.sites), len(labels)],
            buffer=0,
            labels=labels,
        ),
        lambda cancelled: table.numbers(trace, item, cancelled),
        steps=table.portions(trace),
    )
