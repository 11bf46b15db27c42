"""Random numbers for a pass that attnlab makes, without using up those of the user.

The generators of PyTorch, Python and NumPy belong to the whole process. Saving and restoring their
state would revert what other threads have drawn meanwhile. So such a pass has separate generators
that start with the same state: it draws the numbers that the user's pass would draw.
"""

from __future__ import annotations

import copy
import random
import sys
from typing import TYPE_CHECKING, Any

from attnlab.capture.python_internals import PYTHON_GENERATOR, numpy_generator
from attnlab.capture.torch_internals import mps_generator

if TYPE_CHECKING:
    import torch


class RandomGenerators:
    """The random generators of one pass.

    Parameters
    ----------
    state
        Initial state of PyTorch's CPU generator; None for its current state.

    Attributes
    ----------
    python : random.Random
        The replacement for the generator behind the functions of Python's module `random`.
    """

    def __init__(self, state: torch.Tensor | None = None) -> None:
        self._state = state
        self._pytorch: dict[Any, torch.Generator] = {}
        self._numpy: Any = None
        self._seed: int | None = None
        """Seed of the devices whose generator was not used yet, once a seed was set."""
        self.python = random.Random()
        self.python.setstate(PYTHON_GENERATOR.getstate())

    def for_device(self, device: Any) -> torch.Generator:
        """Return the replacement for the generator of a device."""
        import torch

        device = torch.device(device)
        if device.type != "cpu" and device.index is None:
            device = torch.device(device.type, torch.accelerator.current_device_index())
        if device not in self._pytorch:
            generator = torch.Generator(device)
            if self._seed is not None:
                generator.manual_seed(self._seed)
            elif device.type == "cpu" and self._state is not None:
                generator.set_state(self._state)
            else:
                generator.set_state(_shared(device).get_state())
            self._pytorch[device] = generator
        return self._pytorch[device]

    def copy_of(self, given: torch.Generator) -> torch.Generator:
        """Return the replacement for a generator of the process or of a model."""
        import torch

        if given is torch.default_generator:
            return self.for_device("cpu")
        return given.clone_state()

    def numpy_copy_of(self, given: Any) -> Any:
        """Return the replacement for a NumPy object."""
        numpy = sys.modules["numpy"]
        if given is numpy_generator():
            return self.for_numpy()
        kinds = (numpy.random.RandomState, numpy.random.Generator, numpy.random.BitGenerator)
        kind = type(given)
        if issubclass(kind, kinds):
            return copy.deepcopy(given)
        return given.copy() if kind is numpy.ndarray and given.dtype != object else given

    def for_numpy(self) -> Any:
        """Return the replacement for the generator behind the functions of `numpy.random`."""
        if self._numpy is None:
            numpy = sys.modules["numpy"]
            self._numpy = numpy.random.RandomState()
            self._numpy.set_state(numpy_generator().get_state())
        return self._numpy

    def seed_all(self, seed: int) -> torch.Generator:
        """Seed all generators, as ``torch.manual_seed`` does; returns that of the CPU."""
        for device in ["cpu", *self._pytorch]:
            self.for_device(device).manual_seed(int(seed))
        self._seed = int(seed)
        return self.for_device("cpu")


def _shared(device: torch.device) -> torch.Generator:
    """Return the generator of a device that all threads share."""
    import torch

    if device.type == "cpu":
        return torch.default_generator
    library: Any = torch.get_device_module(device)
    if device.type == "mps":
        return mps_generator(library)
    return library.default_generators[device.index]  # type: ignore[no-any-return]
