"""What of a forward pass follows from the model alone, whatever it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.plain import plain, tensors

if TYPE_CHECKING:
    from collections.abc import Iterator


class State:
    """Knows tensors of a model's parameters and buffers, and what is computed from them.

    Weights that are stored in few bits are unpacked for each use. What comes of it is no
    parameter, but still no key that a query is compared with.

    Parameters
    ----------
    model
        The module that was called.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._parameters: set[int] | None = None
        self._buffers: set[int] = set()
        self._computed: set[int] = set()

    def holds_parameter(self, tensor: Any) -> bool:
        """Whether a tensor is a parameter, or a view of one."""
        if self._parameters is None:
            self._read()
        return plain(tensor) and _place(tensor) in (self._parameters or ())

    def fixes(self, tensor: Any) -> bool:
        """Whether a tensor follows from parameters and buffers alone."""
        if self.holds_parameter(tensor):
            return True
        return plain(tensor) and (
            _place(tensor) in self._buffers or _place(tensor) in self._computed
        )

    def saw(self, views: bool, args: tuple[Any, ...], result: Any) -> None:
        """Know an operation that was computed, and whether it makes views of its operands."""
        if views:
            return
        operands = list(tensors(args))
        fixed = bool(operands) and all(map(self.fixes, operands))
        if not fixed and not self._computed:
            return
        for own in result if isinstance(result, tuple | list) else (result,):
            if plain(own):
                change = self._computed.add if fixed else self._computed.discard
                change(_place(own))

    def _read(self) -> None:
        self._parameters = {place for own in self._model.parameters() for place in _places(own)}
        self._buffers = {place for own in self._model.buffers() for place in _places(own)}


def _place(tensor: Any) -> int:
    return int(tensor.untyped_storage().data_ptr())


def _places(tensor: Any) -> Iterator[int]:
    """List the places in memory that hold a tensor's numbers.

    A subclass that wraps other tensors, e.g. quantized weights, names them itself
    (``__tensor_flatten__``); one that does not has no memory that can be known.
    """
    if plain(tensor):
        yield _place(tensor)
        return
    flatten = getattr(type(tensor), "__tensor_flatten__", None)
    if flatten is None:
        return
    names, _ = flatten(tensor)
    for name in names:
        yield from _places(getattr(tensor, name, None))
