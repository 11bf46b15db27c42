"""What is known of a word in a cell's text, for the editor to show beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attnlab.server.errors import trace_gone
from attnlab.server.messages import HoverHead, HoverParams, HoverResult, HoverToken, Span
from attnlab.server.request import Call, Handler, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.server.messages import Source
    from attnlab.server.session import Session
    from attnlab.traces.trace import Trace

STRONGEST = 5
"""Heads that are named."""

SPACE = re.compile(r"\s")
BEYOND = re.compile("[\U00010000-\U0010ffff]")


class Hovers:
    """What answers ``textDocument/hover``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def table(self) -> Mapping[str, Handler]:
        """Return what answers each method."""
        return {"textDocument/hover": Handler(self._hover, computes=True)}

    def _hover(self, call: Call, params: HoverParams) -> Reply:
        with self._session.lock:
            source = self._session.shelf.sources.get(params["cell"])
            trace = self._session.trace(params["trace"])
        if trace is None:
            raise trace_gone(params["trace"], self._session.dropped(params["trace"]))
        tokens = [] if source is None else _word(source, params)
        if source is None or not tokens:
            return HoverResult(span=None, tokens=[], strongest=[]), []
        spans = _spans(source, params)
        start = min(spans[token][0] for token in tokens)
        end = max(spans[token][1] for token in tokens)
        received = [
            _received(trace, params, head, call.stopped)
            for head in params["heads"]
            # The keys of others, e.g. a decoder's, are another text.
            if trace.at(params["site"], params["item"])[0].columns == 0
        ]
        told = [
            HoverToken(index=token, received=[f"{sums[token]:.4g}" for sums in received])
            for token in tokens
        ]
        strongest = _strongest(trace, params["item"], tokens, call.stopped)
        return HoverResult(span=Span(start=start, end=end), tokens=told, strongest=strongest), []


def _spans(source: Source, params: HoverParams) -> list[tuple[int, int]]:
    for origin in source["origins"]:
        if (origin["trace"], origin["item"]) == (params["trace"], params["item"]):
            numbers = iter(origin["spans"])
            return list(zip(numbers, numbers, strict=True))
    return []


def _word(source: Source, params: HoverParams) -> list[int]:
    """Find the tokens of the word at the place: of characters without a space between them."""
    at = params["offset"]
    # A character beyond the basic plane counts as two code units.
    units = re.sub(BEYOND, "xx", source["text"])
    spans = _spans(source, params)
    touched = [own for own in spans if 0 <= own[0] <= at < own[1]]
    if not touched:
        return []
    start, end = touched[0]
    while start > 0 and not SPACE.match(units[start - 1]):
        start -= 1
    while end < len(units) and not SPACE.match(units[end]):
        end += 1
    return [index for index, own in enumerate(spans) if start <= own[0] and own[1] <= end]


def _received(
    trace: Trace, params: HoverParams, head: int, stopped: Callable[[], bool]
) -> NDArray[np.float32]:
    """Sum the weights that all queries of a head give each key: (keys,), float32."""
    import numpy as np

    weights = trace.head(params["site"], head, params["item"], stopped)
    total: NDArray[np.float32] = np.nansum(weights, axis=0)
    return total


def _strongest(
    trace: Trace, item: int, tokens: list[int], stopped: Callable[[], bool]
) -> list[HoverHead]:
    """Find the heads in which the word's last token reads one other token most."""
    import numpy as np

    query, found = tokens[-1], []
    for site in trace.sites:
        if site.rows != 0 or site.columns != 0 or query >= site.queries:
            continue
        row = np.nan_to_num(trace.row(site.index, query, item, stopped), nan=0.0)
        row[:, tokens] = float("-inf")  # The word itself is no news.
        for head, key in enumerate(row.argmax(axis=1)):
            found.append((float(row[head, key]), site.index, head, int(key)))
    best = sorted((own for own in found if own[0] > 0), reverse=True)[:STRONGEST]
    return [
        HoverHead(site=site, head=head, key=key, weight=f"{weight:.4f}")
        for weight, site, head, key in best
    ]
