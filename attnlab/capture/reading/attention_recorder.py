"""Records the attention calls of one forward pass."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import ModelInputs
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.reading.causality import is_triangular
from attnlab.capture.reading.kept_tensors import KeptTensors
from attnlab.capture.reading.layer_positions import LayerPositions
from attnlab.capture.reading.noted_attention import NotedAttention
from attnlab.capture.reading.projection_samples import ProjectionSamples
from attnlab.capture.reading.text_scopes import TextScopes
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.torch_internals import original_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from attnlab.capture.reading.fingerprint import Fingerprint, OutputKey
    from attnlab.capture.record.attention_record import CaptureMethod


PIECES = (
    "The module attends in several pieces (blocks of the text); this is one of them, with "
    "positions that count from its beginning."
)


@dataclass
class AttentionRecorder:
    """Notes the attention calls of one forward pass."""

    called: Any
    """The module that was called."""
    kept: KeptTensors = field(init=False)
    replayed: bool = False
    noted: list[NotedAttention] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Attention calls that are not recorded: the module's class, and the reason."""
    seconds: float = 0.0
    """Time that recording took on the user's thread."""
    projections: ProjectionSamples = field(default_factory=lambda: ProjectionSamples(None))
    texts: TextScopes = field(default_factory=lambda: TextScopes(None, ModelInputs()))
    fingerprint: Fingerprint | None = None
    """In a second pass: what it computes, to be compared with the user's pass."""
    _fingerprint_key: OutputKey | None = None

    def __post_init__(self) -> None:
        self.kept = KeptTensors(self.model)

    @property
    def model(self) -> Any:
        """The module whose submodules have names: the original one of a compiled module."""
        return original_module(self.called)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of a block as attnlab's, and hide the block from the user's modes."""
        began = time.perf_counter()
        try:
            with without_user_modes():
                yield
        finally:
            self.seconds += time.perf_counter() - began

    @contextmanager
    def fingerprinted(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> Iterator[None]:
        """Assign an attention function's result to the call that a block notes."""
        if self.fingerprint is not None:
            module = args[0] if args else kwargs.get("module")
            self._fingerprint_key = self.fingerprint.attended(module, result)
        try:
            yield
        finally:
            self._fingerprint_key = None

    def note(
        self, module: Any, causal: bool | None, method: CaptureMethod, serial: int = 0, **parts: Any
    ) -> NotedAttention:
        """Note a call; `parts` are fields of `AttentionRecord` and are copied here.

        `query`, `key`, `value` and `weights` have the full batch, the others only the kept items.

        Raises
        ------
        UnreadableError
            If the call would exceed the budget.
        """
        import torch

        with torch.no_grad():
            if parts.get("weights") is not None:
                self.kept.admit(parts["weights"])
            for name in ("query", "key", "value", "weights"):
                if parts.get(name) is not None:
                    parts[name] = self.kept.copy(parts[name])
            parts["terms"] = tuple(parts.get("terms", ()))
            if parts.get("query") is not None:
                query, key = parts["query"], parts["key"]
                parts["rotary_sample"] = self.projections.sample_of(module, query, key)
            method = "replay" if self.replayed else method
            record = AttentionRecord("", "", "encoder", 0, method, **parts)
            if causal is None:
                causal = is_triangular(record)
            layer = None if self.fingerprint is None else self.fingerprint.layer
            compared = self._fingerprint_key or layer
            noted = NotedAttention(module, causal, record, self.texts.current, serial, compared)
            self.noted.append(noted)
            return noted

    def withdraw(self, noted: NotedAttention | None, module: Any, why: str) -> None:
        """Remove a call that turned out not to be attention over tokens."""
        before = len(self.noted)
        self.noted = [other for other in self.noted if other is not noted]
        if len(self.noted) < before:
            self.refuse(module, why)

    def doubt(self, reasons: Sequence[str]) -> None:
        """Add a reason for doubt to each call noted so far; an empty one for no doubt."""
        for noted, reason in zip(self.noted, reasons, strict=True):
            noted.record = replace(noted.record, doubt=reason or noted.record.doubt)

    def refuse(self, module: Any, why: str) -> None:
        """Note that a call of a module is not recorded."""
        self.unread.append((type(module).__name__, why))

    def records(self, lengths: frozenset[int] = frozenset()) -> list[AttentionRecord]:
        """Return all attention calls of the pass, in order, with their positions in the model.

        `lengths` are those of the texts that the model was given.
        """
        self._doubt_pieces(lengths)
        positions = LayerPositions(self.model).of(
            [(noted.module, noted.record.shape[2:]) for noted in self.noted]
        )
        return [
            replace(
                noted.record,
                name=position.name,
                stack=position.stack,
                kind=position.kind(noted.causal),
                layer=position.layer,
                depth=position.depth,
            )
            for noted, position in zip(self.noted, positions, strict=True)
        ]

    def _doubt_pieces(self, lengths: frozenset[int]) -> None:
        """Mark the calls of modules that attend in several pieces, e.g. block by block.

        Each is a softmax that multiplies values, but none is the attention of the text.
        """
        pieces: dict[int, list[NotedAttention]] = {}
        for noted in self.noted:
            if noted.serial:
                pieces.setdefault(noted.serial, []).append(noted)
        for group in pieces.values():
            shapes = {noted.record.shape[2:] for noted in group}
            if len(shapes) > 1 and not {queries for queries, _ in shapes} <= lengths:
                for noted in group:
                    noted.record = replace(noted.record, doubt=PIECES)
