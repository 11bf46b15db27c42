"""Compiled models run compiled, and a second pass is recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome, only_refusal
from tests.unit.tiny_models import bert, gpt2, ids, llama, trace
from tests.unit.watching import differs, only, same, unnoticed


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Backend:
    """Compiles nothing; counts what it was asked to compile and what has run."""

    def __init__(self):
        self.graphs = self.runs = 0

    def __call__(self, graph, _):
        self.graphs += 1

        def run(*args):
            self.runs += 1
            return graph.forward(*args)

        return run


class Layer(torch.nn.Module):
    """Attention without library functions; `parts` computes its weights separately."""

    def __init__(self):
        super().__init__()
        self.project = torch.nn.Linear(12, 36)

    def parts(self, x):
        q, k, v = self.project(x).unflatten(-1, (3, 2, 6)).permute(2, 0, 3, 1, 4)
        return (q @ k.mT / 6**0.5).softmax(-1), v

    def forward(self, x):
        weights, value = self.parts(x)
        return x + (weights @ value).transpose(1, 2).flatten(2)


class Stack(torch.nn.Module):
    """Two layers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList([Layer(), Layer()])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def weights(self, x):
        with torch.no_grad():
            one, two = self.layers
            assert isinstance(one, Layer)
            assert isinstance(two, Layer)
            return [one.parts(x)[0], two.parts(one(x))[0]]


X = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))


def wrapped(model, backend):
    return torch.compile(model, backend=backend)


def in_place(model, backend):
    model.compile(backend=backend)
    return model


def a_part(model, backend):
    model.layers[1] = torch.compile(model.layers[1], backend=backend)
    return model


def a_part_in_place(model, backend):
    model.layers[1].compile(backend=backend)
    return model


@pytest.mark.parametrize("way", [wrapped, in_place, a_part, a_part_in_place])
@pytest.mark.parametrize("gradients", [False, True])
def test_however_a_model_is_compiled_its_weights_are_those_of_a_second_pass(way, gradients):
    backends = []

    def make():
        torch._dynamo.reset()
        backends.append(Backend())
        return way(Stack(), backends[-1])

    recorded = only(unnoticed(make, lambda model: model(X), gradients))
    assert differs(recorded, Stack().weights(X)) < 2e-6
    assert {site.method for site in recorded.sites} == {"replay"}
    assert all(site.certificate.exact for site in recorded.sites)
    assert recorded.model == "Stack"
    assert any("the model is compiled" in note for note in recorded.notes)
    # The user's call has compiled and run as often as without attnlab.
    assert backends[0].graphs == backends[1].graphs > 0
    assert backends[0].runs == backends[1].runs > 0


def test_a_compiled_model_of_transformers_has_its_usual_names_and_weights():
    family = bert()

    def make():
        torch._dynamo.reset()
        return torch.compile(family.model(), backend="eager")

    recorded = only(unnoticed(make, lambda model: model(**family.inputs)))
    assert recorded.model == "BertModel"
    assert recorded.sites[1].name == "encoder.layer.1.attention.self"
    assert differs(recorded, family.oracle()[""]) < 2e-6


def test_a_compiled_model_may_be_called_inside_a_plain_one():
    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch._dynamo.reset()
            self.model = torch.compile(Stack(), backend="eager")

        def forward(self, x):
            return self.model(x).sum(-1)

    recorded = only(unnoticed(Head, lambda model: model(X)))
    assert len(recorded.sites) == 2
    assert {site.method for site in recorded.sites} == {"replay"}


def test_a_compiled_model_is_not_compiled_again_on_the_next_call():
    backend = Backend()
    model = torch.compile(Stack(), backend=backend)
    with torch.no_grad():
        expected = model(X)
        graphs = backend.graphs
        outcomes: list[Outcome] = []
        with observing(outcomes.append, {}):
            results = [model(X) for _ in range(2)]
        after = model(X)
    assert backend.graphs == graphs
    assert len(outcomes) == 2
    for result in [*results, after]:
        same(result, expected)


def test_the_users_cache_is_filled_once_and_the_trace_sees_what_it_brought():
    family = llama()
    lengths = []

    def make():
        torch._dynamo.reset()
        return torch.compile(family.model(), backend="eager")

    def call(model):
        cache: Any = transformers.DynamicCache(config=family.config)
        model._orig_mod(ids(1, 5), past_key_values=cache)
        result = model(ids(1, 2, seed=1), past_key_values=cache)
        lengths.append(cache.get_seq_length())
        return result.logits, [layer.keys for layer in cache.layers]

    recorded = only(unnoticed(make, call)[1:])
    assert lengths == [7, 7]
    assert [(site.queries, site.keys) for site in recorded.sites] == [(2, 7), (2, 7)]
    assert all(site.certificate.exact for site in recorded.sites)


def test_a_compiled_model_with_hooks_is_refused_with_the_reason():
    calls = []

    def make():
        torch._dynamo.reset()
        model = Stack()
        model.layers[1].register_forward_hook(lambda *_: calls.append(1))
        return torch.compile(model, backend="eager")

    outcomes = unnoticed(make, lambda model: model(X))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "Layer has hooks" in only_refusal(outcomes).cause
    assert len(calls) == 2


def test_dropout_in_a_compiled_model_is_drawn_once():
    family = bert()

    def make():
        torch._dynamo.reset()
        return torch.compile(family.model().train(), backend="eager")

    recorded = only(unnoticed(make, lambda model: model(**family.inputs), gradients=True))
    for site in recorded.sites:
        assert not site.certificate.exact
        assert "dropout was active" in site.certificate.reason


def test_a_model_compiled_for_generate_is_recorded_too():
    family = gpt2()

    def make():
        torch._dynamo.reset()
        model = family.model()
        model.forward = torch.compile(model.forward, backend="eager")
        return model

    recorded = only(
        unnoticed(
            make,
            lambda m: m.generate(ids(1, 4), max_new_tokens=2, eos_token_id=None, pad_token_id=0),
        )
    )
    assert all(site.certificate.exact for site in recorded.sites)


def test_a_compiled_function_around_a_model_neither_breaks_nor_changes():
    backend, model = Backend(), Stack()

    @torch.compile(backend=backend)
    def run(x):
        return model(x) * 2

    with torch.no_grad():
        expected, graphs = run(X), backend.graphs
        with observing(lambda _: None, {}):
            observed = run(X)
    assert torch.equal(expected, observed)
    assert backend.graphs == graphs


def test_a_model_first_compiled_while_watched_is_compiled_once_more_at_most_not_in_each_cell():
    family, backend = bert(), Backend()
    outcomes: list[Outcome] = []
    model = torch.compile(family.model(), backend=backend)
    with torch.no_grad():
        for _ in range(3):
            with observing(outcomes.append, {}):
                model(**family.inputs)
            assert backend.graphs <= 2
            model(**family.inputs)
            assert backend.graphs <= 2
    assert [len(trace(call).sites) for call in outcomes] == [2, 2, 2]
