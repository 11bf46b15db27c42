"""Records the arguments of the attention calls of one forward pass, within a memory budget."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import ModelInputs
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.reading.layer_positions import LayerPositions
from attnlab.capture.reading.projection_samples import ProjectionSamples
from attnlab.capture.reading.text_scopes import TextScopes
from attnlab.capture.record import memory
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.terms import Bias, Causal, Fill, Mask
from attnlab.capture.torch_internals import original_module, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from attnlab.capture.feed.text_scope import TextScope
    from attnlab.capture.reading.fingerprint import Fingerprint, OutputKey
    from attnlab.capture.record.attention_record import CaptureMethod

CERTIFIED_ROWS = 6
"""Number of rows of the kernel's output that are kept to check the weights."""

CERTIFIED_ITEMS = 4
"""Number of batch items whose rows are kept."""


PIECES = (
    "The module attends in several pieces (blocks of the text); this is one of them, with "
    "positions that count from its beginning."
)


class UnreadableError(Exception):
    """The reason why the weights of an attention call do not follow from what was seen."""


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


@dataclass
class AttentionRecorder:
    """Notes the attention calls of one forward pass.

    Layers pass the same mask and the same bias to every call: these are copied once.
    """

    called: Any
    """The module that was called."""
    batch: int = 1
    """Number of batch items that the model was given."""
    replayed: bool = False
    noted: list[NotedAttention] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Attention calls that are not recorded: the module's class, and the reason."""
    seconds: float = 0.0
    """Time that recording took on the user's thread."""
    items: int | None = None
    """Number of batch items that are kept, as the budget allows."""
    dense: int = 0
    """Bytes of stored weights and biases, which grow with the square of the text's length."""
    projections: ProjectionSamples = field(default_factory=lambda: ProjectionSamples(None))
    texts: TextScopes = field(default_factory=lambda: TextScopes(None, ModelInputs()))
    fingerprint: Fingerprint | None = None
    """In a second pass: what it computes, to be compared with the user's pass."""
    _fingerprint_key: OutputKey | None = None
    _copies: dict[tuple[Any, ...], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        """The module whose submodules have names: the original one of a compiled module."""
        return original_module(self.called)

    @cached_property
    def _device(self) -> str | None:
        """Device that recordings are moved to."""
        return memory.device()

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

    def begin(self, module: Any, *tensors: torch.Tensor) -> None:
        """At the first call, decide how many batch items there is memory for.

        `tensors` are what is to be kept of a call of `module`, with the full batch.
        """
        if self.items is not None:
            return
        nbytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        alike = sum(type(part) is type(module) for part in self.model.modules())
        room = int(memory.budget() // max(1, nbytes * max(1, alike) / self.batch))
        self.items = max(1, min(self.batch, room))

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
                self.admit(parts["weights"])
            for name in ("query", "key", "value", "weights"):
                if parts.get(name) is not None:
                    parts[name] = self.keep(parts[name])
            parts["terms"] = tuple(parts.get("terms", ()))
            if parts.get("query") is not None:
                query, key = parts["query"], parts["key"]
                parts["rotary_sample"] = self.projections.sample_of(module, query, key)
            method = "replay" if self.replayed else method
            record = AttentionRecord("", "", "encoder", 0, method, **parts)
            if causal is None:
                causal = _triangular(record)
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

    def admit(self, tensor: torch.Tensor) -> None:
        """Count a tensor of queries × keys against the budget.

        Raises
        ------
        UnreadableError
            If the budget is exceeded.
        """
        items = int(tensor.shape[0])
        nbytes = tensor.numel() // items * self.share(items) * tensor.element_size()
        limit = memory.budget()
        if self.dense + nbytes > limit:
            raise UnreadableError(
                f"its weights can only be kept whole, and with them the recording would take "
                f"more than {memory.readable(limit)} (set {memory.VARIABLE} for more)"
            )
        self.dense += nbytes

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy the first items of a batched tensor, as many as are kept."""
        kept = tensor.detach()[: self.share(int(tensor.shape[0]))]
        if self._device is not None and kept.device.type != self._device:
            return kept.to(self._device)
        return kept.clone()  # preserves the strides, since changing them takes longer

    def shared(self, tensor: torch.Tensor, keys: int | None = None) -> torch.Tensor:
        """Copy a mask or bias with four axes, or find the copy made for an earlier layer."""
        compact = _compact(_four(tensor))
        # Inference tensors have no version; nothing changes them in place either.
        version = 0 if tensor.is_inference() else version_of(tensor)
        identity = (compact.data_ptr(), version, tuple(compact.shape), compact.stride())
        if identity not in self._copies:
            if min(compact.shape[2:]) > 1:
                self.admit(compact)
            # The original is kept as well, so that its memory is not reused.
            self._copies[identity] = (tensor, self.keep(compact))
        return self._copies[identity][1][..., :keys]

    def kept_rows(self, output: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor]:
        """Copy some rows of an output, (items, queries, heads, width), for the certificate."""
        import torch

        queries = int(output.shape[1])
        rows = {queries * index // CERTIFIED_ROWS for index in range(CERTIFIED_ROWS)}
        chosen = tuple(sorted(rows | {queries - 1}))
        positions = torch.tensor(chosen, device=output.device)
        return chosen, self.keep(output.detach()[:CERTIFIED_ITEMS].index_select(1, positions))

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

    def share(self, items: int) -> int:
        """Return how many items of a tensor are kept; it may have several for each batch item."""
        if items == 1 or self.items is None or self.items >= self.batch:
            return items
        return max(1, math.ceil(items * self.items / self.batch))


def _four(tensor: torch.Tensor) -> torch.Tensor:
    result = tensor.detach()
    while result.ndim < 4:
        result = result[None]
    return result


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """Reduce axes that repeat one number to size 1; a copy would store each repetition."""
    for axis, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _triangular(record: AttentionRecord) -> bool:
    """Whether the queries of a square matrix attend to no later key."""
    if record.queries < 2 or record.queries != record.keys:
        return False
    if record.weights is not None:
        # All rows are checked: with a threshold, the first query may have one key by chance.
        return not bool(record.weights[0].triu(1).any())
    hidden = None
    for term in record.terms:
        match term:
            case Causal():
                return True
            case Mask(tensor) | Bias(tensor):
                row = tensor[0, 0, 0]
                hides = ~row if not row.dtype.is_floating_point else row <= -1e4
            case Fill(where, score) if score <= -1e4:
                hides = where[0, 0, 0]
            case _:
                continue
        hidden = hides if hidden is None else hidden | hides
    return hidden is not None and hidden.numel() == record.keys and bool(hidden[1:].all())
