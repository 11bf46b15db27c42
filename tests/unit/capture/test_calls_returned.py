"""Weights that a model returns are the last resort; without them, a reason is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from transformers.modeling_outputs import BaseModelOutput

from attnlab.capture.record.recorded_call import Refusal
from tests.unit.outcomes import only_refusal
from tests.unit.tiny_models import ids
from tests.unit.watching import differs, only, unnoticed


class Hidden(torch.nn.Module):
    """Attention whose weights come from NumPy, where they are not followed."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(12, 12) for _ in range(3))

    def forward(self, given):
        q, k, v = (
            entry(given).unflatten(-1, (3, 4)).transpose(1, 2) for entry in (self.q, self.k, self.v)
        )
        powers = np.exp((q @ k.mT / 2).detach().numpy())
        weights = torch.from_numpy(powers / powers.sum(-1, keepdims=True))
        return (weights @ v).transpose(1, 2).flatten(2), weights


class Model(transformers.PreTrainedModel):
    config_class = transformers.PretrainedConfig
    says = "weights"

    def __init__(self, config):
        super().__init__(config)
        self.embed = torch.nn.Embedding(60, 12)
        self.layers = torch.nn.ModuleList([Hidden(), Hidden()])
        self.drop = torch.nn.Dropout(0.5)
        self.calls = 0
        self.post_init()

    def forward(self, input_ids, output_attentions=False):
        self.calls += 1
        hidden, kept = self.embed(input_ids), []
        for layer in self.layers:
            mixed, weights = layer(hidden)
            hidden = hidden + self.drop(mixed)
            kept.append(weights)
        said = {
            "weights": tuple(kept),
            "scores": tuple(weights.log() for weights in kept),
            "three axes": tuple(weights[0] for weights in kept),
            "nothing": None,
            "empty": (),
        }[self.says]
        return BaseModelOutput(hidden, attentions=said if output_attentions else None)


def make(says="weights"):
    torch.manual_seed(0)
    model = Model(transformers.PretrainedConfig()).eval()
    model.says = says
    return model


@pytest.mark.parametrize("gradients", [False, True])
def test_weights_that_only_the_model_returns_are_shown_but_not_certified(gradients):
    recorded = only(unnoticed(make, lambda m: m(ids(2, 5)), gradients))
    with torch.no_grad():
        expected = make()(ids(2, 5), output_attentions=True).attentions
    assert differs(recorded, expected) < 1e-7
    assert [site.layer for site in recorded.sites] == [0, 1]
    for site in recorded.sites:
        assert site.method == "returned"
        assert not site.certificate.exact
        assert "output_attentions=True" in site.certificate.reason
    assert recorded.sequences[0].name == "tokens"


def test_the_users_call_does_not_return_them():
    results = []

    def call(model):
        results.append(model(ids(2, 5)))
        return results[-1]

    unnoticed(make, call)
    assert [result.attentions for result in results] == [None, None]


def test_dropout_of_the_second_pass_draws_nothing_from_the_user():
    recorded = only(unnoticed(lambda: make().train(), lambda m: m(ids(2, 5)), gradients=True))
    assert {site.method for site in recorded.sites} == {"returned"}


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("scores", "not weights"),
        ("three axes", "shape"),
        ("nothing", "softmax over tokens"),
        ("empty", "softmax over tokens"),
    ],
)
def test_other_numbers_than_weights_are_refused_with_the_models_name_and_the_reason(says, reason):
    outcomes = unnoticed(lambda: make(says), lambda m: m(ids(2, 5)))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "Model" in only_refusal(outcomes).title
    assert reason in only_refusal(outcomes).cause
    assert only_refusal(outcomes).remedy


def test_a_model_that_takes_no_such_argument_is_refused():
    class Deaf(Model):
        def forward(self, input_ids):  # type: ignore[override]
            return super().forward(input_ids)

    def deaf():
        torch.manual_seed(0)
        return Deaf(transformers.PretrainedConfig()).eval()

    outcomes = unnoticed(deaf, lambda m: m(ids(2, 5)))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "output_attentions=True returned no weights" in only_refusal(outcomes).cause


def test_a_model_with_hooks_is_not_called_a_second_time():
    calls = []

    def hooked():
        model = make()
        model.layers[0].register_forward_hook(lambda *_: calls.append(1))
        return model

    outcomes = unnoticed(hooked, lambda m: m(ids(2, 5)))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "Hidden has hooks" in only_refusal(outcomes).cause
    assert len(calls) == 2
