"""Attention of plain PyTorch is found by its computation, and nothing else is mistaken for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from attnlab.capture.record.recorded_call import Refusal
from tests.unit.outcomes import only_refusal
from tests.unit.watching import differs, only, unnoticed

SIZE, HEADS = 12, 2


def x(items=2, length=5, seed=0):
    return torch.randn(items, length, SIZE, generator=torch.Generator().manual_seed(seed))


def seeded(make):
    def model():
        torch.manual_seed(0)
        return make()

    return model


def encoder_layer(**more):
    return nn.TransformerEncoderLayer(SIZE, HEADS, 16, batch_first=True, **more)


# --- PyTorch's own modules ----------------------------------------------------------------


@pytest.mark.parametrize("padded", [False, True])
def test_the_fast_path_of_the_transformer_encoder_stays_and_a_second_pass_is_recorded(padded):
    make = seeded(lambda: nn.TransformerEncoder(encoder_layer(), 2).eval())
    mask = torch.tensor([[0] * 5, [0] * 3 + [1] * 2]).bool() if padded else None
    recorded = only(unnoticed(make, lambda m: m(x(), src_key_padding_mask=mask)))
    assert [site.name for site in recorded.sites] == ["layers.0.self_attn", "layers.1.self_attn"]
    assert {site.method for site in recorded.sites} == {"replay"}
    assert all(site.certificate.exact for site in recorded.sites)
    assert any("fast path" in note for note in recorded.notes)
    if padded:
        assert not recorded.head(0, 0, 1)[:3, 3:].any()
    # With gradients there is no fast path, and the call itself is recorded.
    recorded = only(unnoticed(make, lambda m: m(x(), src_key_padding_mask=mask), gradients=True))
    assert {site.method for site in recorded.sites} == {"tap"}


def test_the_weights_of_multihead_attention_are_those_that_it_returns():
    given, results = x(), []

    def call(module):
        results.append(module(given, given, given, average_attn_weights=False))
        return results[-1]

    make = seeded(lambda: nn.MultiheadAttention(SIZE, HEADS, batch_first=True))
    for gradients in (False, True):
        recorded = only(unnoticed(make, call, gradients=gradients))
        assert differs(recorded, [results[-1][1]]) < 2e-6
        assert all(site.certificate.exact for site in recorded.sites)


def test_a_transformer_of_pytorch_has_encoder_decoder_and_cross_attention():
    make = seeded(lambda: nn.Transformer(SIZE, HEADS, 1, 2, 16, batch_first=True).eval())
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    recorded = only(
        unnoticed(make, lambda m: m(x(), x(length=4, seed=1), tgt_mask=causal), gradients=True)
    )
    assert [(site.kind, site.layer, site.queries, site.keys) for site in recorded.sites] == [
        ("encoder", 0, 5, 5),
        ("decoder", 0, 4, 4),
        ("cross", 0, 4, 5),
        ("decoder", 1, 4, 4),
        ("cross", 1, 4, 5),
    ]
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_fast_path_in_inference_mode_is_replayed_too():
    def call(model):
        with torch.inference_mode():
            return model(x())

    make = seeded(lambda: nn.TransformerEncoder(encoder_layer(), 2).eval())
    recorded = only(unnoticed(make, call))
    assert {site.method for site in recorded.sites} == {"replay"}
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_buffers_of_batch_norm_move_once():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(5)
            self.encoder = nn.TransformerEncoder(encoder_layer(), 1)

        def forward(self, given):
            return self.encoder(self.norm(given))

    def make():
        torch.manual_seed(0)
        model = Model().eval()
        model.norm.train()
        return model

    recorded = only(unnoticed(make, lambda m: m(x())))
    assert {site.method for site in recorded.sites} == {"replay"}


# --- control flow and transformations -----------------------------------------------------


class Attention(nn.Module):
    """The attention of a textbook; subclasses change its product or its surroundings."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))

    def parts(self, given):
        return [
            entry(given).unflatten(-1, (HEADS, -1)).transpose(-2, -3)
            for entry in (self.q, self.k, self.v)
        ]

    def weights(self, given):
        q, k, _ = self.parts(given)
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)

    def forward(self, given):
        return (self.weights(given) @ self.parts(given)[2]).transpose(-2, -3).flatten(-2)


def test_a_condition_inside_a_model_works_as_usual():
    class Model(Attention):
        def forward(self, given):
            hidden = super().forward(given)
            return torch.cond(hidden.sum() > 0, lambda t: t * 2, lambda t: t - 1, (hidden,))

    recorded = only(unnoticed(seeded(Model), lambda m: m(x())))
    assert len(recorded.sites) == 1
    assert recorded.sites[0].certificate.exact


def test_attention_mapped_over_a_batch_runs_as_usual():
    class Model(Attention):
        def forward(self, given):
            return torch.func.vmap(super().forward)(given)

    for gradients in (False, True):
        outcomes = unnoticed(seeded(Model), lambda m: m(x()), gradients=gradients)
        assert len(outcomes) == 1
        if not isinstance(outcomes[0], Refusal):
            recorded = only(outcomes)
            with torch.no_grad():
                expected = seeded(Attention)().weights(x())
            assert differs(recorded, [expected]) < 2e-6


def test_a_gradient_computed_inside_a_model_is_unchanged():
    class Model(Attention):
        def forward(self, given):
            return torch.func.grad(lambda value: super(Model, self).forward(value).sum())(given)

    outcomes = unnoticed(seeded(Model), lambda m: m(x()))
    assert len(outcomes) == 1


def test_flex_attention_runs_unchanged():
    from torch.nn.attention.flex_attention import flex_attention

    class FlexAttention(Attention):
        def forward(self, given):
            return flex_attention(*self.parts(given))

    outcomes = unnoticed(seeded(FlexAttention), lambda m: m(x()))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "FlexAttention" in only_refusal(outcomes).title


def test_a_function_that_a_module_compiles_for_itself_stays_compiled():
    runs: list[Any] = []

    def backend(graph, _):
        def run(*args):
            runs[-1] += 1
            return graph.forward(*args)

        return run

    class Model(Attention):
        def __init__(self):
            super().__init__()
            self.twice = torch.compile(lambda value: value * 2, backend=backend)

        def forward(self, given):
            return self.twice(super().forward(given))

    def call(model):
        runs.append(0)
        return model(x())

    recorded = only(unnoticed(seeded(Model), call, gradients=True))
    assert runs == [1, 1]
    assert len(recorded.sites) == 1


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_attention_of_plain_operations_is_read_in_every_gradient_mode(context):
    def call(model):
        with context():
            return model(x())

    recorded = only(unnoticed(seeded(Attention), call))
    with torch.no_grad():
        assert differs(recorded, [seeded(Attention)().weights(x())]) < 2e-6
    assert recorded.sites[0].certificate.exact


def test_the_users_dispatch_mode_stays_active():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            counts[-1] += 1
            return func(*args, **(kwargs or {}))

    counts = []

    def call(model):
        counts.append(0)
        with Counting():
            return model(x())

    recorded = only(unnoticed(seeded(Attention), call))
    assert counts[0] == counts[1] > 5
    assert len(recorded.sites) == 1


def test_the_users_flop_count_is_unchanged_even_if_a_second_pass_is_made():
    from torch.utils.flop_counter import FlopCounterMode

    totals = []

    def call(model):
        with FlopCounterMode(display=False) as counter:
            result = model(x())
        totals.append(counter.get_total_flops())
        return result

    make = seeded(lambda: nn.TransformerEncoder(encoder_layer(), 2).eval())
    for gradients in (False, True):
        unnoticed(make, call, gradients=gradients)
        assert totals[-2] == totals[-1]


def test_attention_under_the_users_function_mode_is_read():
    from torch.overrides import TorchFunctionMode

    class Counting(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    def call(model):
        with Counting():
            return model(x())

    assert len(only(unnoticed(seeded(Attention), call, gradients=True)).sites) == 1


def test_models_nested_through_threads_keep_their_results():
    import threading

    class Model(Attention):
        def forward(self, given):
            kept = []
            thread = threading.Thread(
                target=lambda: kept.append(self.weights(given).detach().sum())
            )
            thread.start()
            thread.join()
            return super().forward(given) + kept[0]

    recorded = only(unnoticed(seeded(Model), lambda m: m(x())))
    assert len(recorded.sites) == 1


# --- computations that are not attention ------------------------------------------------


def test_a_router_and_a_vocabulary_are_not_attention():
    class Model(Attention):
        def __init__(self):
            super().__init__()
            self.router, self.vocabulary = nn.Linear(SIZE, 4), nn.Linear(SIZE, 30)
            self.experts = nn.Parameter(torch.randn(4, SIZE, SIZE))

        def forward(self, given):
            hidden = super().forward(given)
            chances = self.router(hidden).softmax(-1)
            mixed = torch.einsum("bte,btd,edf->btf", chances, hidden, self.experts)
            return self.vocabulary(hidden + mixed).softmax(-1)

    recorded = only(unnoticed(seeded(Model), lambda m: m(x()), gradients=True))
    assert len(recorded.sites) == 1
    assert recorded.notes == [note for note in recorded.notes if "positions" in note]


def test_a_softmax_over_parameters_is_not_attention():
    class Memory(nn.Module):
        """Looks up learned values by learned keys: no token attends to another."""

        def __init__(self):
            super().__init__()
            self.keys, self.values = (nn.Parameter(torch.randn(7, SIZE)) for _ in range(2))

        def forward(self, given):
            return (given @ self.keys.T).softmax(-1) @ self.values

    assert unnoticed(seeded(Memory), lambda m: m(x()), gradients=True) == []


def test_a_mean_over_learned_probabilities_is_not_attention():
    class Mean(nn.Module):
        """Mixes its layers by one softmax, as ELMo does."""

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(SIZE, SIZE) for _ in range(3))
            self.chances = nn.Parameter(torch.randn(3))

        def forward(self, given):
            outputs = torch.stack([layer(given) for layer in self.layers], -1)
            return outputs @ self.chances.softmax(-1)

    assert unnoticed(seeded(Mean), lambda m: m(x()), gradients=True) == []


def test_weights_that_multiply_no_value_are_reported_as_missing():
    class LookingAttention(Attention):
        def forward(self, given):
            weights = self.weights(given)
            return given + weights.sum(1).argmax(-1, keepdim=True)

    outcomes = unnoticed(seeded(lambda: nn.Sequential(LookingAttention())), lambda m: m(x()))
    assert [type(item) for item in outcomes] == [Refusal]
    assert (
        "LookingAttention: its softmax was not followed to a product with values"
        in only_refusal(outcomes).cause
    )
