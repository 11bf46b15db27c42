"""Tagged cells as documents: their texts, and what the kernel reports about them.

Offsets count UTF-16 code units from the start of the cell, as editors in a browser do.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Span(TypedDict):
    """A range of a cell's text, from the first character to the one after the last."""

    start: int
    end: int


class Diagnostic(TypedDict):
    """A finding about a range of a cell's text."""

    span: Span
    severity: Literal["error", "warning", "information"]
    code: Literal[
        "syntax",
        "unrun",
        "changed",
        "unknown",
        "long",
        "model",
        "failed",
        "slow",
        "unknown-token",
        "truncated",
        "padded",
    ]
    """The first eight give the reason why a text cannot be shown without running the cell:
    a syntax error; the cell has not run yet; the code around its texts has changed; a text is
    only known after a run; a text has too many tokens; the model must not be called again, or
    the model or its tokenizer has been deleted; the tokenizer or the model raised an
    exception; the forward pass took too long and was abandoned. The others are about the
    result of the tokenizer."""
    message: str
    """A sentence for the user: the cause, and what to do about it."""


class Origin(TypedDict):
    """The positions of a trace's tokens in the text of its cell."""

    trace: str
    item: int
    spans: list[int]
    """Start and end of each token of the main sequence, flattened; -1 and -1 for a token that
    does not come from characters of the cell."""


class Source(TypedDict):
    """The text that the newest traces of a cell are of."""

    cell: str
    execution: int
    """Execution count of the run that made the traces. While the cell runs again, its new traces
    have a higher one: the text that they are of is sent when the run has ended."""
    text: str
    origins: list[Origin]
    diagnostics: list[Diagnostic]
    outdated: bool
    """Whether a model's parameters have changed since the model call."""


class Change(TypedDict):
    """One edit of a document; without a span, `text` is the whole document."""

    span: NotRequired[Span]
    text: str


class OpenParams(TypedDict):
    """Opens a document with the cell's text; opening it again replaces the text."""

    cell: str
    version: int
    text: str


class ChangeParams(TypedDict):
    """Edits of a document, applied in order; requests attention for the resulting text.

    The result is sent once the views have been updated. If a newer change of the document
    arrives, from any client, the request fails with CONTENT_MODIFIED. It also fails with
    CONTENT_MODIFIED if the kernel does not have version `base`: send the whole text then.
    """

    cell: str
    base: int
    """The version that the first edit applies to; ignored if it replaces the whole text."""
    version: int
    changes: list[Change]
    earlier: NotRequired[bool]
    """Whether the text was typed while no view was open, so that later runs are newer."""
    limit: int
    """Maximum number of tokens for which the model is called."""


class CloseParams(TypedDict):
    """Closes a document."""

    cell: str


class DocumentResult(TypedDict):
    """The outcome for one version of a document."""

    version: int
    live: bool
    """Whether the traces of the cell are of this version, or will be after the next change; if
    not, the first diagnostic gives the reason."""
    diagnostics: list[Diagnostic]
    milliseconds: float
    """Time from receiving the change to pushing its traces; 0 if nothing was computed."""


class HoverParams(TypedDict):
    """Asks about the tokens of one word in the text of `Source`."""

    cell: str
    span: Span
    """The word. The panel decides where words begin and end."""
    trace: str
    """One of the traces in `Source.origins`."""
    item: int
    site: int
    heads: list[int]
    """The heads for which `HoverToken.received` is computed, at most as many as the site has."""


class HoverToken(TypedDict):
    """One token of a word."""

    index: int
    received: list[str]
    """For each requested head: the sum of the weights that all queries give the token, as text.
    Empty if the keys of the site are not tokens of this text."""


class HoverHead(TypedDict):
    """A head in which the word attends strongly to one key."""

    site: int
    head: int
    key: int
    weight: str
    """As text, with four digits after the decimal point."""


class HoverResult(TypedDict):
    """The tokens of a word, and where it attends; both empty if the span contains no token."""

    tokens: list[HoverToken]
    strongest: list[HoverHead]
    """The heads with the largest weight from the word's last token to another token, in
    descending order, at most five."""


class TrialParams(TypedDict):
    """Requests a trace of other texts, passed to the same model calls as a trace's texts."""

    trace: str
    texts: list[str]
    """Replacements for the texts of the tokenizer call, as many as in `TrialTextsResult`."""
    limit: int
    """Maximum number of tokens for which the model is called."""


class TrialTextsParams(TypedDict):
    """Requests the texts that were passed to a trace's tokenizer call."""

    trace: str


class TrialTextsResult(TypedDict):
    """The texts of a trace, which trial texts can replace."""

    texts: list[str]
    reason: str
    """Why no trial text can be used, as a sentence; empty if one can."""


class TrialResult(TypedDict):
    """The trace of the trial texts; the kernel keeps it until the next trial or run."""

    trace: str
