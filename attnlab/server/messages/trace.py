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
    depth: int
    """How many layers the stack has, with those that have no attention; 0 if not known."""
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
    terms: Literal["qk", "changed", "weights"]
    """Whether the weights are the softmax of known scores; something else that was made from
    known scores; or known alone."""


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
    tried: NotRequired[bool]
    """Whether its text was only tried, and is not the cell's."""
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


class Selected(TypedDict):
    """What is selected in a panel: by index, for the trace that it shows."""

    item: int
    """Which item of the batch."""
    site: int
    """Indexes `TraceSummary.sites`; with `head` it is the focus."""
    head: int
    heads: list[int]
    """Heads of the site that are drawn together, in order; the focus is one of them."""
    query: int | None
    key: int | None
    neuron: int | None
    """A dimension of the head's queries and keys."""
    pairs: Literal["all", "aa", "bb", "ab", "ba"]
    """Which pairs of tokens are shown of a text of two sentences: from which to which."""


class Picture(TypedDict):
    """Numbers for one view, of one item, in a binary buffer of the same message.

    - ``thumbnails``: u8, (heads of all sites in order, min(size, most queries of a site),
      min(size, most keys of a site)), max-pooled weights scaled by 255; NaN is 0. In a site
      of length N and a picture of side S, position i is in pixel floor(i * S / N); where
      N < S, pixel j shows position floor(j * N / S).
    - ``head``: f32, (queries, keys), exact weights of one head.
    - ``row``: f32, (heads, keys), exact weights of one query in one site.
    - ``tile``: a part of a head, 256 pixels a side or less at the head's ends. At level L a
      pixel is the maximum of 2^L × 2^L weights; tile (y, x) begins at query 256 · 2^L · y and
      key 256 · 2^L · x, up to the level of which one pixel holds the whole head. Level 0 is
      f32 and exact; others are u8, scaled by 254. Weights that are NaN count for nothing; a
      pixel that shows no other is NaN, of which the byte is 255.
    - ``edges``: f32, (queries, 2k + 1), the k heaviest weights of each query, heaviest first,
      then their keys, then the sum of the weights left out. A query without any key has NaN
      in their place, and its keys are -1.
    - ``vectors``: f32, (keys, width), the key vectors of one head.
    - ``neuron``: f32, one row: the query's vector (width); a score for each key after each of
      the steps that `labels` names, -inf where it is hidden; the weights (keys); the sink's
      score and weight, NaN where the head has none.
    - ``scores``: f32, (heads of all sites in order, scores that `labels` names); NaN where a
      score is not defined.

    `site`, `head` and `query` are -1 where the kind has no such thing.
    """

    kind: Literal["thumbnails", "head", "row", "tile", "edges", "vectors", "neuron", "scores"]
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
    tile: NotRequired[list[int]]
    """Of a tile: its level, and its place (y, x) among the tiles of that level."""
    labels: NotRequired[list[str]]
    """What the parts of ``neuron`` and ``scores`` are."""
    pairs: NotRequired[list[list[float]]]
    """Of ``vectors``: which dimensions a rotary embedding was seen to turn together, as (first,
    second, tokens in which they turn once; 0 where that did not show). Absent where none were."""
