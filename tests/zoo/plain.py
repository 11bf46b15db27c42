"""Models of plain PyTorch, and the arithmetic of their weights written out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.zoo.inputs import noise
from tests.zoo.oracle import Oracle
from tests.zoo.scores import HEADS, WAYS, WIDTH, Way
from tests.zoo.specimen import QK, Expected, Specimen, spread

SIZE = HEADS * WIDTH


class Layer(nn.Module):
    """One attention layer, its attention written in some way."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.way = way
        self.q, self.o = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.k, self.v = (nn.Linear(SIZE, way.groups * WIDTH) for _ in range(2))

    def project(self, x: Tensor, memory: Tensor) -> list[Tensor]:
        parts = self.q(x), self.k(memory), self.v(memory)
        return [part.unflatten(-1, (-1, WIDTH)).transpose(1, 2) for part in parts]

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.o(self.way.attend(*self.project(x, memory)).transpose(1, 2).flatten(2))

    def truth(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Output and weights by the definition of softmax."""
        q, k, v = self.project(x, memory)
        powers = torch.exp(self.way.scores(q, k).double())
        weights = (powers / powers.sum(-1, keepdim=True)).float()
        values = v.repeat_interleave(HEADS // v.shape[1], 1)
        return self.o((weights @ values).transpose(1, 2).flatten(2)), weights


class Stack(nn.Module):
    """Two layers; with a memory, they look across to it."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(way) for _ in range(2))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = x + layer(x, x if memory is None else memory)
        return x

    def truth(self, x: Tensor, memory: Tensor | None = None) -> list[Tensor]:
        heard: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            output, weights = layer.truth(x, x if memory is None else memory)
            x = x + output
            heard.extend(weights.split(1, dim=1) if layer.way.apart else [weights])
        return heard


class Routed(Stack):
    """Attention, then experts weighed by a softmax, then a softmax over a vocabulary."""

    def __init__(self, way: Way) -> None:
        super().__init__(way)
        self.router, self.vocabulary = nn.Linear(SIZE, 3), nn.Linear(SIZE, 60)
        self.experts = nn.ModuleList(nn.Linear(SIZE, SIZE) for _ in range(3))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        x = super().forward(x, memory)
        chances = functional.softmax(self.router(x), dim=-1)
        said = torch.stack([expert(x) for expert in self.experts], dim=-2)
        x = x + (chances[..., None, :] @ said).squeeze(-2)
        return self.vocabulary(x).softmax(-1)


class OneSequence(nn.Module):
    """The attention of a first lesson: one head, one sequence, two axes."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.q(x) @ self.k(x).T / math.sqrt(SIZE), dim=-1) @ self.v(x)

    def truth(self, x: Tensor) -> list[Tensor]:
        powers = torch.exp(self.q(x) @ self.k(x).T / SIZE**0.5)
        return [(powers / powers.sum(-1, keepdim=True))[None, None]]


@dataclass(frozen=True)
class Arithmetic(Oracle):
    """The weights by arithmetic that the zoo's own module has."""

    def weights(self, model: Any, inputs: Mapping[str, Any]) -> list[Tensor]:
        with torch.no_grad():
            return model.truth(**inputs)


def plain(
    name: str,
    variant: str,
    make: Callable[[], nn.Module],
    given: Mapping[str, Any],
    oracle: Oracle | None = None,
    expected: Expected = QK,
    deviation: float = 0.2,
) -> Specimen:
    """A module of plain PyTorch."""

    def seeded(implementation: str | None) -> nn.Module:
        torch.manual_seed(0)
        return spread(make(), deviation)

    oracle = oracle or Arithmetic()
    kind = type(make()).__name__
    return Specimen(name, variant, kind, seeded, given, "plain", oracle, expected=expected)


HERE = {"x": noise(2, 9, SIZE)}
ACROSS = {"x": noise(2, 5, SIZE), "memory": noise(2, 9, SIZE, seed=6)}

PLAIN: list[Specimen] = [
    *(plain("hand-written", name, partial(Stack, way), HERE) for name, way in WAYS.items()),
    plain("hand-written", "fused, across", lambda: Stack(WAYS["fused"]), ACROSS),
    plain("hand-written", "einsum, across", lambda: Stack(WAYS["einsum"]), ACROSS),
    plain("hand-written", "router and vocabulary", lambda: Routed(WAYS["operators"]), HERE),
    plain("hand-written", "two axes", OneSequence, {"x": noise(9, SIZE)}),
]
