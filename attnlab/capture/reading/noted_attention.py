"""An attention call of a running pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnlab.capture.feed.text_scope import TextScope
    from attnlab.capture.reading.fingerprint import OutputKey
    from attnlab.capture.record.attention_record import AttentionRecord


@dataclass(eq=False)
class NotedAttention:
    """An attention call before the position of its module in the model is determined."""

    module: Any
    causal: bool
    """Whether the module is causal, by a flag or by its mask."""
    record: AttentionRecord
    """The record, without the position of the module in the model."""
    scope: TextScope
    """The text that it belongs to: the innermost scope in which it was made."""
    serial: int = 0
    """Number of the module call in which it was made; 0 if that made no other."""
    fingerprint: OutputKey | None = None
    """The key under which its output, or its layer's, is compared with the user's pass."""
