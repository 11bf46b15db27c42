"""Attention by plain operations is read exactly, however it arranges and changes its scores."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.watching import differs, only, unnoticed

ITEMS, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 5, 5, 4

GENERATOR = torch.Generator().manual_seed(0)


def noise(*shape):
    return torch.randn(shape, generator=GENERATOR)


HIDDEN = torch.ones(QUERIES, KEYS).triu(1).bool()

PADDING = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]).bool()[:, None, None]

BIAS = noise(1, HEADS, QUERIES, KEYS)

STEPS = {
    "scaled by a number": lambda scores: scores * 0.5,
    "divided by a number": lambda scores: scores / 3.0,
    "divided by a tensor of one number": lambda scores: scores / torch.tensor(WIDTH**0.5),
    "scaled by head": lambda scores: scores * torch.tensor([0.5, 1.0, 2.0])[:, None, None],
    "scaled in place": lambda scores: scores.mul_(0.7),
    "biased": lambda scores: scores + BIAS,
    "biased from the left": lambda scores: BIAS + scores,
    "biased in place": lambda scores: scores.add_(BIAS),
    "less a bias": lambda scores: scores - BIAS,
    "with a constant": lambda scores: scores + 3.0,
    "masked by addition": lambda scores: scores + HIDDEN * torch.finfo(torch.float32).min,
    "masked by addition of -1e4": lambda scores: scores - 1e4 * HIDDEN.float(),
    "masked by infinities": lambda scores: scores.masked_fill(HIDDEN, float("-inf")),
    "filled with the lowest number": lambda scores: torch.where(
        HIDDEN, torch.finfo(scores.dtype).min, scores
    ),
    "filled with -1e9": lambda scores: scores.masked_fill(HIDDEN, -1e9),
    "padded": lambda scores: scores.masked_fill(PADDING, float("-inf")),
    "padded in place": lambda scores: scores.masked_fill_(PADDING, -1e4),
    "capped": lambda scores: 5.0 * torch.tanh(scores / 5.0),
    "with a floor": lambda scores: torch.clamp(scores, min=-1.5),
    "as another type": lambda scores: scores.double().float(),
    "contiguous": lambda scores: scores.contiguous(),
    "detached from nothing": lambda scores: scores.clone(),
    "folded": lambda scores: scores.reshape(-1, *scores.shape[-2:]).view(scores.shape),
    "keys first": lambda scores: (scores.transpose(-1, -2) * 2).transpose(-1, -2),
    "heads last": lambda scores: (scores.permute(0, 2, 3, 1) + BIAS[0].permute(1, 2, 0)).permute(
        0, 3, 1, 2
    ),
    "heads last, contiguous": lambda scores: (
        scores.permute(0, 2, 3, 1).contiguous().mul(1.5).permute(0, 3, 1, 2)
    ),
    "with an axis more": lambda scores: (scores[:, :, None] * 0.9).squeeze(2),
}

PRODUCTS = {
    "matmul": lambda q, k: q @ k.mT,
    "matmul of transposed": lambda q, k: torch.matmul(k, q.mT).mT,
    "einsum": lambda q, k: torch.einsum("bhqd,bhkd->bhqk", q, k),
    "bmm": lambda q, k: torch.bmm(q.flatten(0, 1), k.flatten(0, 1).mT).view(
        ITEMS, HEADS, QUERIES, KEYS
    ),
    "baddbmm": lambda q, k: torch.baddbmm(
        torch.zeros(1), q.flatten(0, 1), k.flatten(0, 1).mT, beta=0.0, alpha=0.25
    ).view(ITEMS, HEADS, QUERIES, KEYS),
}

SOFTMAXES = {
    "softmax": lambda scores: scores.softmax(-1),
    "softmax of folded heads": lambda scores: (
        scores.reshape(-1, QUERIES, KEYS).softmax(-1).view(scores.shape)
    ),
    "softmax of keys first": lambda scores: scores.mT.softmax(-2).mT,
    "softmax in float32": lambda scores: torch.softmax(scores, -1, dtype=torch.float32),
}

MIXES = {
    "matmul": lambda weights, v: weights @ v,
    "einsum": lambda weights, v: torch.einsum("bhqk,bhkd->bhqd", weights, v),
    "bmm": lambda weights, v: torch.bmm(weights.flatten(0, 1), v.flatten(0, 1)).view(
        *weights.shape[:3], WIDTH
    ),
    "values first": lambda weights, v: torch.matmul(v.mT, weights.mT).mT,
}


class Attention(torch.nn.Module):
    """Attention that consists of some steps; it keeps the weights that it has used."""

    num_heads = HEADS

    def __init__(self, product, steps, softmax, mix):
        super().__init__()
        self.chosen = PRODUCTS[product], [STEPS[name] for name in steps], SOFTMAXES[softmax]
        self.mix = MIXES[mix]
        self.used: Any = None

    def forward(self, query, key, value):
        product, steps, softmax = self.chosen
        scores = product(query, key)
        for step in steps:
            scores = step(scores)
        weights = softmax(scores)
        self.used = weights.detach().clone()
        return self.mix(weights, value)


@given(
    product=st.sampled_from(list(PRODUCTS)),
    steps=st.lists(st.sampled_from(list(STEPS)), max_size=5),
    softmax=st.sampled_from(list(SOFTMAXES)),
    mix=st.sampled_from(list(MIXES)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(product="matmul", steps=["with a constant", "capped"], softmax="softmax", mix="matmul")
@example(product="bmm", steps=["with a constant", "with a floor"], softmax="softmax", mix="bmm")
def test_any_chain_of_steps_ends_in_the_weights_that_were_used(product, steps, softmax, mix):
    given_ = noise(ITEMS, HEADS, QUERIES, WIDTH), *noise(2, ITEMS, HEADS, KEYS, WIDTH)
    models = []

    def make():
        models.append(Attention(product, steps, softmax, mix))
        return models[-1]

    recorded = only(unnoticed(make, lambda model: model(*given_)))
    assert [site.record.query is not None for site in recorded.sites] == [True]
    assert differs(recorded, [models[-1].used]) < 2e-5
    (site,) = recorded.sites
    assert site.certificate.exact, site.certificate
    assert site.method == "tap"


@given(steps=st.lists(st.sampled_from(list(STEPS)), max_size=3))
@settings(max_examples=15, deadline=None)
def test_gradients_flow_through_it_as_without(steps):
    given_ = noise(ITEMS, HEADS, QUERIES, WIDTH), *noise(2, ITEMS, HEADS, KEYS, WIDTH)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.project = torch.nn.Linear(WIDTH, WIDTH)
            self.attention = Attention("matmul", steps, "softmax", "matmul")

        def forward(self, query, key, value):
            return self.attention(self.project(query), self.project(key), self.project(value))

    recorded = only(unnoticed(Model, lambda model: model(*given_), gradients=True))
    assert recorded.sites[0].name == "attention"
