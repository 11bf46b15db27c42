"""A repeated call changes nothing of the user's, whether it ends, stops or fails."""

from __future__ import annotations

import random
import types
from typing import Any

import numpy
import pytest
import torch

from attnlab.capture.again import Stopped
from tests.unit.feeding import PLAIN, ran, seen
from tests.unit.outcomes import Outcome, only_call
from tests.unit.repeating import called, first, refused, state
from tests.unit.repeating import names as names
from tests.unit.repeating import namespace as namespace
from tests.unit.repeating import parts as parts
from tests.unit.watching import world

PADS = PLAIN.replace("return", "padding='max_length', truncation=True, max_length=9, return")


def test_no_object_of_the_user_is_changed(namespace):
    feed = first(PADS.format('"the cat"'), namespace)
    namespace["tok"]("set up", truncation=True, max_length=4)
    before = state(namespace)
    called(feed, [{"text": "the black cat"}], namespace)
    assert state(namespace) == before


def test_a_tokenizer_without_settings_changes_nothing(namespace):
    feed = first(PADS.format('"the cat"'), namespace)
    namespace["tok"].backend_tokenizer.no_truncation()
    namespace["tok"].backend_tokenizer.no_padding()
    before = state(namespace)
    called(feed, [{"text": "the black cat"}], namespace)
    assert state(namespace) == before


@pytest.mark.parametrize("polls", [0, 1, 2, 5, 9, 17, 30])
def test_a_stopped_call_changes_nothing(namespace, polls):
    feed = first(PADS.format('"the cat"'), namespace)
    before = state(namespace)
    left = iter(range(polls))
    with pytest.raises(Stopped):
        called(feed, [{"text": "the cat"}], namespace, stop=lambda: next(left, None) is None)
    assert state(namespace) == before
    assert called(feed, [{"text": "the cat"}], namespace).call.records


RAN_ON: list[Any] = []
"""A pass may write to global names of the notebook, unlike to its model."""


def test_a_stopped_call_computes_at_most_one_more_module(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    layers = namespace["model"].bert.encoder.layer

    def forward(*args, **kwargs):
        RAN_ON.append(0)
        return type(layers[0]).forward(layers[0], *args, **kwargs)

    layers[0].forward = forward
    layers[1].forward = lambda *_args, **_kwargs: RAN_ON.append(1)
    RAN_ON.clear()
    with pytest.raises(Stopped):
        called(feed, [{"text": "the cat"}], namespace, stop=lambda: bool(RAN_ON))
    assert RAN_ON == [0]


def test_a_model_that_fails_changes_nothing(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    layers = namespace["model"].bert.encoder.layer

    def fails(*_args, **_kwargs):
        raise RuntimeError("\nthe reason\nand much more")

    layers[1].forward = fails
    assert refused("failed", feed, namespace) == "The model failed: the reason"
    del layers[1].forward
    assert called(feed, [{"text": "the cat"}], namespace).call.records


def test_a_model_that_sets_attributes_keeps_those_of_the_run(namespace):
    model = namespace["model"]
    model.bert.seen = "before"

    def forward(module, *args, **kwargs):
        module.seen = object()
        return type(module).forward(module, *args, **kwargs)

    model.bert.forward = types.MethodType(forward, model.bert)
    feed = first(PLAIN.format('"the cat"'), namespace)
    before = state(namespace)
    called(feed, [{"text": "the black cat"}], namespace)
    assert state(namespace) == before


def test_a_model_that_counts_its_calls_keeps_the_runs_count(namespace):
    model_class: Any = type(namespace["model"])

    class Counting(model_class):
        def forward(self, *args, **kwargs):
            self.calls += 1
            self.seen.append(len(self.seen))
            return super().forward(*args, **kwargs)

    namespace["model"].__class__ = Counting
    namespace["model"].register_buffer("calls", torch.zeros(()))
    namespace["model"].seen = []
    feed = first(PLAIN.format('"the cat"'), namespace)
    called(feed, [{"text": "the black cat"}], namespace)
    assert (float(namespace["model"].calls), namespace["model"].seen) == (1, [0])


DRAWS = {
    "numpy": lambda: numpy.random.rand(3),
    "numpy, seeded": lambda: numpy.random.seed(1),
    "python": lambda: random.gauss(0, 1),
    "python, seeded": lambda: random.seed(1),
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(3),
    "randint": lambda: torch.randint(5, (3,)),
    "randint, from": lambda: torch.randint(2, 5, (3,)),
    "randperm": lambda: torch.randperm(9),
    "out": lambda: torch.rand(3, out=torch.empty(3)),
    "rand_like": lambda: torch.rand_like(torch.ones(3)),
    "randn_like": lambda: torch.randn_like(torch.ones(3)),
    "randint_like": lambda: torch.randint_like(torch.ones(3), 2, 9),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 3),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "in place": lambda: torch.empty(9).exponential_(),
    "poisson": lambda: torch.poisson(torch.ones(9)),
    "gamma": lambda: torch.distributions.Gamma(torch.ones(3), 1.0).sample(),
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(9), 0.5),
    "native_dropout": lambda: torch.native_dropout(torch.ones(9), 0.5, True)[0],
    "alpha_dropout": lambda: torch.nn.functional.alpha_dropout(torch.ones(9), 0.5, True),
    "attention": lambda: torch.nn.functional.scaled_dot_product_attention(
        torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), dropout_p=0.5
    ),
    "seeded": lambda: (torch.manual_seed(3), torch.rand(3))[1],
    "a state": lambda: _restored(),
    "a fork": lambda: _forked(),
}


def _restored():
    torch.set_rng_state(torch.get_rng_state())
    return torch.rand(3)


def _forked():
    with torch.random.fork_rng():
        torch.rand(2)
    return torch.rand(3)


class Drawing(torch.nn.Module):
    """A model that calls the random function of this name, and stores the result in `DRAWN`."""

    draws: str

    def forward(self, *args, **kwargs):
        DRAWN.append(DRAWS[self.draws]())
        return super().forward(*args, **kwargs)


DRAWN: list[Any] = []


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "enable_grad"])
def test_random_numbers_are_those_that_running_would_draw_and_stay_the_users(namespace, mode):
    model = namespace["model"]
    model.__class__ = type("Drawing", (Drawing, type(model)), {})
    code = (f"with torch.{mode}(): " + PLAIN).format('"the cat"')
    for name in DRAWS:
        model.draws = name
        feed = first(code, namespace)
        numpy.random.seed(7)
        random.seed(7)
        torch.manual_seed(7)
        before = state(namespace)
        for _ in range(2):
            called(feed, [{"text": "the cat"}], namespace)
        assert state(namespace) == before, name
        first(code, namespace)
        *_, one, other, expected = map(str, DRAWN)
        assert one == other == expected, name


def test_tensors_are_created_on_the_device_of_the_run(namespace):
    model_class: Any = type(namespace["model"])

    class Noting(model_class):
        def forward(self, *args, **kwargs):
            devices.append(torch.get_default_device().type)
            with torch.device("cpu"):
                return super().forward(*args, **kwargs)

    devices: list[str] = []
    namespace["model"].__class__ = Noting
    code = 'e = tok({}, return_tensors="pt")\nwith torch.device("meta"): model(**e)'
    feed = first(code.format('"the cat"'), namespace)
    called(feed, [{"text": "the black cat"}], namespace)
    assert devices == ["meta", "meta"]


def test_special_tokens_in_a_text_are_split_only_by_the_call_that_asks(namespace):
    feed = first(
        'model(**tok("[MASK]", split_special_tokens=True, return_tensors="pt"))', namespace
    )
    namespace["tok"]("set up")
    before = state(namespace)
    assert called(feed, [{"text": "[MASK]"}], namespace).call.sequences[0].items[0].text == "[MASK]"
    assert state(namespace) == before


@pytest.mark.parametrize("polls", [3, 20, 40])
def test_a_compiled_model_is_computed_eagerly_and_stops(namespace, polls):
    namespace["model"] = torch.compile(namespace["model"], backend="eager")
    feed = first(PLAIN.format('"the cat"'), namespace)
    before = world()
    made = called(feed, [{"text": "the black cat"}], namespace)
    assert world() == before
    expected = only_call(ran(PLAIN.format('"the black cat"'), namespace))
    assert seen(made.call) == seen(expected)
    left = iter(range(polls))
    with pytest.raises(Stopped):
        called(feed, [{"text": "the cat"}], namespace, stop=lambda: next(left, None) is None)
    assert world() == before


def test_repeated_calls_are_not_reported_to_the_users_blocks(namespace):
    from attnlab.capture.watch import observing

    feed = first(PLAIN.format('"the cat"'), namespace)
    outcomes: list[Outcome] = []
    with observing(outcomes.append, namespace):
        called(feed, [{"text": "the black cat"}], namespace)
    assert outcomes == []
