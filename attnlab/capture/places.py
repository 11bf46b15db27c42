"""Where in a model an attention call was made: name, kind, stack and number of its layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnlab.capture.records import Kind

CROSS = re.compile(r"cross|encdec|enc_dec|encoder_attn|multihead_attn", re.IGNORECASE)

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


@dataclass
class Place:
    """Where one call was made."""

    name: str
    stack: str
    crosses: bool
    square: bool
    layer: int = 0
    depth: int = 0
    """How many layers the stack has, with those that have no attention; 0 if not known."""

    def kind(self, causal: bool) -> Kind:
        """Tell what attends to what."""
        if self.crosses:
            return "cross"
        if causal:
            return "decoder"
        return "encoder" if self.square else "cross"


class Places:
    """Finds the places of calls in one model."""

    def __init__(self, model: Any) -> None:
        self._modules = dict(model.named_modules())
        self._paths = {id(module): path for path, module in self._modules.items()}

    def of(self, calls: list[tuple[Any, tuple[int, int]]]) -> list[Place]:
        """Find the places of modules that were called, with (queries, keys), in order."""
        places = [self._place(module, *shape) for module, shape in calls]
        for stack in {place.stack for place in places}:
            self._part(
                [index for index, place in enumerate(places) if place.stack == stack], calls, places
            )
        stacks: dict[tuple[str, bool], list[int]] = {}
        for index, place in enumerate(places):
            stacks.setdefault((place.stack, place.crosses), []).append(index)
        for indices in stacks.values():
            modules = [calls[index][0] for index in indices]
            layers = self._layers(modules)
            depth = self._depth(modules[0])
            for index, layer in zip(indices, layers, strict=True):
                places[index].layer = layer
                places[index].depth = depth if max(layers) < depth else 0
        return places

    def _part(
        self, indices: list[int], calls: list[tuple[Any, tuple[int, int]]], places: list[Place]
    ) -> None:
        """Take a second call of each layer as a stack of its own, e.g. a tower's second picture.

        One module that is called again and again is a stack whose layers share it.
        """
        modules = [calls[index][0] for index in indices]
        if len({id(module) for module in modules}) < 2:
            return
        counted: dict[int, int] = {}
        for index, module in zip(indices, modules, strict=True):
            count = counted[id(module)] = counted.get(id(module), 0) + 1
            if count > 1:
                places[index].stack += f" ({count})"

    def _place(self, module: Any, queries: int, keys: int) -> Place:
        path = self._paths.get(id(module), "")
        # Only the nearest names: a whole model may be called a cross-encoder.
        near = " ".join([*path.split(".")[-2:], type(module).__name__])
        crosses = bool(getattr(module, "is_cross_attention", False) or CROSS.search(near))
        stack = NUMBER.sub("#", path)
        return Place(path or type(module).__name__, stack, crosses, queries == keys)

    def _layers(self, modules: list[Any]) -> list[int]:
        """Give the layers of a stack numbers: the model's own where they rise, else by order."""
        paths = [self._paths.get(id(module), "") for module in modules]
        told = [getattr(module, "layer_idx", None) for module in modules]
        named = [NUMBER.findall(path) for path in paths]
        single = [int(numbers[0]) if len(numbers) == 1 else None for numbers in named]
        for numbers in (told, single):
            whole = [number for number in numbers if isinstance(number, int)]
            if len(whole) == len(modules) and all(a < b for a, b in pairwise(whole)):
                return whole
        return list(range(len(modules)))

    def _depth(self, module: Any) -> int:
        """Count the layers of the list that a module is in, where it is in one alone."""
        names = self._paths.get(id(module), "").split(".")
        numbers = [at for at, name in enumerate(names) if name.isdecimal()]
        if len(numbers) != 1:
            return 0
        layers = self._modules[".".join(names[: numbers[0]])]
        return len(layers) if hasattr(layers, "__len__") else 0
