"""What of a forward pass follows from the model alone, and what from what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.plain import plain, tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class State:
    """Knows a model's parameters, and the tensors that descend from a call's arguments.

    Layers may multiply by what is no parameter at the time: weights that are unpacked from
    few bits, loaded for one call, or merged with others. None of that descends from what the
    call was given.

    Parameters
    ----------
    model
        The module that was called.
    args, kwargs
        What it was called with.
    """

    def __init__(self, model: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
        self._model = model
        self._parameters: set[int] | None = None
        self._offloaded = False
        self._given = {_place(own) for own in _all([*args, *kwargs.values()]) if plain(own)}

    def holds_parameter(self, tensor: Any, running: Any = None) -> bool:
        """Whether a tensor is a parameter, or a view of one, also of one just loaded.

        Parameters
        ----------
        running
            The innermost module that is running.
        """
        if self._parameters is None:
            own = list(self._model.parameters())
            self._parameters = {place for one in own for place in _places(one)}
            self._offloaded = any(one.is_meta for one in own)
        if not plain(tensor):
            return False
        if _place(tensor) in self._parameters:
            return True
        # Offloaded parameters are in memory while their own module runs.
        held = running._parameters.values() if self._offloaded and running is not None else ()
        return any(_place(tensor) == _place(own) for own in held if plain(own))

    def given(self, tensor: Any) -> bool:
        """Whether a tensor descends from what the call was given."""
        return plain(tensor) and _place(tensor) in self._given

    def saw(self, args: tuple[Any, ...], result: Any) -> None:
        """Know an operation that was computed."""
        descends = any(map(self.given, tensors(args)))
        change = self._given.add if descends else self._given.discard
        for own in result if isinstance(result, tuple | list) else (result,):
            if plain(own):
                change(_place(own))


def _all(values: Iterable[Any]) -> Iterator[Any]:
    """List the values, and those in lists and dicts among them."""
    for value in values:
        if isinstance(value, dict):
            yield from _all(value.values())
        elif isinstance(value, list | tuple):
            yield from _all(value)
        else:
            yield value


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
