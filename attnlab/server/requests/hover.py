"""Hovers over a word: its tokens, and the heads with the largest weights of its last token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import ErrorCode, HoverHead, HoverParams, HoverResult, HoverToken
from attnlab.server.protocol.errors import RpcError
from attnlab.server.protocol.request import Handler, Reply, RequestContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.server.messages import Source
    from attnlab.server.session.session import Session
    from attnlab.traces.trace import Trace

STRONGEST = 5
"""Maximum number of heads in a response."""


class HoverRequests:
    """Handler of ``textDocument/hover``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def table(self) -> Mapping[str, Handler]:
        """Return the handlers by method."""
        return {"textDocument/hover": Handler(self._hover, computes=True)}

    def _hover(self, request: RequestContext, params: HoverParams) -> Reply:
        source = self._session.source(params["cell"])
        trace = self._session.require_trace(params["trace"])
        site, item = trace.at(params["site"], params["item"])
        _check_heads(params, site.heads)
        tokens = [] if source is None else _tokens(source, params)
        if not tokens:
            return HoverResult(tokens=[], strongest=[]), []
        # At other sites, e.g. of cross-attention, the keys are tokens of another text.
        heads = params["heads"] if site.columns == 0 else []
        received = [site.received(head, item, request.stopped) for head in heads]
        hover_tokens = [
            HoverToken(index=token, received=[f"{sums[token]:.4g}" for sums in received])
            for token in tokens
        ]
        strongest = _strongest(trace, params["item"], tokens, request.stopped)
        return HoverResult(tokens=hover_tokens, strongest=strongest), []


def _check_heads(params: HoverParams, heads: int) -> None:
    """Refuse more heads than the site has: each one reads all weights of a head."""
    count = len(params["heads"])
    if count > heads:
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.heads must have at most {heads} heads, the number of heads of site "
            f"{params['site']}, not {count}.",
        )


def _tokens(source: Source, params: HoverParams) -> list[int]:
    """Find the tokens that overlap the span."""
    word = params["span"]
    for origin in source["origins"]:
        if (origin["trace"], origin["item"]) == (params["trace"], params["item"]):
            offsets = iter(origin["spans"])
            return [
                index
                for index, (start, end) in enumerate(zip(offsets, offsets, strict=True))
                if 0 <= start < word["end"] and end > word["start"]
            ]
    return []


def _strongest(
    trace: Trace, item: int, tokens: list[int], stopped: Callable[[], bool]
) -> list[HoverHead]:
    """Find the largest weights of the word's last token on tokens of other words, one per head."""
    import numpy as np

    query, candidates = tokens[-1], []
    for site in trace.sites:
        if site.rows != 0 or site.columns != 0 or query >= site.queries:
            continue
        row = np.nan_to_num(trace.row(site.index, query, item, stopped), nan=0.0)
        row[:, tokens] = float("-inf")
        for head, key in enumerate(row.argmax(axis=1)):
            candidates.append((float(row[head, key]), site.index, head, int(key)))
    best = sorted((candidate for candidate in candidates if candidate[0] > 0), reverse=True)
    return [
        HoverHead(site=site, head=head, key=key, weight=f"{weight:.4f}")
        for weight, site, head, key in best[:STRONGEST]
    ]
