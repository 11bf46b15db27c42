"""Lists the functions that use the random generators of the process, and their replacements.

On the thread of a pass that attnlab makes, they use the generators of that pass instead.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.python_internals import PYTHON_GENERATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnlab.capture.isolation.random_generators import RandomGenerators

    Part = tuple[Any, str, Callable[[RandomGenerators], Callable[..., Any]]]
    """A module, the name of its function, and a function that returns the replacement."""

DEVICES = ("torch.cuda", "torch.xpu")


def parts() -> Iterator[Part]:
    """Yield the functions that use a generator of the process."""
    for name, function in list(vars(random).items()):
        if getattr(function, "__self__", None) is PYTHON_GENERATOR:
            yield random, name, partial(_python, name)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        for name in numpy.__all__:
            if hasattr(numpy.RandomState, name):
                yield numpy, name, partial(_numpy, name)
    torch = sys.modules.get("torch")
    if torch is not None:
        for module in (torch, torch.random):
            for name, replacement in _pytorch("cpu"):
                yield module, name, replacement
        for library in DEVICES:
            module = sys.modules.get(library)
            if module is not None and module.is_available():
                for name, replacement in _device(library.removeprefix("torch.")):
                    yield module, name, replacement


def _python(name: str, generators: RandomGenerators) -> Callable[..., Any]:
    return getattr(generators.python, name)  # type: ignore[no-any-return]


def _numpy(name: str, generators: RandomGenerators) -> Callable[..., Any]:
    return getattr(generators.for_numpy(), name)  # type: ignore[no-any-return]


def _pytorch(device: str) -> Iterator[tuple[str, Callable[[RandomGenerators], Callable[..., Any]]]]:
    """Yield the functions of PyTorch's CPU generator."""
    yield "manual_seed", lambda generators: generators.seed_all
    yield (
        "seed",
        lambda generators: lambda: generators.seed_all(random.SystemRandom().getrandbits(63)),
    )
    yield "initial_seed", lambda generators: generators.for_device(device).initial_seed
    yield "get_rng_state", lambda generators: generators.for_device(device).get_state
    yield "set_rng_state", lambda generators: generators.for_device(device).set_state


def _device(kind: str) -> Iterator[tuple[str, Callable[[RandomGenerators], Callable[..., Any]]]]:
    """Yield the functions of the generators of a type of device."""
    for name in ("manual_seed", "manual_seed_all"):
        yield name, lambda generators: generators.seed_all
    for name in ("seed", "seed_all"):
        yield (
            name,
            lambda generators: lambda: generators.seed_all(random.SystemRandom().getrandbits(63)),
        )
    yield "initial_seed", lambda generators: lambda: generators.for_device(kind).initial_seed()
    yield (
        "get_rng_state",
        lambda generators: lambda device=kind: generators.for_device(device).get_state(),
    )
    yield (
        "set_rng_state",
        lambda generators: (
            lambda state, device=kind: generators.for_device(device).set_state(state)
        ),
    )
