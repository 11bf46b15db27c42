"""Determines which tensors of a forward pass come from the model, and which from its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.plain_tensors import is_plain, tensors
from attnlab.capture.inspection.storage import StorageSet, address
from attnlab.capture.torch_internals import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class TensorOrigins:
    """Knows a model's parameters, and the tensors that were computed from a call's arguments.

    Layers may multiply by tensors that are not parameters at that time: weights that are unpacked
    from a few bits, loaded for one call, or merged with others. None of them is computed from the
    call's arguments.

    Parameters
    ----------
    model
        The module that was called.
    args, kwargs
        The arguments of the call.
    """

    def __init__(self, model: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
        self._model = model
        self._parameters: StorageSet | None = None
        self._offloaded = False
        self._given = StorageSet()
        for tensor in filter(is_plain, _all([*args, *kwargs.values()])):
            self._given.add(tensor)

    def holds_parameter(self, tensor: Any, running: Any = None) -> bool:
        """Whether a tensor is a parameter, or a view of one, including parameters just loaded.

        Parameters
        ----------
        tensor
            Any value.
        running
            The innermost running module.
        """
        if self._parameters is None:
            parameters = list(self._model.parameters())
            self._parameters = StorageSet()
            for part in (part for parameter in parameters for part in _parts(parameter)):
                self._parameters.add(part)
            self._offloaded = any(parameter.is_meta for parameter in parameters)
        if not is_plain(tensor):
            return False
        if tensor in self._parameters:
            return True
        # Offloaded parameters are in memory while their module runs.
        loaded = parameters_of(running) if self._offloaded and running is not None else ()
        return any(
            address(tensor) == address(parameter) for parameter in loaded if is_plain(parameter)
        )

    def given(self, tensor: Any) -> bool:
        """Whether a tensor was computed from the call's arguments."""
        return is_plain(tensor) and tensor in self._given

    def saw(self, args: tuple[Any, ...], result: Any) -> None:
        """Note the result of an operation."""
        descends = any(map(self.given, tensors(args)))
        change = self._given.add if descends else self._given.discard
        for output in result if isinstance(result, tuple | list) else (result,):
            if is_plain(output):
                change(output)


def _all(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the values, and those in lists and dictionaries among them."""
    for value in values:
        if isinstance(value, dict):
            yield from _all(value.values())
        elif isinstance(value, list | tuple):
            yield from _all(value)
        else:
            yield value


def _parts(tensor: Any) -> Iterator[Any]:
    """Yield the plain tensors that contain a tensor's numbers.

    A subclass that wraps other tensors, e.g. quantized weights, names them itself
    (``__tensor_flatten__``); the memory of one that does not is unknown.
    """
    if is_plain(tensor):
        yield tensor
        return
    flatten = getattr(type(tensor), "__tensor_flatten__", None)
    if flatten is None:
        return
    names, _ = flatten(tensor)
    for name in names:
        yield from _parts(getattr(tensor, name, None))
