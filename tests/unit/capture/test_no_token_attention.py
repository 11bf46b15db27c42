"""Computations that are not attention between tokens are refused with the right reason."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from attnlab.capture.record.recorded_call import Refusal
from tests.unit.outcomes import only_refusal
from tests.unit.watching import only, unnoticed

MODES = [torch.no_grad, torch.inference_mode, torch.enable_grad]
HEADS = 2


def tokens(length, width, items=2):
    return torch.randn(items, length, width, generator=torch.Generator().manual_seed(0))


class Projected(nn.Module):
    def __init__(self, width, heads=HEADS):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def parts(self, x):
        """Return queries, keys and values (items, heads, tokens, width of a head)."""
        items, length, width = x.shape
        parts = self.qkv(x).reshape(items, length, 3, self.heads, width // self.heads)
        return parts.permute(2, 0, 3, 1, 4).unbind(0)


class CrossCovariance(Projected):
    """XCiT: channels of a head attend to channels of the same head."""

    def forward(self, x):
        q, k, v = (part.transpose(-2, -1) for part in self.parts(x))
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        weights = (q @ k.transpose(-2, -1) * 2.0).softmax(dim=-1)
        return self.proj((weights @ v).permute(0, 3, 1, 2).reshape(x.shape))


class CrossCovarianceAndDropout(CrossCovariance):
    def forward(self, x):
        q, k, v = (part.transpose(-2, -1) for part in self.parts(x))
        weights = functional.dropout((q @ k.mT / x.shape[1]).softmax(dim=-1), 0.0)
        mixed = (weights @ v).permute(0, 3, 1, 2).flatten(2)
        return self.proj(mixed * x.sigmoid())


class ChannelAttention(Projected):
    """DaViT: keys and values give the weights, which mix the queries."""

    def forward(self, x):
        q, k, v = self.parts(x)
        weights = (k.transpose(-1, -2) @ v / math.sqrt(x.shape[-1])).softmax(dim=-1)
        mixed = (weights @ q.transpose(-1, -2)).transpose(-1, -2)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class Transposed(nn.Module):
    """Restormer: channels of an image attend to one another, with 1 × 1 convolutions."""

    def __init__(self, width):
        super().__init__()
        self.qkv, self.out = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        picture = x.transpose(1, 2).unflatten(-1, (-1, 4))
        q, k, v = (
            entry.unflatten(1, (HEADS, -1)).flatten(3) for entry in self.qkv(picture).chunk(3, 1)
        )
        q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
        mixed = (q @ k.mT).softmax(-1) @ v
        return self.out(mixed.reshape(picture.shape)).flatten(2).transpose(1, 2)


class Efficient(Projected):
    """Linear attention with two softmaxes: over tokens for keys, over channels for queries."""

    def forward(self, x):
        q, k, v = self.parts(x)
        context = k.transpose(-1, -2).softmax(-1) @ v
        return self.proj((q.softmax(-1) @ context).transpose(1, 2).flatten(2))


CHANNELS = [CrossCovariance, CrossCovarianceAndDropout, ChannelAttention, Transposed, Efficient]


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize(("length", "width"), [(12, 8), (4, 8), (8, 8), (16, 32), (8, 16)])
@pytest.mark.parametrize("kind", CHANNELS)
def test_attention_between_channels_is_not_shown_as_positions(kind, length, width, context):
    def call(model):
        with context():
            return model(tokens(length, width))

    def make():
        torch.manual_seed(0)
        return kind(width).eval()

    outcomes = unnoticed(make, call, gradients=context is torch.enable_grad)
    assert [type(entry) for entry in outcomes] == [Refusal], outcomes
    assert "between channels, not between tokens" in only_refusal(outcomes).cause


class Plain(Projected):
    def forward(self, x):
        q, k, v = self.parts(x)
        weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Grouped(Projected):
    """Several query heads in one product with one head of keys and values."""

    def forward(self, x):
        q, k, v = self.parts(x)
        weights = (q.flatten(1, 2) @ k[:, 0].mT).softmax(-1)
        mixed = (weights @ v[:, 0]).unflatten(1, (self.heads, -1))
        return self.proj(mixed.transpose(1, 2).flatten(2))


class ReadWhole(Projected):
    """Followed by a layer over all tokens and channels, without a projection."""

    def __init__(self, width, heads=HEADS, length=8):
        super().__init__(width, heads)
        self.read = nn.Linear(length * width, 3)

    def forward(self, x):
        q, k, v = self.parts(x)
        mixed = (q @ k.mT).softmax(-1) @ v
        return self.read(mixed.transpose(1, 2).flatten(1))


class ThroughAgents(Projected):
    """Two attentions of which the second reads the first one's output as its values."""

    def forward(self, x):
        q, k, v = self.parts(x)
        agents = q[:, :, ::2]
        seen = (agents @ k.mT).softmax(-1) @ v
        return self.proj(((q @ agents.mT).softmax(-1) @ seen).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("kind", [Plain, Grouped, ReadWhole, ThroughAgents])
def test_attention_between_as_many_tokens_as_channels_is_shown(kind, width, context):
    def call(model):
        with context():
            return model(tokens(8, width))

    def make():
        torch.manual_seed(0)
        return kind(width).eval()

    recorded = only(unnoticed(make, call, gradients=context is torch.enable_grad))
    assert len(recorded.sites) == (2 if kind is ThroughAgents else 1)
    assert all(site.certificate.exact for site in recorded.sites)
    assert not [note for note in recorded.notes if "not shown" in note]


# --- a softmax block by block -------------------------------------------------------------


class Online(Projected):
    """Flash attention in Python: a running maximum by which sums are rescaled."""

    def forward(self, x):
        q, k, v = self.parts(x)
        highest = torch.full((*q.shape[:-1], 1), -math.inf)
        total, mixed = torch.zeros_like(highest), torch.zeros_like(q)
        for keys, values in zip(k.split(4, dim=2), v.split(4, dim=2), strict=True):
            scores = q @ keys.mT / math.sqrt(q.shape[-1])
            now = torch.maximum(highest, scores.amax(-1, keepdim=True))
            powers, shrunk = (scores - now).exp(), (highest - now).exp()
            total = total * shrunk + powers.sum(-1, keepdim=True)
            mixed, highest = mixed * shrunk + powers @ values, now
        return self.proj((mixed / total).transpose(1, 2).flatten(2))


class OnlineInPlace(Projected):
    def forward(self, x):
        q, k, v = self.parts(x)
        highest = torch.full((*q.shape[:-1], 1), -math.inf)
        total, mixed = torch.zeros_like(highest), torch.zeros_like(q)
        for keys, values in zip(k.split(4, dim=2), v.split(4, dim=2), strict=True):
            scores = q @ keys.mT
            now = torch.maximum(highest, scores.amax(-1, keepdim=True))
            powers = torch.exp(scores.sub_(now))
            shrunk = torch.exp(highest - now)
            total.mul_(shrunk).add_(powers.sum(-1, keepdim=True))
            mixed.mul_(shrunk).add_(powers @ values)
            highest = now
        return self.proj((mixed / total).transpose(1, 2).flatten(2))


class MergedBySums(Projected):
    """A softmax of each block, merged by the logarithms of the sums."""

    def forward(self, x):
        q, k, v = self.parts(x)
        mixed: Any = None
        sums: Any = None
        for keys, values in zip(k.split(4, dim=2), v.split(4, dim=2), strict=True):
            scores = q @ keys.mT
            actual, now = scores.softmax(-1) @ values, scores.logsumexp(-1, keepdim=True)
            if mixed is None:
                mixed, sums = actual, now
                continue
            both = torch.logaddexp(sums, now)
            mixed = mixed * (sums - both).exp() + actual * (now - both).exp()
            sums = both
        return self.proj(mixed.transpose(1, 2).flatten(2))


class NormalizedLate(Projected):
    def forward(self, x):
        q, k, v = self.parts(x)
        powers = (q @ k.mT).exp()
        return self.proj(((powers @ v) / powers.sum(-1, keepdim=True)).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("length", [12, 10])
@pytest.mark.parametrize("kind", [Online, OnlineInPlace, MergedBySums, NormalizedLate])
def test_a_softmax_that_is_rescaled_after_the_product_is_refused(kind, length, context):
    def call(model):
        with context():
            return model(tokens(length, 16))

    def make():
        torch.manual_seed(0)
        return kind(16).eval()

    outcomes = unnoticed(make, call)
    assert [type(entry) for entry in outcomes] == [Refusal], outcomes
    assert "online softmax" in only_refusal(outcomes).cause
