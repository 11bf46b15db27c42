"""Summaries of traces: messages that describe them without their arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, cast

from attnlab.server.messages import (
    BatchItem,
    ImagePosition,
    SequenceSummary,
    SiteSummary,
    Token,
    TraceSummary,
)
from attnlab.traces.batch import corresponding_item
from attnlab.traces.errors import NoSuchItemError
from attnlab.traces.predicted_tokens import predicted_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.tokens.tokens import TokenInfo
    from attnlab.traces.predicted_tokens import PredictedToken
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def summary(trace: Trace, calls: int) -> TraceSummary:
    """Summarize a trace, whose run has made `calls` outermost model calls.

    A large batch has many tokens, so the summary only includes those of the first batch item;
    panels request the others.
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
    if trace.running:
        result["running"] = True
    if trace.tried:
        result["trial"] = True
    return result


def item_of(trace: Trace, item: int) -> BatchItem:
    """Summarize the sequences of one batch item of a trace.

    Raises
    ------
    NoSuchItemError
        An IndexError that states the valid range.
    """
    if not 0 <= item < trace.items:
        raise NoSuchItemError(item, trace.items)
    sequences = []
    for index, sequence in enumerate(trace.sequences):
        # A sequence of image patches has one item for all images: their names are the same.
        found = sequence.items[corresponding_item(item, trace.items, len(sequence.items))]
        tokens = _tokens(found.tokens)
        if index == 0:
            _add_predictions(tokens, predicted_tokens(trace, item))
        summarized = cast("SequenceSummary", {"name": sequence.name, "tokens": tokens})
        if found.text is not None:
            summarized["text"] = found.text
        sequences.append(summarized)
    return BatchItem(trace=trace.id, item=item, sequences=sequences)


def _tokens(tokens: Several[TokenInfo]) -> list[Token]:
    return [_token(token) for token in tokens]


def _token(token: TokenInfo) -> Token:
    result = Token(
        id=token.id,
        text=token.text,
        piece=token.piece,
        special=token.special,
        start=token.start,
        end=token.end,
        part=token.part,
        padding=token.padding,
    )
    if token.stale:
        result["stale"] = True
    if token.image is not None:
        known = {name: value for name, value in vars(token.image).items() if value is not None}
        result["image"] = cast("ImagePosition", known)
    return result


def _add_predictions(tokens: list[Token], predicted: Several[PredictedToken]) -> None:
    """Set the probabilities and ranks of the tokens of the main sequence."""
    for one in predicted:
        if one.token is not None and one.rank > 0 and math.isfinite(one.log_probability):
            token = tokens[one.position]
            # Four digits are more than a panel shows; a long text has thousands of them.
            token["probability"] = float(f"{math.exp(one.log_probability):.4g}")
            token["rank"] = one.rank


def _terms(record: AttentionRecord) -> Literal["qk", "changed", "weights"]:
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
        method=site.method,
        terms=_terms(site.record),
    )
    if not site.certificate.exact:
        result["uncertified"] = site.certificate.reason
    return result
