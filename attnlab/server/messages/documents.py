"""Tagged cells as documents: what their text is, and what has come of it.

Offsets count UTF-16 code units from the beginning of the cell, as editors in a browser do.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Span(TypedDict):
    """A stretch of a cell's text: from the first character to one past the last."""

    start: int
    end: int


class Diagnostic(TypedDict):
    """What is to be said about a place in a cell's text."""

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
        "unknown-token",
        "truncated",
        "padded",
    ]
    """The first seven say why a text cannot be shown without running the cell: Python does not
    parse it; the cell has not run yet; more than its texts has changed; a text is known only
    by running; it has too many tokens; the model must not be called again; the tokenizer or
    the model raised. The others are about what the tokenizer made of it."""
    message: str
    """A sentence for a person: the cause, and the way out."""


class Origin(TypedDict):
    """Where the tokens of one trace stand in the text of its cell."""

    trace: str
    item: int
    spans: list[int]
    """Start and end of each token of the trace's main sequence, one after the other; -1 and -1
    for a token that no character of the cell stands for."""


class Source(TypedDict):
    """The text of a cell that the newest traces of the cell are of."""

    cell: str
    text: str
    origins: list[Origin]
    diagnostics: list[Diagnostic]
    outdated: bool
    """Whether a model's parameters have changed since it was called."""


class Change(TypedDict):
    """One edit of a document; without a span `text` is the whole document."""

    span: NotRequired[Span]
    text: str


class OpenParams(TypedDict):
    """A cell's text, which a person may edit from now on; opening it anew replaces it."""

    cell: str
    version: int
    text: str


class ChangeParams(TypedDict):
    """Edits of a document, made one after the other; asks for what becomes of the last.

    The answer comes when the views have it. A newer change of the document, by any client,
    ends it with CONTENT_MODIFIED. So do edits of a version that the kernel does not hold: send
    the whole text then.
    """

    cell: str
    base: int
    """The version that the first edit is of; of no account where it replaces the whole text."""
    version: int
    changes: list[Change]
    limit: int
    """Most tokens of a text that is passed through the model."""


class CloseParams(TypedDict):
    """The document is edited no longer."""

    cell: str


class DocumentResult(TypedDict):
    """What has become of a version of a document."""

    version: int
    live: bool
    """Whether the traces of the cell are now those of this version, or will be at the next
    change; if not, the first diagnostic says why."""
    diagnostics: list[Diagnostic]
    milliseconds: float
    """From the kernel's hearing of the change to its push; 0 where nothing was computed."""


class HoverParams(TypedDict):
    """Asks about the tokens at a place in the text of `Source`."""

    cell: str
    offset: int
    trace: str
    """The trace that is looked at, one of `Source.origins`."""
    item: int
    site: int
    heads: list[int]
    """The heads whose weights are told."""


class HoverToken(TypedDict):
    """One token of a word."""

    index: int
    received: list[str]
    """For each head asked about: the sum of the weights that all queries give it, as printed.
    Empty where the head's keys are not of this text."""


class HoverHead(TypedDict):
    """A head that reads one key much when the word asks."""

    site: int
    head: int
    key: int
    weight: str
    """As printed, with four digits."""


class HoverResult(TypedDict):
    """What is known of the word at a place; no tokens where none stands there."""

    span: Span | None
    tokens: list[HoverToken]
    strongest: list[HoverHead]
    """The heads whose heaviest weight from the word's last token to another token is largest,
    strongest first, at most five."""


class TryParams(TypedDict):
    """Asks for the trace of another text, given to the same calls as one trace's text."""

    trace: str
    texts: list[str]
    """In place of those that the trace's tokenizer call was given, as many as `TryTexts` has."""
    limit: int


class TryTextsParams(TypedDict):
    """Asks which texts a trace's tokenizer call was given."""

    trace: str


class TryTexts(TypedDict):
    """The texts of a trace that others may be tried in place of."""

    texts: list[str]
    why: str
    """Why no other text can be tried, a sentence; empty where one can."""


class TryResult(TypedDict):
    """The trace of the text that was tried; it is held until the next one, or the next run."""

    trace: str
