"""A trace as a panel lists it, without its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from attnlab.server.messages import SequenceSummary, SiteSummary, Token, TraceItem, TraceSummary
from attnlab.traces.errors import NoSuchItemError

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from attnlab.capture.records import Record
    from attnlab.capture.tokens import TokenInfo
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def summary(trace: Trace, calls: int) -> TraceSummary:
    """Summarize a trace of a run that has made `calls` outermost model calls.

    A large batch may have more tokens than a page has pictures: those of its first item
    come with the summary, the others when they are looked at.
    """
    first = item_of(trace, 0)
    result = TraceSummary(
        id=trace.id,
        cell=trace.cell,
        execution=trace.execution,
        call=trace.index,
        calls=calls,
        model=trace.model,
        items=trace.items,
        item=first["item"],
        sequences=first["sequences"],
        sites=[_site(site) for site in trace.sites],
        notes=list(trace.notes),
        milliseconds=trace.milliseconds,
    )
    if trace.generated is not None:
        result["generated"] = trace.generated
    if trace.tried:
        result["tried"] = True
    return result


def item_of(trace: Trace, item: int) -> TraceItem:
    """Summarize what stands along the axes for one item of the trace's batch.

    Raises
    ------
    NoSuchItemError
        An IndexError that says which items there are.
    """
    if not 0 <= item < trace.items:
        raise NoSuchItemError(item, trace.items)
    sequences = []
    for sequence in trace.sequences:
        # Patches have the same names in all pictures: one item serves all.
        own = sequence.items[item * len(sequence.items) // trace.items]
        summarized = cast("SequenceSummary", {"name": sequence.name, "tokens": _tokens(own.tokens)})
        if own.text is not None:
            summarized["text"] = own.text
        sequences.append(summarized)
    return TraceItem(trace=trace.id, item=item, sequences=sequences)


def _tokens(tokens: Several[TokenInfo]) -> list[Token]:
    return [
        Token(
            id=token.id,
            text=token.text,
            piece=token.piece,
            special=token.special,
            start=token.start,
            end=token.end,
            part=token.part,
            padding=token.padding,
        )
        for token in tokens
    ]


def _terms(record: Record) -> Literal["qk", "changed", "weights"]:
    if record.query is None:
        return "weights"
    return "qk" if record.weights is None else "changed"


def _site(site: Site) -> SiteSummary:
    result = SiteSummary(
        index=site.index,
        name=site.name,
        kind=site.kind,
        stack=site.stack,
        layer=site.layer,
        depth=site.record.depth,
        heads=site.heads,
        groups=site.groups,
        queries=site.queries,
        keys=site.keys,
        rows=site.rows,
        columns=site.columns,
        tier=site.tier,
        terms=_terms(site.record),
    )
    if not site.certificate.exact:
        result["certificate"] = site.certificate.reason
    return result
