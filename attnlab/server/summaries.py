"""A trace as a panel lists it, without its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import SiteSummary, Token, TraceSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.tokens import TokenInfo
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def summary(trace: Trace, calls: int) -> TraceSummary:
    """Summarize a trace of a run that has made `calls` outermost model calls."""
    result = TraceSummary(
        id=trace.id,
        cell=trace.cell,
        execution=trace.execution,
        call=trace.index,
        calls=calls,
        model=trace.model,
        queries=_tokens(trace.queries),
        keys=_tokens(trace.keys),
        sites=[_site(site) for site in trace.sites],
        notes=list(trace.notes),
        milliseconds=trace.milliseconds,
    )
    if trace.text is not None:
        result["text"] = trace.text
    return result


def _tokens(tokens: Sequence[TokenInfo]) -> list[Token]:
    return [
        Token(
            id=token.id,
            text=token.text,
            piece=token.piece,
            special=token.special,
            start=token.start,
            end=token.end,
            part=token.part,
        )
        for token in tokens
    ]


def _site(site: Site) -> SiteSummary:
    result = SiteSummary(
        index=site.index,
        name=site.name,
        kind=site.kind,
        layer=site.layer,
        heads=site.heads,
        groups=site.groups,
        queries=site.queries,
        keys=site.keys,
        rows=site.rows,
        columns=site.columns,
        tier=site.tier,
    )
    if site.tier != "exact":
        result["certificate"] = site.certificate
    return result
