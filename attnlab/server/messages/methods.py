"""The methods of the protocol and the types of their messages."""

from __future__ import annotations

from typing import Any

from attnlab.server.messages.documents import (
    ChangeParams,
    CloseParams,
    DocumentResult,
    HoverParams,
    HoverResult,
    OpenParams,
    TrialParams,
    TrialResult,
    TrialTextsParams,
    TrialTextsResult,
)
from attnlab.server.messages.payloads import PAYLOADS
from attnlab.server.messages.pushes import ProgressParams, PublishParams, State
from attnlab.server.messages.requests import (
    BatchItemParams,
    CancelParams,
    InitializeParams,
    InitializeResult,
    SelectionParams,
    SubscribeParams,
    UnsubscribeParams,
)
from attnlab.server.messages.trace import BatchItem

REQUESTS: dict[str, tuple[Any, Any]] = {
    "initialize": (InitializeParams, InitializeResult),
    "leave": (None, None),
    "state": (None, State),
    "subscribe": (SubscribeParams, None),
    "unsubscribe": (UnsubscribeParams, None),
    "trace/item": (BatchItemParams, BatchItem),
    **{f"trace/{kind}": (types.params, types.payload) for kind, types in PAYLOADS.items()},
    "trace/trialTexts": (TrialTextsParams, TrialTextsResult),
    "trace/trial": (TrialParams, TrialResult),
    "textDocument/didOpen": (OpenParams, DocumentResult),
    "textDocument/didChange": (ChangeParams, DocumentResult),
    "textDocument/didClose": (CloseParams, None),
    "textDocument/hover": (HoverParams, HoverResult),
}
"""Requests of panels: method → (params, result). Each request gets exactly one response."""

NOTIFICATIONS: dict[str, Any] = {
    "$/cancelRequest": CancelParams,
    "selection/didChange": SelectionParams,
}
"""Notifications of panels: method → params."""

PUSHES: dict[str, Any] = {
    "publish": PublishParams,
    "$/progress": ProgressParams,
    "selection/set": SelectionParams,
}
"""Notifications of the kernel: method → params."""
