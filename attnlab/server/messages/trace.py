"""Traces as panels receive them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class ImagePosition(TypedDict):
    """The part of an image that a token or patch was computed from, as far as it is known."""

    index: NotRequired[int]
    """Which image of the batch item, from 0; for a token with a `frame`, which of its videos."""
    row: NotRequired[int]
    """Row in a grid over the image, from 0; `column`, `rows` and `columns` are present with it."""
    column: NotRequired[int]
    rows: NotRequired[int]
    """Number of rows of this grid."""
    columns: NotRequired[int]
    frame: NotRequired[int]
    """Which frame of a video, from 0; a model may merge consecutive frames into one."""


class Token(TypedDict):
    """One token: `text` is displayed, `piece` is the tokenizer's vocabulary entry."""

    id: int
    text: str
    piece: str
    special: bool
    start: int
    """Index of its first character in the input text; -1 if unknown or special."""
    end: int
    """Index after its last character; -1 if unknown or special."""
    part: bool
    """Whether several tokens share one character and this is one of them."""
    padding: bool
    """Whether the model's mask hides it from all other tokens; its row is undefined then."""
    stale: NotRequired[bool]
    """Whether it was generated from an earlier version of the prompt; it has no row then."""
    image: NotRequired[ImagePosition]
    """Where in an image it is; absent if it is not of an image, or if this is unknown."""
    probability: NotRequired[float]
    """The probability that the model gave this token at this position, before logits processors;
    absent if unknown."""
    rank: NotRequired[int]
    """Its rank among all tokens by this probability, from 1; absent if unknown."""


class SequenceSummary(TypedDict):
    """The tokens or positions along an axis of some sites, for one batch item."""

    name: Literal["tokens", "target", "source", "context", "patches", "positions"]
    tokens: list[Token]
    text: NotRequired[str]


class SiteSummary(TypedDict):
    """One attention call of the forward pass."""

    index: int
    """Index into `TraceSummary.sites`, in call order."""
    name: str
    kind: Literal["encoder", "decoder", "cross"]
    stack: str
    """Path of the module with ``#`` in place of layer numbers: the same for all layers of a
    stack."""
    layer: int
    """The model's number of the layer."""
    depth: int
    """Number of layers of the stack, including those without attention; 0 if unknown."""
    heads: int
    groups: int
    """Number of key/value heads; equal to `heads` without grouping."""
    queries: int
    keys: int
    rows: int
    """Index into `TraceSummary.sequences`: the sequence along the queries."""
    columns: int
    """Index into `TraceSummary.sequences`: the sequence along the keys."""
    method: Literal["interface", "tap", "replay", "returned"]
    """Capture method: at the transformers attention interface; by the tap on softmax and
    matrix products; by either of them in a second forward pass; or only as returned by the
    model."""
    uncertified: NotRequired[str]
    """Why the weights are not known to be exact; absent if they are."""
    terms: Literal["qk", "changed", "weights"]
    """Whether the weights are the softmax of known scores, another function of known scores,
    or known without scores."""


class TraceSummary(TypedDict):
    """A trace without its arrays."""

    id: str
    cell: str
    """Id of the cell that ran; empty if the host has no cell ids."""
    execution: int
    """Execution count of the cell."""
    call: int
    """Index of the outermost model call within the cell's run."""
    calls: int
    """Number of outermost model calls of that run so far."""
    model: str
    items: int
    """Number of recorded batch items."""
    item: int
    """The batch item of `sequences`; request the others with ``trace/item``."""
    sequences: list[SequenceSummary]
    """The sequences along the axes of the sites, the main one first."""
    generated: NotRequired[int]
    """Index of the first generated token in the main sequence."""
    sites: list[SiteSummary]
    running: NotRequired[bool]
    """Whether ``generate`` was still running; a trace with more steps replaces this one."""
    trial: NotRequired[bool]
    """Whether the trace is of a trial text, not of the cell's text."""
    notes: list[str]
    """Notes for the reader, e.g. that some calls are not shown."""
    milliseconds: float
    """Duration of the model call."""


class BatchItem(TypedDict):
    """The sequences of one batch item of a trace."""

    trace: str
    item: int
    sequences: list[SequenceSummary]


class Problem(TypedDict):
    """Why a run of a watched cell produced no trace, and what to do about it."""

    cell: str
    execution: int
    """Execution count of that run."""
    title: str
    cause: str
    remedy: str


class Focus(TypedDict):
    """The head that a panel focuses on."""

    site: int
    """Index into `TraceSummary.sites`."""
    head: int


class SelectionState(TypedDict):
    """The selection of a panel, as indices into the trace that it shows."""

    item: int
    """Batch item."""
    site: int
    """Index into `TraceSummary.sites`; `site` and `head` are the focus."""
    head: int
    heads: list[int]
    """Heads of the site that are drawn together, in ascending order; includes `head`."""
    query: int | None
    key: int | None
    dimension: int | None
    """A dimension of the head's query and key vectors."""
    pairs: Literal["all", "aa", "bb", "ab", "ba"]
    """For a text of two sentences: which pairs of query and key tokens are shown, by
    sentence."""
