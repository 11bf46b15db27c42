"""A registered attention function is read by its computation, whatever its name is."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome
from tests.unit.tiny_models import trace

LENGTH, HEADS = 7, 4
IDS = torch.randint(1, 60, (2, LENGTH), generator=torch.Generator().manual_seed(0))
FUTURE = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)


class Used(list):
    """The matrices that have multiplied values, by call."""

    def multiply(self, weights, value):
        self.append(weights.detach().clone())
        return (weights @ value).transpose(1, 2).contiguous(), weights


def whole(module, key, value):
    groups = module.num_key_value_groups
    return key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)


def scores_of(module, query, key, scaling):
    return (query @ key.mT * scaling).masked_fill(FUTURE, -1e9)


def knockout(used):
    def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
        key, value = whole(module, key, value)
        scores = scores_of(module, query, key, scaling)
        scores[..., 5, 2] = -1e9
        return used.multiply(scores.softmax(-1), value)

    return attend


def sdpa_knockout(used):
    attend = knockout(used)
    attend.__name__ = attend.__qualname__ = "sdpa_knockout"
    return attend


def knockout_in_the_name_of_sdpa(used):
    return functools.wraps(sdpa_attention_forward)(knockout(used))


def flash_like(used):
    attend = knockout(used)
    attend.__name__ = "flash_attention_forward"
    return attend


def a_partial_function(used):
    return functools.partial(knockout(used), another=1)


def an_object(used):
    class Attend:
        def __call__(self, *args, **kwargs):
            return knockout(used)(*args, **kwargs)

    return Attend()


def a_head_ablated(used):
    def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
        key, value = whole(module, key, value)
        weights = scores_of(module, query, key, scaling).softmax(-1)
        ablated = torch.tensor([1.0, 0.0, 1.0, 1.0])[:, None, None]
        return used.multiply(weights * ablated, value)

    return attend


def mask_changed_for_the_librarys(used):
    """Hides a key, then calls the library's function."""

    def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
        mask = torch.zeros(query.shape[2], key.shape[2]).masked_fill(FUTURE, -torch.inf)
        mask[5, 2] = -torch.inf
        used.append((query @ whole(module, key, value)[0].mT * scaling + mask).softmax(-1))
        kwargs["is_causal"] = False
        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **kwargs)

    return attend


FOLLOWED = [
    knockout, sdpa_knockout, knockout_in_the_name_of_sdpa, flash_like, a_partial_function,
    an_object, a_head_ablated, mask_changed_for_the_librarys,
]  # fmt: skip


def config(implementation: str, **more: Any) -> LlamaConfig:
    """Make a configuration; the class does not declare the name of the implementation."""
    sizes: dict[str, Any] = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 32}
    sizes |= {"num_attention_heads": HEADS, "attn_implementation": implementation}
    return LlamaConfig(**sizes, **more)


def model_with(function, name="own"):
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, sdpa_mask)
    torch.manual_seed(0)
    model = LlamaForCausalLM(config(name, num_hidden_layers=2, num_key_value_heads=2)).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3) if parameter.ndim == 2 else None
    return model


def recorded(model):
    outcomes: list[Outcome] = []
    with torch.no_grad(), observing(outcomes.append, {}):
        model(IDS)
    assert [type(entry) for entry in outcomes] == [RecordedCall], outcomes
    return trace(outcomes[0])


@pytest.mark.parametrize("make", FOLLOWED)
def test_the_weights_are_those_of_the_function_itself(make):
    used = Used()
    model = model_with(make(used))
    for _ in range(2):  # also if the model is known from an earlier call
        used.clear()
        recording = recorded(model)
        assert [site.name for site in recording.sites] == [
            "model.layers.0.self_attn",
            "model.layers.1.self_attn",
        ]
        for site, weights in zip(recording.sites, used, strict=True):
            for item in range(2):
                for head in range(HEADS):
                    shown = torch.from_numpy(site.weights(head, item))
                    assert torch.allclose(shown, weights[item, head], atol=1e-6)
            assert site.certificate.exact, site.certificate


class Hidden(torch.autograd.Function):
    """Attention in NumPy, which is not followed."""

    @staticmethod
    def forward(ctx, query, key, value, mask):
        scores = query.numpy() @ key.numpy().swapaxes(-1, -2) + mask.numpy()
        powers = torch.from_numpy(scores).exp()
        weights = (powers / powers.sum(-1, keepdim=True)).numpy()
        return torch.from_numpy(weights @ value.numpy())


def in_numpy(scores_mask):
    def attend(module, query, key, value, attention_mask, scaling=None, **kwargs):
        key, value = whole(module, key, value)
        output = Hidden.apply(query * scaling, key, value, scores_mask)
        return output.transpose(1, 2).contiguous(), None

    return attend


CAUSAL = torch.zeros(LENGTH, LENGTH).masked_fill(FUTURE, -torch.inf)


def test_a_function_that_cannot_be_followed_is_read_by_its_arguments():
    recording = recorded(model_with(in_numpy(CAUSAL)))
    assert [site.method for site in recording.sites] == ["interface"] * 2
    assert [site.certificate.exact for site in recording.sites] == [True, True]


def test_a_function_that_computes_something_else_is_not_certified():
    changed = CAUSAL.clone()
    changed[5, 2] = -torch.inf
    recording = recorded(model_with(in_numpy(changed)))
    for site in recording.sites:
        assert not site.certificate.exact
        assert (
            "attend does not compute softmax attention from its arguments alone"
            in site.certificate.reason
        )


def test_keywords_bound_to_the_librarys_function_are_used():
    sharpened = functools.partial(sdpa_attention_forward, scaling=2.0)

    def attend(module, *args, scaling=None, **kwargs):
        return sharpened(module, *args, **kwargs)

    followed = recorded(model_with(attend))
    bound = recorded(model_with(functools.partial(sdpa_attention_forward, is_causal=True)))
    assert all(site.certificate.exact for site in (*followed.sites, *bound.sites))
    assert {site.method for site in bound.sites} == {"interface"}


@pytest.mark.parametrize("name", ["sdpa", "eager"])
def test_the_librarys_functions_are_read_by_their_arguments(name):
    recording = recorded(LlamaForCausalLM(config(name, num_hidden_layers=1)).eval())
    assert [site.method for site in recording.sites] == ["interface"]
    assert recording.sites[0].certificate.exact
