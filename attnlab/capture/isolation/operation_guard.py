"""Keeps the operations of a pass from using the user's random generators and changing memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.guards.dispatch_mode import DispatchMode
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.inspection.plain_tensors import is_plain, tensors
from attnlab.capture.isolation.isolated_model import NotIsolatedError
from attnlab.capture.torch_internals import is_composite, is_operation, overload_of, schema_of

if TYPE_CHECKING:
    from attnlab.capture.isolation.isolated_model import IsolatedModel

CHANCES = ("p", "dropout", "dropout_p")
"""Arguments of operations that use random numbers only if they are above 0."""


@dataclass(frozen=True)
class OperationEffects:
    """The possible effects of an operation.

    Attributes
    ----------
    written
        Positions and names of the arguments that it writes to.
    random
        Whether it uses random numbers.
    """

    written: tuple[tuple[int, str], ...] = ()
    random: bool = False


@cache
def _effects(func: Any) -> OperationEffects:
    """Read the effects of an operation from its schema."""
    if not is_operation(func):
        return OperationEffects()
    written = tuple(
        (index, argument.name)
        for index, argument in enumerate(schema_of(func).arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    return OperationEffects(written, torch.Tag.nondeterministic_seeded in func.tags)


def writes(func: Any, args: tuple[Any, ...], kwargs: Any, shared: set[int]) -> bool:
    """Whether an operation writes to memory at one of some addresses."""
    for index, name in _effects(func).written:
        operand = args[index] if index < len(args) else kwargs.get(name)
        for tensor in tensors([operand]):
            if is_plain(tensor) and tensor.untyped_storage().data_ptr() in shared:
                return True
    return False


class OperationGuard(DispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, runs the operations of a pass over an isolated copy.

    Parameters
    ----------
    isolated
        The copy.

    Raises
    ------
    NotIsolatedError
        Before an operation that would change the user's objects.
    """

    def __init__(self, isolated: IsolatedModel) -> None:
        super().__init__()
        self._isolated = isolated

    @hidden_frame
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation."""
        kwargs = kwargs or {}
        effects = _effects(func)
        if effects.written and writes(func, args, kwargs, self._isolated.shared):
            name = func.overloadpacket.__name__
            raise NotIsolatedError(f"its forward pass writes to the model's parameters ({name})")
        if effects.random and (device := _random_device(func, args, kwargs)):
            return self._draw(func, args, kwargs, device)
        return func(*args, **kwargs)

    @hidden_frame
    def _draw(self, func: Any, args: tuple[Any, ...], kwargs: Any, device: Any) -> Any:
        """Run an operation that uses random numbers, with the generator of the pass."""
        generator = self._isolated.generators.for_device(device)
        name, index = func.overloadpacket.__name__, _generator_position(func)
        if index is not None:
            given = args[index] if index < len(args) else kwargs.get("generator")
            if not _of_the_process(given):
                return func(*args, **kwargs)
            # It is the last of the positional arguments.
            return func(*args[:index], **kwargs | {"generator": generator})
        other = OVERLOADS.get(overload_of(func))
        if other is not None and hasattr(func.overloadpacket, other):
            return getattr(func.overloadpacket, other)(*args, **kwargs, generator=generator)
        if name in LIKE:
            empty = torch.ops.aten.empty_like(args[0], **kwargs)
            return getattr(empty, LIKE[name])(*args[1:], generator=generator)
        if name == "native_dropout":
            return _dropout(args[0], args[1], generator)
        if is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        raise NotIsolatedError(f"its forward pass draws random numbers in {name}")


OVERLOADS = {
    "default": "generator",
    "": "generator",
    "low": "low_generator",
    "out": "generator_out",
    "low_out": "low_generator_out",
}
"""Overloads that use the generator of the process, and those that take a generator."""

LIKE = {"rand_like": "uniform_", "randn_like": "normal_", "randint_like": "random_"}
"""Operations without such an overload, and the methods that fill their result."""


def _random_device(func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Return the device that an operation draws random numbers for; None if it draws none."""
    for index, argument in enumerate(schema_of(func).arguments):
        value = (
            args[index] if index < len(args) else kwargs.get(argument.name, argument.default_value)
        )
        never = (argument.name in CHANCES and value == 0) or (
            argument.name == "train" and value is False
        )
        if never and _generator_position(func) is None:
            return None
    first = next(tensors([*args, *kwargs.values()]), None)
    return kwargs.get("device") or ("cpu" if first is None else first.device)


@cache
def _generator_position(func: Any) -> int | None:
    """Return the index of the argument that is a generator; None if there is none."""
    names = [argument.name for argument in schema_of(func).arguments]
    return names.index("generator") if "generator" in names else None


def _of_the_process(generator: Any) -> bool:
    """Whether an operation with this argument uses a generator that all threads share."""
    shared = (None, torch.default_generator, *torch.cuda.default_generators)
    return any(generator is found for found in shared)


def _dropout(given: Any, chance: float, generator: Any) -> tuple[Any, Any]:
    """Compute ``native_dropout`` like PyTorch's CPU kernel."""
    kept = 1 - chance
    mask = torch.empty_like(given, dtype=torch.bool).bernoulli_(kept, generator=generator)
    return given.mul(mask).mul_(1 / kept if kept else 0.0), mask
