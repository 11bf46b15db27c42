"""Keeps what the attention calls of one forward pass were given, within a budget of memory."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnlab.capture import memory
from attnlab.capture.inputs import Inputs
from attnlab.capture.places import Places
from attnlab.capture.projections import Projections
from attnlab.capture.records import Record
from attnlab.capture.terms import Bias, Causal, Fill, Mask, Term
from attnlab.capture.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from attnlab.capture.reading import Reading
    from attnlab.capture.records import Tier
    from attnlab.capture.witness import Key, Witness

CERTIFIED_ROWS = 6
"""How many rows of the kernel's output are kept to check the weights against."""

CERTIFIED_ITEMS = 4
"""Of how many items of the batch they are kept."""


PIECES = (
    "The module attends in several pieces (blocks of the text); this is one of them, with "
    "positions of its own."
)


class UnreadableError(Exception):
    """An attention call whose weights do not follow from what was seen; says why."""


@contextmanager
def unseen() -> Iterator[None]:
    """Keep operations of our own from dispatch modes of the user's, e.g. a counter of flops."""
    import torch

    if not torch._C._len_torch_dispatch_stack():
        yield
        return
    from torch.utils._python_dispatch import _disable_current_modes

    with _disable_current_modes():
        yield


@contextmanager
def private() -> Iterator[None]:
    """Keep operations of our own from the user's modes and subclasses of tensors."""
    import torch

    with unseen(), torch._C.DisableTorchFunction():
        yield


@dataclass(eq=False)
class Noted:
    """An attention call as it was made, before its module's place in the model is known."""

    module: Any
    causal: bool
    """Whether the module is causal, be that by a flag or by its mask."""
    tier: Tier
    parts: dict[str, Any]
    """What the call is made of, by the names of `Record`."""
    reading: Reading
    """What it reads: the innermost call of a module with ids of its own in which it was made."""
    serial: int = 0
    """Number of the module's own call in which this one was made; 0 where it is alone."""
    witness: Key | None = None
    """Under what its output, or its layer's, is compared with the user's pass."""


@dataclass
class Recorder:
    """Notes the attention calls of one forward pass.

    Layers hand the same mask and the same bias to every call: one copy serves all.
    """

    called: Any
    """The module that was called."""
    batch: int = 1
    """Number of items that the model was given."""
    replayed: bool = False
    noted: list[Noted] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Attention calls that are not noted: the module's class, and why."""
    seconds: float = 0.0
    """Time spent in here, on the user's thread."""
    items: int | None = None
    """How many items are kept; as many as the budget allows."""
    dense: int = 0
    """Bytes of weights and biases kept that grow with the square of the text's length."""
    projections: Projections = field(default_factory=lambda: Projections(None))
    texts: Texts = field(default_factory=lambda: Texts(None, Inputs()))
    witness: Witness | None = None
    """Of a second pass: what it computes, to be compared with the user's own."""
    _witnessed: Key | None = None
    _copies: dict[tuple[Any, ...], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        """The module whose parts have names: what was compiled, of a compiled one."""
        return getattr(self.called, "_orig_mod", self.called)

    @cached_property
    def _place(self) -> str | None:
        """Device that recordings are moved to."""
        return memory.place()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time that a block takes as ours, and keep it from the user's modes."""
        began = time.perf_counter()
        try:
            with private():
                yield
        finally:
            self.seconds += time.perf_counter() - began

    @contextmanager
    def witnessed(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> Iterator[None]:
        """Know an attention function's result as that of the call which a block notes."""
        if self.witness is not None:
            module = args[0] if args else kwargs.get("module")
            self._witnessed = self.witness.attended(module, result)
        try:
            yield
        finally:
            self._witnessed = None

    def begin(self, module: Any, *tensors: torch.Tensor) -> None:
        """Decide, at the first call, how many items of the batch there is memory for.

        `tensors` are what is to be kept of a call of `module`, batched in full.
        """
        if self.items is not None:
            return
        nbytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        alike = sum(type(part) is type(module) for part in self.model.modules())
        room = int(memory.budget() // max(1, nbytes * max(1, alike) / self.batch))
        self.items = max(1, min(self.batch, room))

    def note(
        self, module: Any, causal: bool | None, tier: Tier, serial: int = 0, **parts: Any
    ) -> Noted:
        """Note a call; `parts` go by the names of `Record` and are copied here.

        `query`, `key`, `value` and `weights` are batched in full, the others as they are kept.

        Raises
        ------
        UnreadableError
            When the call would exceed the budget.
        """
        import torch

        with torch.no_grad():
            if parts.get("weights") is not None:
                self.admit(parts["weights"])
            for name in ("query", "key", "value", "weights"):
                if parts.get(name) is not None:
                    parts[name] = self.keep(parts[name])
            parts["terms"] = tuple(parts.get("terms", ()))
            if causal is None:
                causal = _triangular(parts["terms"], parts.get("weights"), *_shape(parts))
            tier = "replayed" if self.replayed else tier
            if parts.get("query") is not None:
                parts["unturned"] = self.projections.of(module, parts["query"], parts["key"])
            layer = None if self.witness is None else self.witness.layer
            key = self._witnessed or layer
            noted = Noted(module, causal, tier, parts, self.texts.current, serial, key)
            self.noted.append(noted)
            return noted

    def withdraw(self, noted: Noted | None, module: Any, why: str) -> None:
        """Take a call back that turned out to be something else than was thought."""
        before = len(self.noted)
        self.noted = [own for own in self.noted if own is not noted]
        if len(self.noted) < before:
            self.refuse(module, why)

    def doubt(self, reasons: Sequence[str]) -> None:
        """Mark the calls noted so far, one reason each; empty for no doubt."""
        for noted, reason in zip(self.noted, reasons, strict=True):
            noted.parts["doubt"] = reason or noted.parts.get("doubt", "")

    def refuse(self, module: Any, why: str) -> None:
        """Note that a call of a module is not noted."""
        self.unread.append((type(module).__name__, why))

    def admit(self, tensor: torch.Tensor) -> None:
        """Count a tensor of queries × keys against the budget.

        Raises
        ------
        UnreadableError
            When it is exceeded.
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
        """Copy a batched tensor's first items, or all where that is as many as are kept."""
        own = tensor.detach()[: self.share(int(tensor.shape[0]))]
        if self._place is not None and own.device.type != self._place:
            return own.to(self._place)
        return own.clone()  # not to other strides, which takes longer

    def shared(self, tensor: torch.Tensor, keys: int | None = None) -> torch.Tensor:
        """Copy a mask or bias to four axes, or find the copy made for an earlier layer."""
        own = _compact(_four(tensor))
        # Inference tensors keep no version; nothing changes them in place either.
        version = 0 if tensor.is_inference() else tensor._version
        name = (own.data_ptr(), version, tuple(own.shape), own.stride())
        if name not in self._copies:
            if min(own.shape[2:]) > 1:
                self.admit(own)
            # The original is held as well, so that its memory stays its own.
            self._copies[name] = (tensor, self.keep(own))
        return self._copies[name][1][..., :keys]

    def kept_rows(self, output: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor]:
        """Choose rows of an output, (items, queries, heads, width), for the certificate."""
        import torch

        queries = int(output.shape[1])
        rows = {queries * place // CERTIFIED_ROWS for place in range(CERTIFIED_ROWS)}
        chosen = tuple(sorted(rows | {queries - 1}))
        index = torch.tensor(chosen, device=output.device)
        return chosen, self.keep(output.detach()[:CERTIFIED_ITEMS].index_select(1, index))

    def records(self, lengths: frozenset[int] = frozenset()) -> list[Record]:
        """All attention calls of the pass, in order, with their places in the model.

        `lengths` are those of the texts that the model was given.
        """
        self._doubt_pieces(lengths)
        places = Places(self.model).of(
            [(noted.module, _shape(noted.parts)) for noted in self.noted]
        )
        return [
            Record(
                name=place.name,
                stack=place.stack,
                kind=place.kind(noted.causal),
                layer=place.layer,
                depth=place.depth,
                tier=noted.tier,
                **noted.parts,
            )
            for noted, place in zip(self.noted, places, strict=True)
        ]

    def _doubt_pieces(self, lengths: frozenset[int]) -> None:
        """Mark the calls of modules that attend in several pieces, e.g. block by block.

        Each is a softmax that multiplies values, but none is the attention of the text.
        """
        pieces: dict[int, list[Noted]] = {}
        for noted in self.noted:
            if noted.serial:
                pieces.setdefault(noted.serial, []).append(noted)
        for own in pieces.values():
            shapes = {_shape(noted.parts) for noted in own}
            if len(shapes) > 1 and not {queries for queries, _ in shapes} <= lengths:
                for noted in own:
                    noted.parts["doubt"] = PIECES

    def share(self, items: int) -> int:
        """How many of a tensor's items are kept; a tower may have several for one of the batch."""
        if items == 1 or self.items is None or self.items >= self.batch:
            return items
        return max(1, math.ceil(items * self.items / self.batch))


def _four(tensor: torch.Tensor) -> torch.Tensor:
    own = tensor.detach()
    while own.ndim < 4:
        own = own[None]
    return own


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """Take an axis that repeats one number back to size 1; a copy would write it out."""
    for axis, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _shape(parts: dict[str, Any]) -> tuple[int, int]:
    """Count queries and keys."""
    if parts.get("query") is None:
        return int(parts["weights"].shape[2]), int(parts["weights"].shape[3])
    return int(parts["query"].shape[2]), int(parts["key"].shape[2])


def _triangular(
    terms: tuple[Term, ...], weights: torch.Tensor | None, queries: int, keys: int
) -> bool:
    """Whether the queries of a square see no later key."""
    if queries < 2 or queries != keys:
        return False
    if weights is not None:
        # All rows count: a threshold may leave the first query with one key by chance.
        return not bool(weights[0].triu(1).any())
    hidden = None
    for term in terms:
        match term:
            case Causal():
                return True
            case Mask(tensor) | Bias(tensor):
                row = tensor[0, 0, 0]
                own = ~row if not row.dtype.is_floating_point else row <= -1e4
            case Fill(where, score) if score <= -1e4:
                own = where[0, 0, 0]
            case _:
                continue
        hidden = own if hidden is None else hidden | own
    return hidden is not None and hidden.numel() == keys and bool(hidden[1:].all())
