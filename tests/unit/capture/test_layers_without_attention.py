"""Layers whose weights are not parameters at that time are never mistaken for attention."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from tests.unit.watching import only, unnoticed

LENGTH, SIZE, WIDE = 9, 12, 20
MODES = [torch.no_grad, torch.inference_mode, torch.enable_grad]
ACTIVATIONS = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "squared relu": lambda x: torch.relu(x) ** 2,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "clamp": lambda x: x.clamp(min=0),
}


def given():
    return torch.randn(2, LENGTH, SIZE, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    """The only attention of each model."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))

    def forward(self, x):
        return x + (self.q(x) @ self.k(x).mT).softmax(-1) @ self.v(x)


class Layer(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.attention, self.activation = Attention(), activation
        self.up, self.gate = (nn.Parameter(torch.randn(WIDE, SIZE)) for _ in range(2))
        self.down = nn.Parameter(torch.randn(SIZE, WIDE))

    def weights(self):
        return self.up, self.gate, self.down

    def forward(self, x):
        x = self.attention(x)
        up, gate, down = self.weights()
        return (self.activation(x @ up.T) * (x @ gate.T)) @ down.T


class Loaded(Layer):
    """Copied for each call, as if parameters are stored elsewhere."""

    def weights(self):
        return [entry.detach().clone() for entry in super().weights()]


class Unpacked(Layer):
    def __init__(self, activation):
        super().__init__(activation)
        for name in ("up", "gate", "down"):
            weight = getattr(self, name).detach()
            delattr(self, name)
            self.register_buffer(f"{name}_bits", (weight * 32).round().to(torch.int8))

    def weights(self):
        return [getattr(self, f"{name}_bits").float() / 32 for name in ("up", "gate", "down")]


class Merged(Layer):
    """With a low-rank difference that is added for each use."""

    def __init__(self, activation):
        super().__init__(activation)
        self.a, self.b = nn.Parameter(torch.randn(WIDE, 2)), nn.Parameter(torch.randn(2, SIZE))

    def weights(self):
        change = self.a @ self.b
        return self.up + change, self.gate - change, self.down + change.T


class Batched(Layer):
    """Each item has a copy, and the product is batched."""

    def forward(self, x):
        x = self.attention(x)
        up, gate, down = (entry.expand(2, -1, -1) * 1.0 for entry in self.weights())
        return torch.bmm(self.activation(torch.bmm(x, up.mT)) * torch.bmm(x, gate.mT), down.mT)


class Generated(Layer):
    """A hypernetwork: its weights are computed from the text."""

    def __init__(self, activation):
        super().__init__(activation)
        self.make = nn.Linear(SIZE, 2 * WIDE * SIZE)

    def forward(self, x):
        x = self.attention(x)
        up, down = self.make(x.mean(1)).unflatten(-1, (2, WIDE, SIZE)).unbind(1)
        return self.activation(x @ up.mT) @ down


class Normed(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.attention, self.activation = Attention(), activation
        self.up = parametrizations.weight_norm(nn.Linear(SIZE, WIDE))
        self.down = parametrizations.spectral_norm(nn.Linear(WIDE, SIZE))

    def forward(self, x):
        return self.down(self.activation(self.up(self.attention(x))))


class Called(nn.Module):
    """Called with parameters of another module."""

    def __init__(self, activation):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(SIZE, WIDE), Act(activation), nn.Linear(WIDE, SIZE))
        self.attention = Attention()

    def forward(self, x):
        others = {name: entry.detach() * 1.5 for name, entry in self.inner.named_parameters()}
        return torch.func.functional_call(self.inner, others, (self.attention(x),))


class Act(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.activation = activation

    def forward(self, x):
        return self.activation(x)


class Indexed(nn.Module):
    """Selects keys by activated products, summed over heads with learned weights."""

    def __init__(self, activation):
        super().__init__()
        self.activation, self.attention = activation, Attention()
        self.q, self.k, self.w = nn.Linear(SIZE, 4 * 3), nn.Linear(SIZE, 3), nn.Linear(SIZE, 4)

    def forward(self, x):
        q = self.q(x).unflatten(-1, (4, 3))
        seen = self.activation(torch.einsum("bqhd,bkd->bqhk", q, self.k(x)))
        chosen = torch.einsum("bqhk,bqh->bqk", seen, self.w(x)).topk(3, dim=-1).indices
        return self.attention(x) + chosen.sum(-1, keepdim=True)


class Experts(nn.Module):
    """A router by softmax over loaded weights, and experts that it mixes."""

    def __init__(self, activation):
        super().__init__()
        self.activation, self.attention = activation, Attention()
        self.router = nn.Parameter(torch.randn(SIZE, 3))
        self.experts = nn.Parameter(torch.randn(3, SIZE, SIZE))

    def forward(self, x):
        x = self.attention(x)
        chances = self.activation(x @ self.router.detach().clone())
        mixed = torch.einsum("bte,edf->btdf", chances, self.experts.clone())
        return torch.einsum("btd,btdf->btf", x, mixed)


LAYERS = [
    Layer, Loaded, Unpacked, Merged, Batched, Generated, Normed, Called, Indexed, Experts,
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", LAYERS)
def test_only_the_attention_is_shown_and_the_layer_is_not_mentioned(kind, activation):
    def make():
        torch.manual_seed(0)
        return kind(ACTIVATIONS[activation]).eval()

    for context in MODES[: 1 + (kind is Layer)]:

        def call(model, context=context):
            with context():
                return model(given())

        recorded = only(unnoticed(make, call))
        assert [site.name for site in recorded.sites] == ["attention"]
        assert not [note for note in recorded.notes if "not shown" in note]
