"""Stores what is known of the tensors of a pass, as long as their memory is not reused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.capture.inspection.storage import StorageRef, address
from attnlab.capture.tap.lineage import Scores, Weights
from attnlab.capture.tap.matrix import Matrix, loosened

if TYPE_CHECKING:
    import torch

    from attnlab.capture.tap.matrix import Lineage

Layout = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of a tensor."""

KEPT = 48
"""Maximum number of addresses that are followed at the same time; the newest."""


class FollowedTensors:
    """The lineages of plain tensors, by address and layout."""

    def __init__(self) -> None:
        self._lineages: dict[int, dict[Layout, Lineage]] = {}
        self._storages: dict[int, StorageRef] = {}

    def __bool__(self) -> bool:
        return bool(self._lineages)

    def __contains__(self, tensor: torch.Tensor) -> bool:
        return tensor.data_ptr() in self._lineages

    def get(self, tensor: torch.Tensor) -> Lineage | None:
        """Return the lineage of a tensor; None if it is not followed."""
        location = tensor.data_ptr()
        lineages = self._lineages.get(location)
        if lineages is None:
            return None
        if not self._storages[location].alive:
            # Memory was freed, and is reused by an operation that was not seen.
            self.forget(tensor)
            return None
        return lineages.get(_layout(tensor))

    def put(self, tensor: torch.Tensor, lineage: Lineage | None, *, view: bool) -> None:
        """Follow the result of an operation; None ends what was known of its memory.

        Parameters
        ----------
        tensor
            The result.
        lineage
            What it is.
        view
            Whether it is a view of an operand, which keeps its lineage at the same address.
        """
        location = tensor.data_ptr()
        before = self._storages.get(location)
        if not view or (before is not None and not before.alive):
            # Memory is reused: what was known of this address is outdated.
            self.forget(tensor)
        if lineage is None:
            return
        self._lineages.setdefault(location, {})[_layout(tensor)] = lineage
        self._storages[location] = StorageRef(tensor)
        while len(self._lineages) > KEPT:
            self._forget(next(iter(self._lineages)))

    def forget(self, tensor: torch.Tensor) -> None:
        """Follow nothing at the address of a tensor any longer."""
        self._forget(tensor.data_ptr())

    def has_memory_of(self, tensor: torch.Tensor) -> bool:
        """Whether the memory of a tensor contains a followed one."""
        memory = address(tensor)
        return any(storage.address == memory for storage in self._storages.values())

    def changed(self, tensor: torch.Tensor) -> None:
        """Note that numbers were changed in place, possibly through a view of a part of them."""
        memory = address(tensor)
        for location, lineages in self._lineages.items():
            if self._storages[location].address == memory:
                for layout, lineage in lineages.items():
                    if isinstance(lineage, Scores | Weights | Matrix):
                        lineages[layout] = loosened(lineage)

    def _forget(self, location: int) -> None:
        self._lineages.pop(location, None)
        self._storages.pop(location, None)


def _layout(tensor: torch.Tensor) -> Layout:
    return tuple(tensor.shape), tuple(tensor.stride())
