"""What a trace is, as a panel sees it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Token(TypedDict):
    """One token: `text` is what to display, `piece` the vocabulary's raw entry."""

    id: int
    text: str
    piece: str
    special: bool
    start: int
    """First character in the input text; -1 where unknown or special."""
    end: int
    """One past the last character; -1 where unknown or special."""
    part: bool
    """Whether this is one of several tokens that share one character."""
    padding: bool
    """Whether the model's mask hides it from all others; its own row is undefined."""


class SequenceSummary(TypedDict):
    """What stands along an axis of some sites, for one item of the batch."""

    name: Literal["tokens", "target", "source", "context", "patches", "positions"]
    tokens: list[Token]
    text: NotRequired[str]


class SiteSummary(TypedDict):
    """One attention call of the forward pass."""

    index: int
    """Position among the trace's sites, in call order."""
    name: str
    kind: Literal["encoder", "decoder", "cross"]
    stack: str
    """Path of the module with the layers' numbers as ``#``: one for a stack of layers."""
    layer: int
    """The model's own number of the layer."""
    heads: int
    groups: int
    """Key/value heads; equal to `heads` without grouping."""
    queries: int
    keys: int
    rows: int
    """Which of the trace's sequences stands along the queries."""
    columns: int
    """Which of the trace's sequences stands along the keys."""
    tier: Literal["interface", "tap", "replayed", "output_attentions"]
    """How the call was read: at transformers' attention interface; by the tap on softmax and
    products; either of them in a second forward pass; or only as the model returned it."""
    certificate: NotRequired[str]
    """Why it is open whether the weights are the model's own; absent when they are exact."""
    terms: Literal["qk", "weights"]
    """Whether queries and keys are known, or the weights alone."""


class TraceSummary(TypedDict):
    """A trace without its numbers."""

    id: str
    cell: str
    """Id of the cell that ran; empty where the host has no cell ids."""
    execution: int
    """The cell's execution count."""
    call: int
    """Which outermost model call of the cell's run, from 0."""
    calls: int
    """How many outermost model calls that run of the cell has made so far."""
    model: str
    items: int
    """How many items of the batch are held."""
    item: int
    """Which of them `sequences` are of; those of the others are asked for."""
    sequences: list[SequenceSummary]
    """What stands along the sites' axes, the main one first."""
    generated: NotRequired[int]
    """Index of the main sequence's first token that the model itself has written."""
    sites: list[SiteSummary]
    notes: list[str]
    """What a reader must know, e.g. that some of the calls are not shown."""
    milliseconds: float
    """Duration of the model's call."""


class TraceItem(TypedDict):
    """The sequences of one item of a trace's batch."""

    trace: str
    item: int
    sequences: list[SequenceSummary]


class Problem(TypedDict):
    """Why a run of a watched cell left no trace, and the way out."""

    cell: str
    execution: int
    """The execution count of that run."""
    title: str
    cause: str
    remedy: str


class Focus(TypedDict):
    """The head that a panel shows: `site` indexes `TraceSummary.sites`."""

    site: int
    head: int


class Picture(TypedDict):
    """Numbers for one view, of one item, in a binary buffer of the same message.

    - ``thumbnails``: u8, (heads of all sites in order, min(size, most queries of a site),
      min(size, most keys of a site)), max-pooled weights scaled by 255; NaN is 0. In a site
      of length N and a picture of side S, position i is in pixel floor(i * S / N); where
      N < S, pixel j shows position floor(j * N / S).
    - ``head``: f32, (queries, keys), exact weights of one head.
    - ``row``: f32, (heads, keys), exact weights of one query in one site.

    `site`, `head` and `query` are -1 where the kind has no such thing.
    """

    kind: Literal["thumbnails", "head", "row"]
    trace: str
    item: int
    site: int
    head: int
    query: int
    sampled: bool
    """Whether these are thumbnails of some of the queries only, so that a pixel may lack its
    largest weight."""
    shape: list[int]
    buffer: int
    """Index into the message's buffers."""
