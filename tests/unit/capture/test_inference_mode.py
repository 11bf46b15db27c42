"""In inference mode, PyTorch's composite operations give the same bits under the tap."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.unit.watching import unnoticed

SIZE = 8


def given(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


def imaginary(real, part):
    return torch.complex(real.float(), part.float())


X = given(2, 4, SIZE, SIZE)
HEADS = given(2, 2, 5, 4)


class Model(nn.Module):
    """Has parameters for any operation, and attends, so that something is followed."""

    def __init__(self, operation):
        super().__init__()
        torch.manual_seed(0)
        self.operation = operation
        self.layer, self.square = nn.Linear(4, 4), nn.Linear(SIZE, SIZE)
        self.convolution = nn.Conv2d(4, 4, 1)
        self.attention = nn.MultiheadAttention(SIZE, 2, batch_first=True)
        self.recurrent = nn.GRU(SIZE, SIZE, batch_first=True)

    def forward(self, x):
        attended = functional.scaled_dot_product_attention(x, x, x)
        return self.operation(self, (attended @ attended.mT).softmax(-1) @ attended)


OPERATIONS = {
    "linear, heads last": lambda m, x: m.layer(x.permute(0, 2, 3, 1)),
    "linear of weights, heads last": lambda m, x: m.layer(x.softmax(-1).permute(0, 2, 3, 1)),
    "linear of scores": lambda m, x: m.layer((x @ x.mT).permute(0, 2, 3, 1)).softmax(1),
    "matmul": lambda m, x: x.permute(0, 2, 3, 1) @ m.layer.weight.t(),
    "einsum": lambda m, x: torch.einsum("bhij,hg->bgij", x, m.layer.weight),
    "einsum of activations": lambda m, x: torch.einsum("bhij,bhjk->bhik", x, x),
    "convolution": lambda m, x: m.convolution(x),
    "multi-head attention": lambda m, x: m.attention(x[:, 0], x[:, 1], x[:, 2])[0],
    "multi-head attention, for all": lambda m, x: m.attention(x[:, 0], x[:, 0], x[:, 0])[1],
    "fused, grouped": lambda m, x: functional.scaled_dot_product_attention(
        x, x[:, :2], x[:, :2], enable_gqa=True
    ),
    "fused, masked": lambda m, x: functional.scaled_dot_product_attention(
        x, x, x, attn_mask=given(2, 4, SIZE, SIZE)
    ),
    "norms": lambda m, x: functional.group_norm(functional.layer_norm(x, (SIZE,)), 2),
    "conjugated": lambda m, x: torch.view_as_real(
        torch.matmul(imaginary(x, x).conj(), imaginary(x, -x))
    ),
    "conjugated in an einsum": lambda m, x: torch.view_as_real(
        torch.einsum("bhij,bhjk->bhik", imaginary(x, x).conj(), imaginary(x, x).conj())
    ),
    "negated": lambda m, x: torch.matmul(imaginary(x, x).conj().imag, x.float()),
    "recurrent": lambda m, x: m.recurrent(x[:, 0])[0],
    "softmax over heads": lambda m, x: x.permute(0, 3, 1, 2).softmax(-1),
}


@pytest.mark.parametrize("cast", [None, torch.bfloat16])
@pytest.mark.parametrize("name", OPERATIONS)
def test_composite_operations_give_the_same_bits(name, cast):
    def call(model):
        casting = nullcontext() if cast is None else torch.autocast("cpu", dtype=cast)
        with torch.inference_mode(), casting:
            return model(X)

    outcomes = unnoticed(lambda: Model(OPERATIONS[name]), call)
    assert "inside attnlab" not in str(outcomes)
