"""Copies tensors of attention calls, within a memory budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record import memory
from attnlab.capture.torch_internals import version_of

if TYPE_CHECKING:
    import torch

CERTIFIED_ROWS = 6
"""Number of rows of the kernel's output that are kept to check the weights."""

CERTIFIED_ITEMS = 4
"""Number of batch items whose rows are kept."""


@dataclass
class KeptTensors:
    """The tensors that are kept of the attention calls of one forward pass.

    Layers pass the same mask and the same bias to every call: these are copied once.
    """

    model: Any
    """The module whose submodules make the calls."""
    batch: int = 1
    """Number of batch items that the model was given."""
    items: int | None = None
    """Number of batch items that are kept, as the budget allows; None before the first call."""
    dense: int = 0
    """Bytes of stored weights and biases, which grow with the square of the text's length."""
    _copies: dict[tuple[Any, ...], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @cached_property
    def _device(self) -> str | None:
        """Device that recordings are moved to."""
        return memory.device()

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

    def share(self, items: int) -> int:
        """Return how many items of a tensor are kept; it may have several for each batch item."""
        if items == 1 or self.items is None or self.items >= self.batch:
            return items
        return max(1, math.ceil(items * self.items / self.batch))

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
                f"keeping all of its weights would exceed the memory budget of "
                f"{memory.readable(limit)} (set {memory.VARIABLE} higher)"
            )
        self.dense += nbytes

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
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
            self._copies[identity] = (tensor, self.copy(compact))
        return self._copies[identity][1][..., :keys]

    def rows(self, output: torch.Tensor) -> tuple[tuple[int, ...], torch.Tensor]:
        """Copy some rows of an output, (items, queries, heads, width), for the certificate."""
        import torch

        queries = int(output.shape[1])
        rows = {queries * index // CERTIFIED_ROWS for index in range(CERTIFIED_ROWS)}
        chosen = tuple(sorted(rows | {queries - 1}))
        positions = torch.tensor(chosen, device=output.device)
        return chosen, self.copy(output.detach()[:CERTIFIED_ITEMS].index_select(1, positions))


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
