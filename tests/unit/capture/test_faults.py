"""After any error anywhere, everything is restored, and the next call works."""

from __future__ import annotations

import contextlib
import threading

import pytest
import torch
import transformers
from torch import nn

from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from tests.unit.capture.test_calls_batches import bloom
from tests.unit.outcomes import Outcome, all_calls, only_refusal
from tests.unit.tiny_models import bert, gpt2, ids, llama, record, t5, trace
from tests.unit.watching import inside, same, world


class CancelledError(BaseException):
    """Cancels a forward pass from a worker; not an Exception."""


ERRORS = [ValueError, KeyboardInterrupt, CancelledError]


def encoder():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train()


MODELS = {
    "interface": (lambda: bert().model(), bert().inputs),
    "decoder": (lambda: gpt2().model(), gpt2().inputs),
    "encoder-decoder": (lambda: t5().model(), t5().inputs),
    "tap": (bloom, {"input_ids": ids(2, 6)}),
    "plain": (encoder, {"src": torch.ones(2, 5, 12)}),
}

PLACES = [
    (name, path)
    for name, (make, _) in MODELS.items()
    for path, part in make().named_modules()
    if path and not isinstance(part, nn.ModuleList)
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", MODELS)
def test_an_error_in_any_part_of_a_model_restores_everything(name, error):
    make, inputs = MODELS[name]
    model = make()
    with torch.no_grad():
        expected = model.eval()(**inputs)
    reached, raised = 0, []
    paths = [path for owner, path in PLACES if owner == name]
    # Each submodule with the first error; some with the others, which differ only in their class.
    for path in paths if error is ERRORS[0] else paths[::4]:

        def fail(*_, path=path):
            raised.append(path)
            raise error(path)

        hook = model.get_submodule(path).register_forward_hook(fail)
        before, made_model = world(), inside(model)
        outcomes: list[Outcome] = []
        # Submodules that this call does not run raise nothing.
        caught = contextlib.suppress(error)
        with caught, torch.no_grad(), observing(outcomes.append, {}):
            model(**inputs)
        reached += path in raised
        assert [type(item) for item in outcomes] == [Refusal] or path not in raised
        assert world() == before
        assert inside(model) == made_model
        hook.remove()
    assert reached > 1
    result, outcomes = record(model, inputs)
    same(result, expected)
    assert all(site.certificate.exact for site in trace(outcomes[0]).sites)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_the_attention_function_restores_everything(error, monkeypatch):
    family = llama()
    model = family.model()
    functions = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS

    def fail(*_, **__):
        raise error("in the kernel")

    genuine = functions["sdpa"]
    functions["sdpa"] = fail
    try:
        before = world()
        outcomes: list[Outcome] = []
        with pytest.raises(error, match="in the kernel"), observing(outcomes.append, {}):
            model(**family.inputs)
        assert world() == before
        assert [type(item) for item in outcomes] == [Refusal]
    finally:
        functions["sdpa"] = genuine
        functions._local_mapping.pop("sdpa", None)
    _, outcomes = record(model, family.inputs)
    assert [type(item) for item in outcomes] == [RecordedCall]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("step", [0, 2])
def test_an_error_in_a_step_of_generate_restores_everything(error, step):
    family = llama()
    model = family.model()
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) == step + 1:
            raise error("in a step")

    hook = model.model.layers[1].register_forward_hook(fail)
    before, made_model = world(), inside(model)
    outcomes: list[Outcome] = []
    how = {"max_new_tokens": 4, "eos_token_id": None, "pad_token_id": 0}
    with pytest.raises(error, match="in a step"), observing(outcomes.append, {}):
        model.generate(ids(1, 3), **how)
    assert world() == before
    assert inside(model) == made_model
    assert [type(item) for item in outcomes] == [Refusal]
    hook.remove()
    outcomes.clear()
    with observing(outcomes.append, {}):
        model.generate(ids(1, 3), **how)
        model(ids(1, 3))
    assert [type(item) for item in outcomes] == [RecordedCall, RecordedCall]


CALLS: list[torch.Tensor] = []


class Second(nn.Module):
    """Attention that fails only when it runs a second time."""

    moved: torch.Tensor

    def __init__(self, error):
        super().__init__()
        torch.manual_seed(0)
        self.error = error
        CALLS.clear()
        self.register_buffer("moved", torch.zeros(()))
        self.attention = nn.MultiheadAttention(12, 2, batch_first=True)

    def forward(self, x):
        # The second pass is over a copy, which has a separate counter.
        CALLS.append(x)
        self.moved += 1
        if len(CALLS) == 2:
            raise self.error("in the second pass")
        return self.attention(x, x, x, need_weights=False)[0]


def test_an_error_in_the_second_pass_leaves_the_result():
    x = torch.ones(1, 4, 12)
    outcomes: list[Outcome] = []
    expected = Second(ValueError).eval()(x)
    model = Second(ValueError).eval()
    before = world()
    with torch.no_grad(), observing(outcomes.append, {}):
        result = model(x)
    assert world() == before
    assert torch.equal(result, expected.detach())
    assert [type(item) for item in outcomes] == [Refusal]
    assert "in the second pass" in only_refusal(outcomes).cause
    assert model.moved == 1
    # The next call, which is the third, works.
    with torch.no_grad(), observing(outcomes.append, {}):
        model(x)
    assert [type(item) for item in outcomes] == [Refusal, RecordedCall]


@pytest.mark.parametrize("error", [KeyboardInterrupt, CancelledError])
def test_an_interrupt_in_the_second_pass_is_raised_and_everything_is_restored(error):
    model, x = Second(error).eval(), torch.ones(1, 4, 12)
    outcomes: list[Outcome] = []
    before = world()
    with torch.no_grad(), pytest.raises(error), observing(outcomes.append, {}):
        model(x)
    assert world() == before
    assert model.moved == 1
    with torch.no_grad(), observing(outcomes.append, {}):
        model(x)
    assert [type(item) for item in outcomes] == [RecordedCall]


def test_an_error_inside_the_tap_becomes_a_refusal_and_leaves_the_result(monkeypatch):
    from attnlab.capture.tap import products

    model = bloom()
    with torch.no_grad():
        expected = model(ids(1, 5))

    def broken(*_):
        raise RuntimeError("a fault of ours")

    before = world()
    monkeypatch.setattr(products, "note_attention", broken)
    result, outcomes = record(model, {"input_ids": ids(1, 5)})
    assert world() == before
    same(result, expected)
    assert [type(item) for item in outcomes] == [Refusal]
    assert "a fault of ours" in only_refusal(outcomes).cause


def test_an_error_in_naming_the_tokens_becomes_a_refusal(monkeypatch):
    from attnlab.capture.record.sequence_naming import SequenceNaming

    def broken(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(SequenceNaming, "layout", broken)
    family = bert()
    _, outcomes = record(family.model(), family.inputs)
    assert [type(item) for item in outcomes] == [Refusal]


@pytest.mark.parametrize("name", ["interface", "tap", "plain"])
def test_passes_on_other_threads_are_neither_disturbed_nor_recorded_meanwhile(name):
    make, inputs = MODELS[name]
    mine, other = make().eval(), make().eval()
    with torch.no_grad():
        expected = other(**inputs)
    results, stop, started = [], threading.Event(), threading.Event()

    def elsewhere():
        while not stop.is_set():
            with torch.no_grad():
                results.append(other(**inputs))
            assert torch._C._len_torch_dispatch_stack() == 0
            started.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    started.wait(20)
    outcomes: list[Outcome] = []
    try:
        for _ in range(5):
            with torch.no_grad(), observing(outcomes.append, {}):
                same(mine(**inputs), expected)
    finally:
        stop.set()
        thread.join(20)
    for result in results:
        same(result, expected)
    assert [type(item) for item in outcomes] == [RecordedCall] * 5
    counts = {len(item.records) for item in all_calls(outcomes)}
    assert len(counts) == 1


def test_two_watched_threads_record_only_their_calls():
    heard: dict[str, list[Outcome]] = {"one": [], "two": []}
    barrier = threading.Barrier(2)

    def watch(name, make, inputs):
        model = make().eval()
        barrier.wait(20)
        with torch.no_grad(), observing(heard[name].append, {}):
            for _ in range(5):
                model(**inputs)

    before = world()
    threads = [
        threading.Thread(target=watch, args=("one", *MODELS["interface"])),
        threading.Thread(target=watch, args=("two", *MODELS["tap"])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert {call.model for call in all_calls(heard["one"])} == {"BertModel"}
    assert {call.model for call in all_calls(heard["two"])} == {"BloomForCausalLM"}
    assert [len(calls) for calls in heard.values()] == [5, 5]
    assert world() == before


def test_the_users_settings_of_torch_are_unchanged_during_and_after():
    family = bert()
    model = family.model()
    seen = []
    model.encoder.layer[0].register_forward_hook(
        lambda *_: seen.append(
            (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads())
        )
    )
    thread_count = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), observing(lambda _: None, {}):
            model(**family.inputs)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert seen == [(torch.float64, False, thread_count)]
