"""The weights shown are the matrix that multiplies the values, however it was computed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from attnlab.capture.record.recorded_call import Refusal
from attnlab.traces.certificate import certify
from tests.unit.watching import differs, only, unnoticed

HEADS, WIDTH = 4, 6
SIZE = HEADS * WIDTH
MODES = [torch.no_grad, torch.inference_mode, torch.enable_grad]


def tokens(length=9, items=2, seed=0):
    return torch.randn(items, length, SIZE, generator=torch.Generator().manual_seed(seed))


class Attention(nn.Module):
    """Multi-head attention; `used` contains each matrix that has multiplied the values."""

    heads, groups = HEADS, HEADS

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(SIZE, self.heads * WIDTH)
        self.k = nn.Linear(SIZE, self.groups * WIDTH)
        self.v = nn.Linear(SIZE, HEADS * WIDTH)
        self.o = nn.Linear(SIZE, SIZE)
        self.used = []

    def parts(self, given):
        return [
            entry(given).unflatten(-1, (-1, WIDTH)).transpose(1, 2)
            for entry in (self.q, self.k, self.v)
        ]

    def scores(self, given):
        q, k, _ = self.parts(given)
        return 3 * q @ k.transpose(-2, -1) / math.sqrt(WIDTH)

    def matrix(self, scores):
        return scores.softmax(-1)

    def forward(self, given):
        matrix = self.matrix(self.scores(given))
        self.used.append(matrix.detach().clone())
        return self.o((matrix @ self.parts(given)[2]).transpose(1, 2).flatten(2))


def future(scores):
    return torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)


class Gated(Attention):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.rand(HEADS, 1, 1))

    def matrix(self, scores):
        return scores.softmax(-1) * self.gate.sigmoid()


class GatedByTheInput(Attention):
    def scores(self, given):
        self.gates = given.mean(-1)[:, None, None, :].sigmoid()
        return super().scores(given)

    def matrix(self, scores):
        return scores.softmax(-1) * self.gates


class Thresholded(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1)
        return weights * (weights > 0.1)


class ThresholdedAndRenormalized(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1)
        weights = weights.masked_fill(weights < 0.1, 0.0)
        return weights / weights.sum(-1, keepdim=True)


class RenormalizedByFunction(Attention):
    def matrix(self, scores):
        return functional.normalize(scores.softmax(-1) ** 2, p=1, dim=-1)


class KeptTop(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1)
        kept, places = weights.topk(3, dim=-1)
        return torch.zeros_like(weights).scatter(-1, places, kept)


class TalkingHeads(Attention):
    """CaiT: a layer over the heads before the softmax, and one after it."""

    def __init__(self):
        super().__init__()
        self.before, self.after = nn.Linear(HEADS, HEADS), nn.Linear(HEADS, HEADS)

    def matrix(self, scores):
        scores = self.before(scores.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.after(scores.softmax(-1).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MoreHeadsThanBefore(Attention):
    """Talking heads with different numbers of heads for scores and for weights."""

    heads = groups = 2

    def __init__(self):
        super().__init__()
        self.mixed = nn.Parameter(torch.randn(2, HEADS))

    def matrix(self, scores):
        return torch.einsum("bhqk,hg->bgqk", scores.softmax(-1), self.mixed)


class Convolved(Attention):
    def __init__(self):
        super().__init__()
        self.mixed, self.norm = nn.Conv2d(HEADS, HEADS, 1), nn.BatchNorm2d(HEADS)

    def matrix(self, scores):
        return self.norm(self.mixed(scores.softmax(-1)))


class Reattention(Attention):
    """DeepViT: heads mixed by a matrix, then normalized over the heads."""

    def __init__(self):
        super().__init__()
        self.mixed, self.norm = nn.Parameter(torch.randn(HEADS, HEADS)), nn.LayerNorm(HEADS)

    def matrix(self, scores):
        weights = torch.einsum("bhij,hg->bgij", scores.softmax(-1), self.mixed)
        return self.norm(weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Positional(Attention):
    """ConViT: a gated sum of two softmaxes, one of which depends only on positions."""

    def __init__(self):
        super().__init__()
        self.places, self.gate = nn.Linear(3, HEADS), nn.Parameter(torch.randn(HEADS))

    def matrix(self, scores):
        size = scores.shape[-1]
        distance = (torch.arange(size)[:, None] - torch.arange(size)).float() / size
        seen = torch.stack([distance, distance**2, distance.abs()], -1)
        seen = seen[None].expand(scores.shape[0], -1, -1, -1)
        places = self.places(seen).permute(0, 3, 1, 2).softmax(-1)
        gate = self.gate.view(1, -1, 1, 1).sigmoid()
        weights = (1.0 - gate) * scores.softmax(-1) + gate * places
        return weights / weights.sum(-1).unsqueeze(-1)


class Differential(Attention):
    """Differential Transformer: one softmax minus a multiple of another."""

    heads = groups = 2 * HEADS

    def matrix(self, scores):
        weights = scores.softmax(-1).view(scores.shape[0], HEADS, 2, *scores.shape[2:])
        return weights[:, :, 0] - 0.3 * weights[:, :, 1]


class DifferentialInHalves(Attention):
    heads = groups = 2 * HEADS

    def matrix(self, scores):
        one, two = scores.masked_fill(future(scores), -math.inf).softmax(-1).chunk(2, dim=1)
        return one - 0.3 * two


class ByHand(Attention):
    def matrix(self, scores):
        powers = torch.exp(scores)
        return powers / powers.sum(-1, keepdim=True)


class ByHandStably(Attention):
    def matrix(self, scores):
        scores = scores.masked_fill(future(scores), -math.inf)
        powers = (scores - scores.amax(-1, keepdim=True)).exp()
        return powers * (1 / powers.sum(-1, keepdim=True))


class ByLogarithms(Attention):
    def matrix(self, scores):
        return (scores - scores.logsumexp(-1, keepdim=True)).exp()


class ByLogSoftmax(Attention):
    def matrix(self, scores):
        return scores.log_softmax(-1).exp()


class OffByOne(Attention):
    """Softmax with an additional 1 in its sum: a row may sum to less than 1."""

    def matrix(self, scores):
        powers = scores.exp()
        return powers / (1 + powers.sum(-1, keepdim=True))


class Rectified(Attention):
    def matrix(self, scores):
        return scores.relu() / scores.shape[-1]


class Squared(Attention):
    def matrix(self, scores):
        return scores.relu().square()


class Sigmoid(Attention):
    def matrix(self, scores):
        return torch.sigmoid(scores - math.log(scores.shape[-1]))


class Sparsemax(Attention):
    """The projection of scores onto the simplex (arXiv 1602.02068)."""

    def matrix(self, scores):
        ordered, _ = scores.sort(-1, descending=True)
        sums = ordered.cumsum(-1)
        ranks = torch.arange(1, scores.shape[-1] + 1)
        support = (1 + ranks * ordered > sums).sum(-1, keepdim=True)
        threshold = (sums.gather(-1, support - 1) - 1) / support
        return torch.clamp(scores - threshold, min=0)


class WrittenInto(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1).clone()
        weights[..., 5, 2] = 0.0
        return weights


class ScoresWrittenInto(Attention):
    def matrix(self, scores):
        scores[..., 5, 2] = -1e9
        return scores.softmax(-1)


class ScaledInPlace(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1).clone()
        weights.mul_(0.5)
        return weights


class AHeadAblated(Attention):
    def matrix(self, scores):
        weights = scores.softmax(-1).clone()
        weights[:, 1] = 0.0
        return weights


class Smoothed(Attention):
    """Multiplied by another stochastic matrix: paths of two steps."""

    def matrix(self, scores):
        weights = scores.softmax(-1)
        return weights @ weights


class Reordered(Attention):
    """Heads in another order, by an index."""

    def matrix(self, scores):
        return scores.softmax(-1)[:, [2, 0, 3, 1]]


class Restricted(Attention):
    """Only some keys are kept, with their values."""

    def matrix(self, scores):
        return scores.softmax(-1)[..., torch.arange(0, scores.shape[-1], 2)]

    def parts(self, given):
        q, k, v = super().parts(given)
        return q, k, v[:, :, ::2]


CHANGED = [
    Reordered, Restricted,
    Gated, GatedByTheInput, Thresholded, ThresholdedAndRenormalized, RenormalizedByFunction,
    KeptTop, TalkingHeads, MoreHeadsThanBefore, Convolved, Reattention, Positional, Differential,
    DifferentialInHalves, ByLogSoftmax, OffByOne, Rectified, Squared, Sigmoid, Sparsemax,
    WrittenInto, ScoresWrittenInto, ScaledInPlace, AHeadAblated, Smoothed,
]  # fmt: skip

SAME_AS_SOFTMAX = [Attention, ByHand, ByHandStably, ByLogarithms]


def shown(kind, context, given=None):
    models: list[Any] = []

    def make():
        torch.manual_seed(0)
        models.append(nn.Sequential(kind(), kind()).eval())
        return models[-1]

    def call(model):
        with context():
            return model(tokens() if given is None else given)

    outcomes = unnoticed(make, call, gradients=context is torch.enable_grad)
    return outcomes, [matrix for part in models[-1] for matrix in part.used]


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize("kind", [*CHANGED, *SAME_AS_SOFTMAX])
def test_the_weights_are_the_matrix_that_multiplies_the_values(kind, context):
    outcomes, used = shown(kind, context)
    recorded = only(outcomes)
    assert differs(recorded, used) < 2e-6
    assert [site.certificate.exact for site in recorded.sites] == [True, True]
    assert [site.name for site in recorded.sites] == ["0", "1"]


SOFTENED = [
    Gated, GatedByTheInput, Thresholded, ThresholdedAndRenormalized, RenormalizedByFunction,
    WrittenInto, ScaledInPlace, AHeadAblated,
]  # fmt: skip
"""Each number of the weights was computed from that at the same position of a softmax."""

SCORED = [ByLogSoftmax, OffByOne, Rectified, Squared, Sigmoid, Sparsemax, ScoresWrittenInto]
"""Each number of the weights was computed from that at the same position of the scores."""


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize("kind", SOFTENED + SCORED)
def test_the_source_of_changed_weights_is_shown_beside_them(kind, context):
    outcomes, used = shown(kind, context)
    site = only(outcomes).sites[0]
    torch.manual_seed(0)
    with torch.no_grad():
        part = kind().eval()
        q, k, _ = part.parts(tokens())
        scores = part.scores(tokens())
    for item, head, query in [(0, 2, 5), (1, 1, 0)]:
        taken = site.neuron(query, head, item)
        steps = {name: torch.from_numpy(entry) for name, entry in taken.steps}
        products = k[item, head] @ q[item, head, query] * 3  # The model triples q.
        assert torch.allclose(steps["q·k"], products, atol=1e-5)
        assert torch.allclose(steps["scale"], scores[item, head, query], atol=1e-5)
        assert torch.equal(torch.from_numpy(taken.weights), used[0][item, head, query])
        assert ("softmax" in steps) == (kind in SOFTENED)
        if kind in SOFTENED:
            expected = scores[item, head, query].softmax(-1)
            assert torch.allclose(steps["softmax"], expected, atol=1e-6)


class FirstQueryLeftWithItself(Attention):
    """All later keys are below the threshold for the first query, not for the others."""

    def matrix(self, scores):
        weights = scores.softmax(-1).clone()
        weights[..., 0, 1:] = 0.0
        return weights


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(FirstQueryLeftWithItself, "encoder"), (Gated, "encoder"), (DifferentialInHalves, "decoder")],
)
def test_changed_weights_are_causal_only_if_no_query_sees_a_later_key(kind, expected):
    outcomes, _ = shown(kind, torch.no_grad)
    assert {site.kind for site in only(outcomes).sites} == {expected}


@pytest.mark.parametrize("kind", [kind for kind in CHANGED if kind not in SOFTENED + SCORED])
def test_weights_whose_positions_are_mixed_have_no_queries_and_keys(kind):
    outcomes, _ = shown(kind, torch.no_grad)
    for site in only(outcomes).sites:
        with pytest.raises(LookupError, match="not recorded"):
            site.neuron(0, 0)


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize("kind", SAME_AS_SOFTMAX)
def test_a_softmax_by_exp_and_sum_keeps_its_queries_and_keys(kind, context):
    outcomes, used = shown(kind, context)
    for site, matrix in zip(only(outcomes).sites, used, strict=True):
        taken = site.neuron(5, 2)
        assert torch.allclose(torch.from_numpy(taken.weights), matrix[0, 2, 5], atol=1e-6)


@pytest.mark.parametrize("kind", [Attention, Gated, ByHandStably, Rectified])
def test_changed_weights_of_one_query_are_read_too(kind: Any):
    class OneQuery(kind):
        def scores(self, given):
            return super().scores(given)[:, :, :1]

        def forward(self, given):
            return super().forward(given).expand_as(given)

    outcomes, used = shown(OneQuery, torch.no_grad)
    assert differs(only(outcomes), used) < 2e-6


def test_weights_that_exceed_the_budget_are_refused_with_it(monkeypatch):
    monkeypatch.setenv("ATTNLAB_MEMORY", "1K")
    outcomes, _ = shown(Gated, torch.no_grad)
    assert [type(entry) for entry in outcomes] == [Refusal]
    assert "ATTNLAB_MEMORY" in outcomes[0].cause


@pytest.mark.parametrize("kind", [Gated, TalkingHeads, Differential, Rectified])
def test_changed_weights_are_certified_by_a_comparison_that_can_fail(kind):
    outcomes, _ = shown(kind, torch.no_grad)
    for site in only(outcomes).sites:
        record = site.record
        assert record.weights is not None
        assert record.value is not None
        assert certify(record).exact
        changes: list[dict[str, Any]] = [
            {"weights": record.weights * 1.05},
            {"weights": record.weights.roll(1, dims=1)},
            {"weights": record.weights.roll(1, dims=3)},
            {"value": record.value.roll(1, dims=2)},
        ]
        for wrong in changes:
            verdict = certify(dataclasses.replace(record, **wrong))
            assert not verdict.exact
            assert "do not reproduce the model's output" in verdict.reason


class Mixer(Attention):
    """Its matrix is computed where it is not followed; its name does not help either."""

    def matrix(self, scores):
        return torch.from_numpy(scores.detach().softmax(-1).numpy().copy())


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.unseen = Attention(), Mixer()

    @property
    def used(self):
        return self.seen.used

    def forward(self, given):
        return self.unseen(self.seen(given))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_layer_whose_weights_are_lost_is_named_whatever_its_class_name_is(context):
    outcomes, _ = shown(Kept, context)
    recorded = only(outcomes)
    assert len(recorded.sites) == 2
    (note,) = [note for note in recorded.notes if "not shown" in note]
    assert "Mixer: its softmax was not followed to a product with values" in note


class Asked(Attention):
    """Has its number of heads as a property, which must not be read."""

    @property
    def num_heads(self):
        raise RuntimeError("read")


def test_no_code_of_a_module_runs_to_determine_its_heads():
    outcomes, used = shown(Asked, torch.no_grad)
    assert differs(only(outcomes), used) < 2e-6
