"""Calls of a model's methods, submodules and wrappers instead of the model."""

from __future__ import annotations

import contextlib
import gc
import inspect
import sys
import threading
import weakref
from functools import partial
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import attnlab
from attnlab.capture import watch
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from attnlab.traces.trace import Trace
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.outcomes import Outcome, all_calls, only_call, only_refusal
from tests.unit.tiny_models import FAMILIES, VOCABULARY, bert, ids, llama, trace
from tests.unit.watching import differs, only, same, unnoticed

SIZE = 16


def clip(implementation="sdpa"):
    """Make a CLIP with tiny towers, with the same parameters each time."""
    shared = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
    shared["num_attention_heads"] = 2
    text = {"vocab_size": VOCABULARY, "max_position_embeddings": 32, **shared}
    vision = {"patch_size": 4, "image_size": 16, **shared}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision)
    torch.manual_seed(0)
    model = transformers.CLIPModel._from_config(config, attn_implementation=implementation)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


PIXELS = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


# --- forward ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_forward_called_directly_is_one_call_with_the_weights_of_an_eager_copy(name):
    family = FAMILIES[name]()
    recorded = only(unnoticed(family.model, lambda m: m.forward(**family.inputs)))
    whole = only(unnoticed(family.model, lambda m: m(**family.inputs)))
    assert recorded.model == whole.model
    assert [site.name for site in recorded.sites] == [site.name for site in whole.sites]
    assert [len(entry) for entry in recorded.sequences] == [len(entry) for entry in whole.sequences]
    assert all(site.certificate.exact for site in recorded.sites)
    for kind, expected in family.oracle().items():
        matching = [site for site in recorded.sites if not kind or site.kind == kind]
        for site, weights in zip(matching, expected, strict=True):
            for head in range(site.heads):
                found = torch.from_numpy(recorded.head(site.index, head))
                rows = ~found.isnan().any(-1)
                assert (found - weights[0, head])[rows].abs().max() < 1e-5


@pytest.mark.parametrize("name", ["BERT, padded", "Llama, grouped heads"])
def test_record_includes_forward_as_soon_as_it_has_returned(name):
    family = FAMILIES[name]()
    model = family.model()
    with attnlab.record(model) as block:
        model.forward(**family.inputs)
        assert differs(block, family.oracle()[""]) < 1e-5
        assert block.milliseconds > 0
        model.forward(family.inputs["input_ids"])
        assert len(block.calls) == 2
    assert len(block.calls) == 2


def test_the_text_of_a_forward_is_the_tokenizers():
    tokenizer, model = wordpiece(), llama().model()
    with attnlab.record(model, tokenizer) as block:
        model.forward(**tokenizer("the cat", return_tensors="pt"))
    assert block.sequences[0].items[0].text == "the cat"


def test_gradients_of_a_forward_called_directly_are_bit_identical():
    family = bert()
    only(unnoticed(family.model, lambda m: m.forward(**family.inputs), gradients=True))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("caught", [False, True])
def test_a_forward_that_raises_is_refused_and_leaves_nothing(error, caught):
    family = bert()

    def fail(*_):
        raise error("half way")

    def block(outcomes, model):
        with observing(outcomes.append, {}):
            if not caught:
                model.forward(**family.inputs)
            try:
                model.forward(**family.inputs)
            except error:
                outcomes.append("caught")

    model = family.model()
    outcomes: list[Outcome] = []
    handle = model.encoder.layer[1].register_forward_pre_hook(fail)
    if caught:
        block(outcomes, model)
    else:
        with pytest.raises(error, match="half way"):
            block(outcomes, model)
    refusal = next(item for item in outcomes if isinstance(item, Refusal))
    assert "BertModel did not finish" in refusal.title
    assert watch._gate.blocks.idle
    assert torch._C._len_torch_dispatch_stack() == 0
    handle.remove()
    outcomes.clear()
    with observing(outcomes.append, {}):
        model.forward(**family.inputs)
    assert [type(item) for item in outcomes] == [RecordedCall]


def test_a_forward_that_continues_after_an_error_inside_is_recorded():
    family = bert()

    class Patient(transformers.BertModel):
        def forward(self, **given):
            with contextlib.suppress(IndexError, RuntimeError):
                pooler: Any = self.pooler
                pooler(torch.zeros(1))
            return super().forward(**given)

    model = Patient(family.config).eval()
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        model.forward(**family.inputs)
    assert [item.model for item in all_calls(outcomes)] == ["Patient"]
    assert len(only_call(outcomes).records) == 2


def test_the_tensors_of_a_forward_are_freed_as_soon_as_it_has_returned():
    """No frame is kept: its tensors are freed as early as without attnlab."""
    seen = []

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = bert().model()

        def forward(self, given):
            held = torch.zeros(3)
            seen.append(weakref.ref(held))
            return self.inner(given)[0]

    model = Model()
    gc.disable()
    try:
        with observing(lambda _: None, {}):
            model.forward(ids(1, 4))
            assert seen[0]() is None
    finally:
        gc.enable()


def test_a_debugger_or_coverage_keeps_its_frames_and_the_modules_inside_are_recorded():
    family = bert()
    model = family.model()
    events = []
    outcomes: list[Outcome] = []

    def tracing(frame, event, arg):
        events.append(event)

    before = sys.gettrace()
    try:
        with observing(outcomes.append, {}):
            sys.settrace(tracing)
            model.forward(**family.inputs)
            sys.settrace(before)
    finally:
        sys.settrace(before)
    assert "call" in events
    assert [item.model for item in all_calls(outcomes)] == ["BertEncoder"]


def test_a_forward_is_found_under_decorators_and_subclasses_and_other_functions_are_not():
    family = bert()

    class Decorated(transformers.BertModel):
        @torch.no_grad()
        def forward(self, **given):
            return super().forward(**given)

    def forward(model, **given):
        return [model(**given), model(**given)]

    model = Decorated(family.config).eval()
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        model.forward(**family.inputs)
        forward(model, **family.inputs)
    assert [item.model for item in all_calls(outcomes)] == ["Decorated"] * 3
    assert [len(item.records) for item in all_calls(outcomes)] == [2] * 3


def test_the_users_modes_are_active_around_a_forward_and_inside():
    family = bert()

    class Counting(transformers.BertModel):
        def forward(self, **given):
            with FlopCounterMode(display=False) as counter:
                result = super().forward(**given)
            counts.append(counter.get_total_flops())
            return result

    counts: list[int] = []
    model = Counting(family.config).eval()
    model.forward(**family.inputs)
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}), FlopCounterMode(display=False) as outer:
        model.forward(**family.inputs)
    assert counts[0] == counts[1] == outer.get_total_flops() > 0
    assert [item.model for item in all_calls(outcomes)] == ["Counting"]


class Attention(nn.Module):
    """Attention in a separate module, outside transformers' interface."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))

    def forward(self, given):
        weights = (self.q(given) @ self.k(given).mT / 4).softmax(-1)
        return weights @ self.v(given)


class Stack(nn.Module):
    """Two of these modules."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Attention(), Attention()])

    def forward(self, given):
        for layer in self.layers:
            given = layer(given)
        return given


def seeded(kind):
    def make():
        torch.manual_seed(1)
        return kind().eval()

    return make


def test_the_forward_of_a_plain_module_is_one_call_of_it():
    given = torch.randn(1, 5, SIZE, generator=torch.Generator().manual_seed(2))
    recorded = only(unnoticed(seeded(Stack), lambda m: m.forward(given)))
    assert [site.name for site in recorded.sites] == ["layers.0", "layers.1"]
    model, expected = seeded(Stack)(), []
    for layer in model.layers:
        scores = layer.q(given) @ layer.k(given).mT / 4
        expected.append(scores.softmax(-1)[:, None].detach())
        given = layer(given)
    assert differs(recorded, expected) < 1e-5


def test_what_a_forward_computes_itself_is_refused_with_the_remedy():
    given = torch.randn(1, 5, SIZE)
    outcomes = unnoticed(seeded(Attention), lambda m: m.forward(given))
    assert [type(item) for item in outcomes] == [Refusal]
    assert "Its forward() was called directly" in only_refusal(outcomes).cause
    assert (
        only_refusal(outcomes).remedy
        == "Call the Attention itself: model(…) instead of model.forward(…)."
    )


# --- other methods and parts --------------------------------------------------------------


@pytest.mark.parametrize("watched", ["record", "observing"])
def test_the_towers_that_a_models_methods_call_are_recorded(watched):
    model, eager = clip(), clip("eager")
    text = ids(1, 6)
    outcomes: list[Outcome] = []
    if watched == "record":
        with attnlab.record(model) as block:
            model.get_image_features(pixel_values=PIXELS)
            model.get_text_features(input_ids=text)
        traces: list[Trace] = [*block.calls]
    else:
        with observing(outcomes.append, {}):
            model.get_image_features(pixel_values=PIXELS)
            model.get_text_features(input_ids=text)
        traces = [trace(call) for call in outcomes]
    pictured, written = traces
    said = eager(input_ids=text, pixel_values=PIXELS, output_attentions=True)
    assert differs(pictured, said.vision_model_output.attentions) < 1e-5
    assert differs(written, said.text_model_output.attentions) < 1e-5


def test_a_submodule_that_is_called_alone_is_recorded_and_an_embedding_is_ignored():
    family = bert()
    model = family.model()
    given = family.inputs["input_ids"]
    with attnlab.record(model) as block:
        hidden = model.embeddings(given)
        assert block.calls == []
        model.encoder.layer[0](hidden)
    assert len(block.calls) == 1
    expected = family.model("eager")(given, output_attentions=True).attentions[0]
    assert differs(block, [expected]) < 1e-5
    with attnlab.record(model) as nothing:
        model.get_input_embeddings()(given)
    assert "The block called Embedding, which ran no attention" in repr(nothing)


def test_a_submodule_that_is_added_in_the_block_belongs_to_the_model():
    family = bert()
    model: Any = nn.Module()
    with attnlab.record(model) as block:
        model.inner = family.model()
        model.inner(**family.inputs)
    assert len(block.calls) == 1


# --- wrappers -----------------------------------------------------------------------------


def test_a_model_is_recorded_inside_whatever_calls_it():
    family = bert()
    model = family.model()

    class Wrapper(nn.Module):
        def __init__(self, method):
            super().__init__()
            self.inner, self.method = model, method

        def forward(self, **given):
            return getattr(self.inner, self.method)(**given)

    for wrapper in (Wrapper("__call__"), Wrapper("forward"), nn.DataParallel(model)):
        for call in (wrapper, wrapper.forward):
            with attnlab.record(model) as block:
                call(**family.inputs)
            assert block.model == "BertModel"
            assert len(block.calls) == 1
            assert differs(block, family.oracle()[""]) < 1e-5
            with attnlab.record(wrapper) as block:
                call(**family.inputs)
            assert block.model == type(wrapper).__name__
            assert differs(block, family.oracle()[""]) < 1e-5


def test_a_block_inside_a_watched_cell_gets_the_call_in_which_its_model_ran():
    family = bert()
    model, other = family.model(), family.model()

    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, **given):
            return self.inner(**given)

    wrapper = Wrapper()
    outcomes: list[Outcome] = []
    block, silent = attnlab.record(model), attnlab.record(other)
    with observing(outcomes.append, {}), block as recording, silent as nothing:
        wrapper(**family.inputs)
    assert recording.model == "Wrapper"
    assert differs(recording, family.oracle()[""]) < 1e-5
    assert [item.model for item in all_calls(outcomes)] == ["Wrapper"]
    assert "The block called Wrapper instead" in repr(nothing)


@pytest.mark.parametrize("recorded", ["base", "peft"])
@pytest.mark.parametrize("call", ["__call__", "forward", "generate"])
def test_adapters_are_recorded_by_model_and_by_base(recorded, call):
    peft = pytest.importorskip("peft", reason="peft is not installed here")
    family = llama()

    def make(implementation=None):
        torch.manual_seed(0)
        config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
        base = family.model(implementation)
        return base, peft.get_peft_model(base, config).eval()

    base, model = make()
    more = {"max_new_tokens": 2, "eos_token_id": None, "pad_token_id": 0, "do_sample": False}
    given = {"input_ids": family.inputs["input_ids"], **(more if call == "generate" else {})}
    plain = getattr(model, call)(**given)
    with attnlab.record(base if recorded == "base" else model) as block:
        result = getattr(model, call)(**given)
    same(plain, result)
    shown = {"input_ids": result} if call == "generate" else family.inputs
    expected = make("eager")[1](**shown, output_attentions=True).attentions
    assert differs(block, [weights.detach() for weights in expected]) < 1e-5
    assert len(block.calls) == 1


@pytest.mark.parametrize("name", ["model", "part"])
def test_a_pipeline_is_recorded_by_its_model_and_a_part_of_it(name):
    tokenizer = wordpiece()
    model = llama().model()
    run = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
    with attnlab.record(model if name == "model" else model.model, tokenizer) as block:
        run("the cat", max_new_tokens=2, do_sample=False)
    assert block.sequences[0].items[0].text == "the cat" if name == "model" else block.calls


# --- refusals ---------------------------------------------------------------------------


def test_a_call_of_another_model_is_named():
    family = bert()
    model, other = family.model(), llama()
    with attnlab.record(model) as block:
        other.model()(**other.inputs)
        nn.CrossEntropyLoss()(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
    said = repr(block)
    assert "BertModel was not called. The block called LlamaForCausalLM instead" in said
    with attnlab.record(model) as block:
        family.model()(**family.inputs)
    assert "BertModel (another object of this class) was not called" in repr(block)


def test_a_block_without_calls_reports_that():
    with attnlab.record(bert().model()) as block:
        pass
    assert (
        "BertModel was not called. The block called neither the model nor one of its submodules"
        in repr(block)
    )


# --- a method that was looked up before the block -----------------------------------------

MORE = {"max_new_tokens": 4, "eos_token_id": None, "pad_token_id": 0, "do_sample": False}


def inner(model):
    """Return the function that transformers' decorators wrap, which is not intercepted."""
    return torch.no_grad()(partial(inspect.unwrap(type(model).generate), model))


def bound(model):
    return model.generate


def unbound(model):
    return partial(type(model).generate, model)


@pytest.mark.parametrize("look_up", [bound, unbound])
def test_a_generate_that_was_looked_up_before_the_block_is_recorded_like_any(look_up):
    family = llama()
    model, text = family.model(), ids(2, 5)
    generate = look_up(model)
    with attnlab.record(model) as block:
        written = generate(input_ids=text, num_beams=2, **MORE)
    assert len(block.calls) == 1
    assert block.generated == 5
    said = family.model("eager")(input_ids=written, output_attentions=True)
    assert differs(block, said.attentions) < 1e-5
    assert all(site.certificate.exact for site in block.sites)
    assert torch.equal(written, model.generate(input_ids=text, num_beams=2, **MORE))


@pytest.mark.parametrize("cached", [True, False])
def test_a_generate_under_its_decorators_is_one_call(cached):
    family = llama()
    model, text = family.model(), ids(2, 5)
    generate = inner(model)
    with attnlab.record(model) as block:
        written = generate(input_ids=text, use_cache=cached, **MORE)
    assert len(block.calls) == 1
    assert block.generated == 5
    # No pass has read the last token.
    said = family.model("eager")(input_ids=written[:, :-1], output_attentions=True)
    assert differs(block, said.attentions) < 1e-5
    assert all(site.certificate.exact for site in block.sites)
    assert torch.equal(written, model.generate(input_ids=text, **MORE))


def test_an_encoder_decoders_generate_under_its_decorators_is_one_call():
    family = FAMILIES["T5, position bias and cross attention"]()
    model = family.model()
    generate = inner(model)
    with attnlab.record(model) as block:
        written = generate(input_ids=family.inputs["input_ids"], decoder_start_token_id=0, **MORE)
    assert len(block.calls) == 1
    assert [site.kind for site in block.sites].count("cross") == 2
    assert block.sites[-1].queries == written.shape[1] - 1


def test_beams_of_a_generate_under_its_decorators_are_those_of_the_last_pass():
    model = llama().model()
    generate = inner(model)
    with attnlab.record(model) as block:
        generate(input_ids=ids(1, 5), num_beams=3, **MORE)
    assert block.items == 3
    assert all(site.certificate.exact for site in block.sites)


def test_a_generate_under_its_decorators_and_fails_is_refused():
    model = llama().model()
    generate = inner(model)

    def fail(*_):
        raise ValueError("in a step")

    model.model.layers[1].register_forward_pre_hook(fail)
    outcomes: list[Outcome] = []
    with pytest.raises(ValueError, match="in a step"), observing(outcomes.append, {}):
        generate(input_ids=ids(1, 5), **MORE)
    assert [type(item) for item in outcomes] == [Refusal]
    assert watch._gate.blocks.idle


def test_an_interrupt_at_the_end_of_a_forward_comes_right_after_it():
    family = bert()
    model, waited = family.model(), []

    def interrupted(_):
        raise KeyboardInterrupt

    def cell():
        with observing(interrupted, {}):
            model.forward(**family.inputs)
            waited.append(threading.Event().wait(20))

    with pytest.raises(KeyboardInterrupt):
        cell()
    assert waited == []
    assert watch._gate.blocks.idle
