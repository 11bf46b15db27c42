"""Every message between the kernel and a panel, typed once.

JSON-RPC 2.0 travels in an addressed envelope over the custom messages of the
hub widget. `src/protocol/messages.ts` is generated from this package (``python
-m attnlab.server.typescript``), and a test fails when the two differ.

Floats never travel as JSON, which has no NaN: they are in the message's binary
buffers, little-endian, and a `Picture` or result names the buffer by index.
"""

from __future__ import annotations

from typing import Any

from attnlab.server.messages.codes import ErrorCode
from attnlab.server.messages.documents import (
    Change,
    ChangeParams,
    CloseParams,
    Diagnostic,
    DocumentResult,
    HoverHead,
    HoverParams,
    HoverResult,
    HoverToken,
    OpenParams,
    Origin,
    Source,
    Span,
    TryParams,
    TryResult,
    TryTexts,
    TryTextsParams,
)
from attnlab.server.messages.envelope import Envelope
from attnlab.server.messages.pushes import ProgressParams, PublishParams, State
from attnlab.server.messages.requests import (
    CancelParams,
    EdgesParams,
    HeadParams,
    InitializeParams,
    InitializeResult,
    ItemParams,
    NeuronParams,
    PictureResult,
    RowParams,
    ScoresParams,
    SelectionParams,
    SubscribeParams,
    ThumbnailsParams,
    TileParams,
    UnsubscribeParams,
    VectorsParams,
)
from attnlab.server.messages.trace import (
    Focus,
    Picture,
    Problem,
    Selected,
    SequenceSummary,
    SiteSummary,
    Token,
    TraceItem,
    TraceSummary,
)

__all__ = [
    "NOTIFICATIONS",
    "PROTOCOL",
    "PUSHES",
    "REQUESTS",
    "TILE_ONE",
    "WHOLE",
    "CancelParams",
    "Change",
    "ChangeParams",
    "CloseParams",
    "Diagnostic",
    "DocumentResult",
    "EdgesParams",
    "Envelope",
    "ErrorCode",
    "Focus",
    "HeadParams",
    "HoverHead",
    "HoverParams",
    "HoverResult",
    "HoverToken",
    "InitializeParams",
    "InitializeResult",
    "ItemParams",
    "NeuronParams",
    "OpenParams",
    "Origin",
    "Picture",
    "PictureResult",
    "Problem",
    "ProgressParams",
    "PublishParams",
    "RowParams",
    "ScoresParams",
    "Selected",
    "SelectionParams",
    "SequenceSummary",
    "SiteSummary",
    "Source",
    "Span",
    "State",
    "SubscribeParams",
    "ThumbnailsParams",
    "TileParams",
    "Token",
    "TraceItem",
    "TraceSummary",
    "TryParams",
    "TryResult",
    "TryTexts",
    "TryTextsParams",
    "UnsubscribeParams",
    "VectorsParams",
]

PROTOCOL = 5
"""Version of the messages; a panel and a kernel that differ refuse each other by name."""

WHOLE = 512
"""A head with more than `WHOLE` × `WHOLE` weights is shown by its edges and tiles, not whole."""

TILE_ONE = 254
"""The byte of a weight of 1 in a tile; the one above it stands where no weight is a number."""

REQUESTS: dict[str, tuple[Any, Any]] = {
    "initialize": (InitializeParams, InitializeResult),
    "state": (None, State),
    "subscribe": (SubscribeParams, None),
    "unsubscribe": (UnsubscribeParams, None),
    "trace/item": (ItemParams, TraceItem),
    "trace/thumbnails": (ThumbnailsParams, PictureResult),
    "trace/head": (HeadParams, PictureResult),
    "trace/row": (RowParams, PictureResult),
    "trace/tile": (TileParams, PictureResult),
    "trace/edges": (EdgesParams, PictureResult),
    "trace/vectors": (VectorsParams, PictureResult),
    "trace/neuron": (NeuronParams, PictureResult),
    "trace/scores": (ScoresParams, PictureResult),
    "trace/texts": (TryTextsParams, TryTexts),
    "trace/try": (TryParams, TryResult),
    "textDocument/didOpen": (OpenParams, DocumentResult),
    "textDocument/didChange": (ChangeParams, DocumentResult),
    "textDocument/didClose": (CloseParams, None),
    "textDocument/hover": (HoverParams, HoverResult),
}
"""Method → (params, result) of what a panel asks; each is answered exactly once."""

NOTIFICATIONS: dict[str, Any] = {
    "$/cancelRequest": CancelParams,
    "selection/didChange": SelectionParams,
}
"""Method → params of what a panel tells."""

PUSHES: dict[str, Any] = {
    "publish": PublishParams,
    "$/progress": ProgressParams,
    "selection/set": SelectionParams,
}
"""Method → params of what the kernel tells."""
