"""Every message between the kernel and a panel, typed once.

JSON-RPC 2.0 travels in an addressed envelope over the custom messages of the
hub widget. `src/protocol/messages.ts` is generated from this module (``python
-m attnlab.server.typescript``), and a test fails when the two differ.

Floats never travel as JSON, which has no NaN: they are in the message's binary
buffers, little-endian, and a `Picture` or result names the buffer by index.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal, NotRequired, TypedDict

PROTOCOL = 1
"""Version of the messages; a panel and a kernel that differ refuse each other by name."""


class ErrorCode(IntEnum):
    """Why a request was answered without a result; the first five are JSON-RPC's own."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_INITIALIZED = -32002
    REQUEST_CANCELLED = -32800
    CONTENT_MODIFIED = -32801
    VERSION_MISMATCH = -32010
    TRACE_GONE = -32011
    NO_SUCH_HEAD = -32012
    OUT_OF_MEMORY = -32013


# --- the envelope ---------------------------------------------------------------------


class Envelope(TypedDict):
    """One custom message of the hub widget.

    Every message of a kernel reaches every open page, so each names its reader:
    a client's id, ``"kernel"``, or ``"*"`` for all clients.
    """

    sender: str
    to: str
    session: str
    rpc: dict[str, Any]


# --- what a trace is, as the panel sees it --------------------------------------------


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


class SiteSummary(TypedDict):
    """One attention call of the forward pass."""

    index: int
    """Position among the trace's sites, in call order."""
    name: str
    kind: Literal["encoder", "decoder", "cross"]
    layer: int
    """The model's own number of the layer."""
    heads: int
    groups: int
    """Key/value heads; equal to `heads` without grouping."""
    queries: int
    keys: int
    rows: Literal["queries", "keys", "positions"]
    """Which list of the trace's tokens stands along the queries; ``positions`` for neither."""
    columns: Literal["queries", "keys", "positions"]
    """Which list of the trace's tokens stands along the keys."""
    tier: Literal["exact", "unverified"]
    certificate: NotRequired[str]
    """Why the site is unverified, in words; absent when it is exact."""


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
    text: NotRequired[str]
    queries: list[Token]
    keys: list[Token]
    sites: list[SiteSummary]
    notes: list[str]
    """What a reader must know, e.g. that only the batch's first item is shown."""
    milliseconds: float
    """Duration of the model's call."""


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
    """Numbers for one view, in a binary buffer of the same message.

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
    site: int
    head: int
    query: int
    shape: list[int]
    buffer: int
    """Index into the message's buffers."""


# --- panel → kernel -------------------------------------------------------------------


class InitializeParams(TypedDict):
    """The first request of a client; any other before it is refused."""

    protocol: int
    client: str
    """Name and version of the client's software."""
    capabilities: list[str]


class InitializeResult(TypedDict):
    """What the kernel can do and what it holds."""

    protocol: int
    server: str
    """Name and version of the kernel's software."""
    session: str
    capabilities: list[str]
    """``busy/subshell`` or ``busy/control``: how requests are answered while a cell runs;
    neither where they wait until it ends."""
    missing: list[str]
    """What the kernel's environment lacks, as arguments of ``pip install``."""
    state: State


class SubscribeParams(TypedDict):
    """What a panel shows; a push brings just that. Replaces the panel's last subscription."""

    panel: str
    size: int
    """Side of a thumbnail, in pixels; 0 for none."""
    focus: Focus | None
    query: int | None


class UnsubscribeParams(TypedDict):
    """The panel is gone."""

    panel: str


class TraceParams(TypedDict):
    """Names a trace."""

    trace: str


class ThumbnailsParams(TypedDict):
    """Asks for max-pooled pictures of every head."""

    trace: str
    size: int


class HeadParams(TypedDict):
    """Asks for the exact weights of one head."""

    trace: str
    site: int
    head: int


class RowParams(TypedDict):
    """Asks for the exact weights of one query in all heads of a site."""

    trace: str
    site: int
    query: int


class PictureResult(TypedDict):
    """The picture asked for."""

    picture: Picture


class CancelParams(TypedDict):
    """Cancels the request of this id, waiting or running."""

    id: int | str


# --- kernel → panel -------------------------------------------------------------------


class State(TypedDict):
    """What the kernel holds; `revision` counts changes, so that a lost push shows as a gap."""

    revision: int
    running: str | None
    """The watched cell that runs now."""
    traces: list[TraceSummary]
    """The traces of the newest run of each watched cell, oldest run first."""
    problems: list[Problem]
    """At most one a cell, of its newest run."""


class PublishParams(TypedDict):
    """A change of the kernel's state, with the pictures that panels have subscribed to.

    One message serves the panels of all clients, so that a page may get pictures that
    another one wanted. Where a run makes several calls at once, only the last has pictures.
    A push whose revision a client knows already (a `state` reply overtook it) brings
    nothing new but its pictures; one beyond the next revision shows that another was lost.
    """

    revision: int
    running: str | None
    trace: NotRequired[TraceSummary]
    problem: NotRequired[Problem]
    forgotten: list[str]
    """Ids of traces that the kernel holds no more."""
    resolved: NotRequired[list[str]]
    """Cells whose former problem holds no more."""
    pictures: list[Picture]


class ProgressParams(TypedDict):
    """Progress of a request that takes over half a second, at most ten a second."""

    id: int | str
    done: int
    """Portions of the work that are done."""
    total: int
    """Portions in all; 0 where that is not known."""
    what: str


# --- the table ------------------------------------------------------------------------

REQUESTS: dict[str, tuple[Any, Any]] = {
    "initialize": (InitializeParams, InitializeResult),
    "state": (None, State),
    "subscribe": (SubscribeParams, None),
    "unsubscribe": (UnsubscribeParams, None),
    "trace/thumbnails": (ThumbnailsParams, PictureResult),
    "trace/head": (HeadParams, PictureResult),
    "trace/row": (RowParams, PictureResult),
}
"""Method → (params, result) of what a panel asks; each is answered exactly once."""

NOTIFICATIONS: dict[str, Any] = {"$/cancelRequest": CancelParams}
"""Method → params of what a panel tells."""

PUSHES: dict[str, Any] = {"publish": PublishParams, "$/progress": ProgressParams}
"""Method → params of what the kernel tells."""
