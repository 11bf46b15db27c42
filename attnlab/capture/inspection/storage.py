"""Identifies the memory of tensors as long as it is not freed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.multiprocessing.reductions import StorageWeakRef

from attnlab.capture.torch_internals import storage_of

if TYPE_CHECKING:
    import torch


class StorageRef:
    """A weak reference to the memory of a tensor.

    An address alone identifies nothing once its memory is freed: the next tensor of that size
    is likely to get it, and that tensor may come from an operation that no dispatch mode sees, e.g.
    ``torch.from_numpy``.

    Parameters
    ----------
    tensor
        A tensor that has memory; views of it refer to the same memory.

    Attributes
    ----------
    address
        Where the memory begins.
    """

    __slots__ = ("_reference", "address")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.address = address(tensor)
        self._reference = reference(tensor)

    @property
    def alive(self) -> bool:
        """Whether the memory is not freed; until then nothing else can be at its address."""
        storage = storage_of(self._reference.cdata)
        return storage is not None and storage.data_ptr() == self.address

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, StorageRef)
            and self.address == other.address
            and bool(self._reference == other._reference)
        )


class StorageSet:
    """A set of tensors' memory, without memory that was freed."""

    def __init__(self) -> None:
        self._references: dict[int, StorageRef] = {}

    def __contains__(self, tensor: torch.Tensor) -> bool:
        reference = self._references.get(address(tensor))
        return reference is not None and reference.alive

    def add(self, tensor: torch.Tensor) -> None:
        """Add the memory of a tensor."""
        if tensor not in self:
            reference = StorageRef(tensor)
            self._references[reference.address] = reference

    def discard(self, tensor: torch.Tensor) -> None:
        """Remove the memory of a tensor."""
        self._references.pop(address(tensor), None)


def reference(tensor: torch.Tensor) -> StorageWeakRef:
    """Return a weak reference to a tensor's memory, also if it has no address.

    As long as the reference exists, PyTorch gives the same identity to no other storage; the
    memory itself is freed.
    """
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def address(tensor: torch.Tensor) -> int:
    """Return the address where a tensor's memory begins."""
    return int(tensor.untyped_storage().data_ptr())
