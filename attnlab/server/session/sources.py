"""Sources: texts of cells with the positions of their tokens and with diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attnlab.capture.record.clauses import capitalized
from attnlab.live.cells.token_positions import token_positions
from attnlab.live.findings import Finding, TooLongError
from attnlab.live.source.script import SyntaxFinding, span
from attnlab.live.texts.edits import ChangedError
from attnlab.live.texts.origins import marking_budget
from attnlab.server.messages import Diagnostic, Origin, Source, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.live.cells.document import CellDocument
    from attnlab.live.cells.repeat import Repeat
    from attnlab.live.cells.token_positions import TokenDiagnostic
    from attnlab.traces.trace import Trace

ITEMS = 32
"""Maximum number of batch items whose tokens are located in the cell."""

SEVERITIES: dict[str, Literal["warning", "information"]] = {
    "unknown-token": "warning",
    "truncated": "warning",
    "padded": "information",
}


def source_of(document: CellDocument, traces: Sequence[Trace]) -> Source:
    """Return the source of a cell's traces."""
    diagnostics = [] if document.why is None else [diagnostic(document.text, document.why)]
    diagnostics += _deleted_model(document)
    origins: list[Origin] = []
    if document.repeats:
        script, budget = document.script(document.text), marking_budget()
        repeats = {repeat.index: repeat for repeat in document.repeats}
        for trace in traces:
            main_items = trace.sequences[0].items
            for item, tokens in enumerate(main_items[:ITEMS] if trace.index in repeats else ()):
                positions = token_positions(
                    script,
                    repeats[trace.index],
                    item,
                    tokens,
                    document.names,
                    budget,
                    trace.generated,
                )
                spans = [offset for token_span in positions.spans for offset in token_span]
                origins.append(Origin(trace=trace.id, item=item, spans=spans))
                feed = repeats[trace.index].feed
                # Once for all items that `generate` returned for one text.
                if not item or feed.text_of(item) != feed.text_of(item - 1):
                    diagnostics += map(_token_diagnostic, positions.diagnostics)
    return Source(
        cell=document.cell,
        execution=document.execution,
        text=document.text,
        origins=origins,
        diagnostics=diagnostics,
        outdated=document.outdated,
    )


def compared(source: Source, document: CellDocument) -> Source:
    """Return a copy of a source, updated for models that were changed or deleted since."""
    others = [other for other in source["diagnostics"] if other["code"] != "model"]
    return {
        **source,
        "diagnostics": [*_deleted_model(document), *others],
        "outdated": document.outdated,
    }


def _deleted_model(document: CellDocument) -> list[Diagnostic]:
    repeat = document.gone
    if repeat is None:
        return []
    return [unrepeatable(document.text, repeat, "model", repeat.feed.gone)]


def unrepeatable(
    text: str, repeat: Repeat, code: Literal["model", "long", "failed", "unknown"], why: str
) -> Diagnostic:
    """Return a diagnostic that states why a model call cannot be repeated, located at the call."""
    line = repeat.feed.callsite.position[0] if repeat.feed.callsite else 1
    start, end = span(text, Finding(why, line))
    return Diagnostic(
        span=Span(start=start, end=end),
        severity="error" if code == "failed" else "warning",
        code=code,
        message=why,
    )


def diagnostic(text: str, found: Finding) -> Diagnostic:
    """Return a diagnostic that states why a text cannot be shown without running the cell."""
    start, end = span(text, found)
    broken = isinstance(found, SyntaxFinding)
    changed = isinstance(found, ChangedError)
    long = isinstance(found, TooLongError)
    why = capitalized(found.why)
    return Diagnostic(
        span=Span(start=start, end=end),
        severity="error" if broken else "information",
        code="syntax" if broken else "changed" if changed else "long" if long else "unknown",
        message=f"{why}." if broken else f"{why}; run the cell to update.",
    )


def slow(why: str) -> Diagnostic:
    """Return a diagnostic for a text whose forward pass took too long."""
    return Diagnostic(
        span=Span(start=0, end=0),
        severity="warning",
        code="slow",
        message=f"{why}; run the cell to see what it computes.",
    )


def _token_diagnostic(found: TokenDiagnostic) -> Diagnostic:
    start, end = found.range
    return Diagnostic(
        span=Span(start=start, end=end),
        severity=SEVERITIES[found.code],
        code=found.code,
        message=found.message,
    )
