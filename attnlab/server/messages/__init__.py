"""The messages between the kernel and its panels.

Messages are JSON-RPC 2.0 in an envelope, sent as custom messages of the hub widget.
`src/protocol/messages.ts` is generated from this package (``python -m
attnlab.server.typescript``); a test fails if the two differ.

Arrays are sent as binary buffers of the message, little-endian, because JSON has no NaN; a
`Payload` refers to its buffer by index.
"""

from __future__ import annotations

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
    TrialParams,
    TrialResult,
    TrialTextsParams,
    TrialTextsResult,
)
from attnlab.server.messages.envelope import Envelope
from attnlab.server.messages.limits import (
    FULL_HEAD_LIMIT,
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    TILE_ONE,
)
from attnlab.server.messages.methods import (
    NOTIFICATIONS,
    PUSHES,
    REQUESTS,
)
from attnlab.server.messages.payloads import (
    PAYLOADS,
    HeadKey,
    HeadPayload,
    NeuronKey,
    NeuronPayload,
    Payload,
    PayloadArray,
    PayloadTypes,
    RowKey,
    RowPayload,
    ScoresPayload,
    ThumbnailsParams,
    ThumbnailsPayload,
    TileKey,
    TilePayload,
    TopkPayload,
    TraceKey,
    VectorsPayload,
)
from attnlab.server.messages.pushes import (
    ProgressParams,
    PublishParams,
    State,
)
from attnlab.server.messages.requests import (
    BatchItemParams,
    CancelParams,
    InitializeParams,
    InitializeResult,
    SelectionParams,
    SubscribeParams,
    UnsubscribeParams,
)
from attnlab.server.messages.trace import (
    BatchItem,
    Focus,
    ImagePosition,
    Problem,
    SelectionState,
    SequenceSummary,
    SiteSummary,
    Token,
    TraceSummary,
)

__all__ = [
    "FULL_HEAD_LIMIT",
    "MAX_MESSAGE_BYTES",
    "NOTIFICATIONS",
    "PAYLOADS",
    "PROTOCOL",
    "PUSHES",
    "REQUESTS",
    "TILE_ONE",
    "BatchItem",
    "BatchItemParams",
    "CancelParams",
    "Change",
    "ChangeParams",
    "CloseParams",
    "Diagnostic",
    "DocumentResult",
    "Envelope",
    "ErrorCode",
    "Focus",
    "HeadKey",
    "HeadPayload",
    "HoverHead",
    "HoverParams",
    "HoverResult",
    "HoverToken",
    "ImagePosition",
    "InitializeParams",
    "InitializeResult",
    "NeuronKey",
    "NeuronPayload",
    "OpenParams",
    "Origin",
    "Payload",
    "PayloadArray",
    "PayloadTypes",
    "Problem",
    "ProgressParams",
    "PublishParams",
    "RowKey",
    "RowPayload",
    "ScoresPayload",
    "SelectionParams",
    "SelectionState",
    "SequenceSummary",
    "SiteSummary",
    "Source",
    "Span",
    "State",
    "SubscribeParams",
    "ThumbnailsParams",
    "ThumbnailsPayload",
    "TileKey",
    "TilePayload",
    "Token",
    "TopkPayload",
    "TraceKey",
    "TraceSummary",
    "TrialParams",
    "TrialResult",
    "TrialTextsParams",
    "TrialTextsResult",
    "UnsubscribeParams",
    "VectorsPayload",
]
