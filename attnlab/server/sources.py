"""The text of a cell as its pages hear of it: where its tokens stand, and what to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attnlab.live.edits import ChangedError
from attnlab.live.placed import placed
from attnlab.live.script import Script, SyntaxUnknown, span
from attnlab.server.messages import Diagnostic, Origin, Source, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.live.document import Document
    from attnlab.live.expressions import Unknown
    from attnlab.live.placed import Remark
    from attnlab.traces.trace import Trace

ITEMS = 32
"""Texts of a batch whose tokens are found in the cell."""

SEVERITIES: dict[str, Literal["warning", "information"]] = {
    "unknown-token": "warning",
    "truncated": "warning",
    "padded": "information",
}


def source_of(document: Document, traces: Sequence[Trace]) -> Source:
    """Describe the text that a cell's traces are of, which have just been made."""
    diagnostics = [] if document.why is None else [diagnostic(document.text, document.why)]
    origins: list[Origin] = []
    if document.repeats:
        script = Script.of(document.text, document.transform)
        repeats = {repeat.index: repeat for repeat in document.repeats}
        for trace in traces:
            main = trace.sequences[0].items
            for item, tokens in enumerate(main[:ITEMS] if trace.index in repeats else ()):
                own = placed(script, repeats[trace.index], item, tokens, document.held)
                spans = [offset for place in own.spans for offset in place]
                origins.append(Origin(trace=trace.id, item=item, spans=spans))
                diagnostics += map(_remarked, own.remarks)
    return Source(
        cell=document.cell,
        text=document.text,
        origins=origins,
        diagnostics=diagnostics,
        outdated=False,
    )


def diagnostic(text: str, found: Unknown) -> Diagnostic:
    """Say at its place why a text cannot be shown without running the cell."""
    start, end = span(text, found)
    broken = isinstance(found, SyntaxUnknown)
    changed = isinstance(found, ChangedError)
    why = found.why[0].upper() + found.why[1:]
    return Diagnostic(
        span=Span(start=start, end=end),
        severity="error" if broken else "information",
        code="syntax" if broken else "changed" if changed else "unknown",
        message=f"{why}." if broken else f"{why}; run the cell to update.",
    )


def _remarked(own: Remark) -> Diagnostic:
    start, end = own.place
    return Diagnostic(
        span=Span(start=start, end=end),
        severity=SEVERITIES[own.code],
        code=own.code,
        message=own.message,
    )
