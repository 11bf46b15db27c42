"""Determines the position of attention calls in a model: path, kind, stack and layer number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnlab.capture.record.attention_record import Kind

CROSS = re.compile(r"cross|encdec|enc_dec|encoder_attn|multihead_attn", re.IGNORECASE)

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


@dataclass
class LayerPosition:
    """The position of one attention call in the model."""

    name: str
    stack: str
    crosses: bool
    square: bool
    layer: int = 0
    depth: int = 0
    """Number of layers of the stack, including those without attention; 0 if unknown."""

    def kind(self, causal: bool) -> Kind:
        """Return the kind of attention."""
        if self.crosses:
            return "cross"
        if causal:
            return "decoder"
        return "encoder" if self.square else "cross"


class LayerPositions:
    """Determines the positions of calls in one model."""

    def __init__(self, model: Any) -> None:
        self._modules = dict(model.named_modules())
        self._paths = {id(module): path for path, module in self._modules.items()}

    def of(self, calls: list[tuple[Any, tuple[int, int]]]) -> list[LayerPosition]:
        """Return the positions of module calls, given with (queries, keys), in order."""
        positions = [self._position(module, *shape) for module, shape in calls]
        for stack in {position.stack for position in positions}:
            self._separate_repetitions(
                [index for index, position in enumerate(positions) if position.stack == stack],
                calls,
                positions,
            )
        stacks: dict[tuple[str, bool], list[int]] = {}
        for index, position in enumerate(positions):
            stacks.setdefault((position.stack, position.crosses), []).append(index)
        for indices in stacks.values():
            modules = [calls[index][0] for index in indices]
            layers = self._layers(modules)
            depth = self._depth(modules[0])
            for index, layer in zip(indices, layers, strict=True):
                positions[index].layer = layer
                positions[index].depth = depth if max(layers) < depth else 0
        return positions

    def _separate_repetitions(
        self,
        indices: list[int],
        calls: list[tuple[Any, tuple[int, int]]],
        positions: list[LayerPosition],
    ) -> None:
        """Treat a second call of each layer as another stack, e.g. a tower's second image.

        A single module that is called repeatedly is a stack whose layers share it.
        """
        modules = [calls[index][0] for index in indices]
        if len({id(module) for module in modules}) < 2:
            return
        counted: dict[int, int] = {}
        for index, module in zip(indices, modules, strict=True):
            count = counted[id(module)] = counted.get(id(module), 0) + 1
            if count > 1:
                positions[index].stack += f" ({count})"

    def _position(self, module: Any, queries: int, keys: int) -> LayerPosition:
        path = self._paths.get(id(module), "")
        # Only the nearest names: the name of a whole model may be "cross-encoder".
        near = " ".join([*path.split(".")[-2:], type(module).__name__])
        crosses = bool(getattr(module, "is_cross_attention", False) or CROSS.search(near))
        stack = NUMBER.sub("#", path)
        return LayerPosition(path or type(module).__name__, stack, crosses, queries == keys)

    def _layers(self, modules: list[Any]) -> list[int]:
        """Return the numbers of a stack's layers: the model's if they increase, else by order."""
        paths = [self._paths.get(id(module), "") for module in modules]
        indices = [getattr(module, "layer_idx", None) for module in modules]
        named = [NUMBER.findall(path) for path in paths]
        single = [int(numbers[0]) if len(numbers) == 1 else None for numbers in named]
        for numbers in (indices, single):
            whole = [number for number in numbers if isinstance(number, int)]
            if len(whole) == len(modules) and all(a < b for a, b in pairwise(whole)):
                return whole
        return list(range(len(modules)))

    def _depth(self, module: Any) -> int:
        """Return the number of layers of the list that contains a module, if there is one list."""
        names = self._paths.get(id(module), "").split(".")
        numbers = [index for index, name in enumerate(names) if name.isdecimal()]
        if len(numbers) != 1:
            return 0
        layers = self._modules[".".join(names[: numbers[0]])]
        return len(layers) if hasattr(layers, "__len__") else 0
