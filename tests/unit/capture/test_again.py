"""A model call that is repeated with other texts gives the same as running the cell."""

from __future__ import annotations

import random
import re
import threading
import types
import zlib
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
import transformers

from attnlab.capture.again import Again, NotAgainError, Stopped, again
from attnlab.capture.hooks.threads import disown
from tests.unit.feeding import PLAIN, crossed, decoder, encoder, gpt2, ran, seen, tokenizer
from tests.unit.outcomes import Outcome, only_call
from tests.unit.watching import inside, world


@pytest.fixture(scope="module")
def parts():
    return {
        "tok": tokenizer(),
        "model": encoder(),
        "writer": decoder(),
        "t5": crossed(),
        "torch": torch,
        "pipeline": transformers.pipeline,
    }


@pytest.fixture
def names(parts):
    return {"__name__": "__main__", **parts}


def called(feed, texts, names, limit=500, stop=lambda: False):
    """Repeat a call on a separate thread, as the kernel does."""
    outcome: list[Again | BaseException] = []

    def work():
        disown()
        try:
            outcome.append(again(feed, texts, stop, limit, names))
        except BaseException as error:  # noqa: BLE001 - raised below
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def first(code, names):
    call = only_call(ran(code, names))
    return call.feed


def chat(text):
    return [{"role": "user", "content": text}]


SHAPES: dict[str, tuple[str, dict[str, Callable[[str], Any]]]] = {
    "plain": (PLAIN, {}),
    "without gradients": ("with torch.no_grad(): " + PLAIN, {}),
    "in inference mode": ("with torch.inference_mode(): " + PLAIN, {}),
    "autocast": ('with torch.autocast("cpu", torch.bfloat16): ' + PLAIN, {}),
    "moved": ('e = tok({}, return_tensors="pt").to("cpu")\nmodel(**e)', {}),
    "another type": ('model(tok({}, return_tensors="pt")["input_ids"].int())', {}),
    "encode": ("model(torch.tensor([tok.encode({})]))", {}),
    "an axis more": ('model(torch.tensor(tok({})["input_ids"]).unsqueeze(0))', {}),
    "padded": (PLAIN.replace("return", 'padding="max_length", max_length=12, return'), {}),
    "truncated": (PLAIN.replace("return", "truncation=True, max_length=5, return"), {}),
    "labels": ('e = tok({}, return_tensors="pt")\nmodel(**e, labels=e["input_ids"])', {}),
    "pipeline": ('pipeline("feature-extraction", model=model, tokenizer=tok)({})', {}),
    "chat, rendered first": (
        't = tok.apply_chat_template([{{"role": "user", "content": {}}}], tokenize=False)\n'
        'writer(**tok(t, return_tensors="pt"))',
        {"text": lambda text: f"user: {text} "},
    ),
    "chat, tokenized": (
        'e = tok.apply_chat_template([{{"role": "user", "content": {}}}], '
        'return_tensors="pt", return_dict=True)\nwriter(e["input_ids"], e["attention_mask"])',
        {"conversation": chat},
    ),
    "pair": (
        'model(**tok({}, "sat down", return_tensors="pt"))',
        {"text": str, "text_pair": lambda _: "sat down"},
    ),
    "batch": (
        'model(**tok(["a dog", {}], padding=True, return_tensors="pt"))',
        {"text": lambda text: ["a dog", text]},
    ),
    "writer, left": (
        'writer(**tok(["a dog", {}], padding=True, padding_side="left", return_tensors="pt"))',
        {"text": lambda text: ["a dog", text]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "text", ["the cat sat", "the black cat sat down", "été 😀 unbelievably", ""]
)
@pytest.mark.parametrize("name", SHAPES)
def test_a_repeated_call_gives_the_same_as_running_the_cell(names, name, text):
    code, given = SHAPES[name]
    feed = first(code.format('"the cat"'), names)
    texts = {key: make(text) for key, make in (given or {"text": str}).items()}
    made = called(feed, [texts], names)
    expected = only_call(ran(code.format(repr(text)), names))
    assert seen(made.call) == seen(expected)
    assert [entry.texts for entry in made.tokenized] == [texts]


def test_items_may_be_added_to_a_batch(names):
    code = 'model(**tok({}, padding=True, return_tensors="pt"))'
    feed = first(code.format('["the cat"]'), names)
    made = called(feed, [{"text": ["a", "the cat", "sat down"]}], names)
    expected = only_call(ran(code.format('["a", "the cat", "sat down"]'), names))
    assert seen(made.call) == seen(expected)


def test_the_texts_of_an_encoder_and_its_decoder_are_not_confused(names):
    code = (
        't5(input_ids=tok.encode({}, return_tensors="pt"), '
        'decoder_input_ids=tok.encode({}, return_tensors="pt"))'
    )
    feed = first(code.format('"the cat"', '"a dog sat"'), names)
    made = called(feed, [{"text": "the black cat"}, {"text": "a dog"}], names)
    expected = only_call(ran(code.format('"the black cat"', '"a dog"'), names))
    assert seen(made.call) == seen(expected)


GENERATED = (
    'writer.generate(tok({}, return_tensors="pt").input_ids, max_new_tokens=3, do_sample=False)'
)


def test_the_generated_tokens_of_the_run_follow_an_edited_prompt(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    before = call.sequences[0].items[0].tokens
    made = called(call.feed, [{"text": "the black cat sat"}], names)
    after = made.call.sequences[0].items[0].tokens
    assert call.generated is not None
    assert made.call.generated == call.generated + 2
    assert [entry.id for entry in after[-3:]] == [entry.id for entry in before[-3:]]
    assert any("those of the original prompt" in note for note in made.call.notes)
    ids = torch.tensor([[entry.id for entry in after]])
    expected = only_call(ran("writer(ids)", names | {"ids": ids}))
    assert seen(made.call)[5:] == seen(expected)[5:]


def test_the_same_prompt_gives_the_same_view_as_the_run(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    assert seen(called(call.feed, [{"text": "the cat"}], names).call) == seen(call)


def test_an_encoder_reads_the_new_text_and_its_decoder_what_it_generated(names):
    code = 't5.generate(tok({}, return_tensors="pt").input_ids, max_new_tokens=4, do_sample=False)'
    call = only_call(ran(code.format('"the cat sat"'), names))
    assert seen(called(call.feed, [{"text": "the cat sat"}], names).call) == seen(call)
    made = called(call.feed, [{"text": "a dog"}], names)
    assert call.feed is not None
    assert made.call.generated == call.generated == 1
    with torch.no_grad():
        params = {"decoder_input_ids": call.feed.kwargs["decoder_input_ids"]}
        code = 't5(tok("a dog", return_tensors="pt").input_ids, **own)'
        expected = only_call(ran(code, names | {"own": params}))
    assert seen(made.call)[5:] == seen(expected)[5:]


def test_generated_prompts_that_need_padding_now_are_refused(names):
    code = 'e = tok({}, padding=True, return_tensors="pt")\n' + (
        "writer.generate(e.input_ids, attention_mask=e.attention_mask, max_new_tokens=2)"
    )
    feed = first(code.format('["the cat", "a dog"]'), names)
    with pytest.raises(NotAgainError, match="several lengths") as error:
        called(feed, [{"text": ["the cat", "a"]}], names)
    assert error.value.code == "unknown"


def test_generated_prompts_that_were_padded_are_refused(names):
    code = 'e = tok(["the cat", "a"], padding=True, padding_side="left", return_tensors="pt")\n' + (
        "writer.generate(e.input_ids, attention_mask=e.attention_mask, max_new_tokens=2)"
    )
    feed = first(code, names)
    with pytest.raises(NotAgainError) as error:
        called(feed, [{"text": ["the cat", "a"]}], names)
    assert error.value.code == "unknown"


# --- side effects -----------------------------------------------------------------------


def checksum(tensor):
    """Checksum of a tensor's bytes: lists of millions of numbers would take most of the time."""
    return tensor.dtype, tensor.shape, zlib.crc32(tensor.detach().numpy().tobytes())


def state(names):
    """Return the user's objects that a pass could change."""
    tok, model = names["tok"], names["model"]
    backend = tok.backend_tokenizer
    return {
        "world": world(),
        "random": (
            random.getstate(),
            str(numpy.random.get_state()),
            torch.get_rng_state().numpy().tobytes(),
        ),
        "model": inside(model),
        "attributes": [
            {name: id(value) for name, value in vars(part).items()} for part in model.modules()
        ],
        "parameters": [
            (
                parameter.requires_grad,
                None if parameter.grad is None else checksum(parameter.grad),
                parameter._version,
            )
            for parameter in model.parameters()
        ],
        "buffers": [checksum(buffer) for buffer in model.buffers()],
        "tokenizer": (
            backend.truncation,
            backend.padding,
            backend.encode_special_tokens,
            tok.padding_side,
            tok.truncation_side,
            dict(tok.deprecation_warnings),
        ),
        "names": {name: id(value) for name, value in names.items()},
    }


@pytest.fixture
def namespace(names):
    """Return a model for this test only, with gradients, and a tokenizer with other settings."""
    names["model"] = encoder()
    names["model"](input_ids=torch.tensor([[1, 2]]))[0].sum().backward()
    return names


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


# --- refusals ---------------------------------------------------------------------------


def refused(code, feed, names, text="the black cat", limit=500):
    before = state(names)
    with pytest.raises(NotAgainError) as error:
        called(feed, [{"text": text}], names, limit)
    assert error.value.code == code
    assert state(names) == before
    return error.value.why


def test_a_model_in_training_mode_is_refused_with_the_remedy(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    namespace["model"].bert.embeddings.train()
    assert "model.eval()" in refused("model", feed, namespace)


def test_a_model_with_hooks_is_refused_and_runs_none_of_them(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    heard = []
    namespace["model"].bert.register_forward_hook(lambda *_: heard.append(1))
    assert "hooks" in refused("model", feed, namespace)
    assert heard == []


def test_a_model_that_changes_its_weights_while_running_is_refused(namespace):
    """An embedding with a maximum norm scales the rows that it looks up, in place."""
    namespace["model"].bert.embeddings.word_embeddings.max_norm = 0.1
    feed = first(PLAIN.format('"the cat"'), namespace)
    assert "embedding_renorm_" in refused("model", feed, namespace)
    assert "embedding_renorm_" in refused("model", feed, namespace)


def test_a_model_that_calls_another_by_a_global_name_is_refused(namespace):
    global OTHER
    OTHER = torch.nn.Linear(32, 32)
    attention = namespace["model"].bert.encoder.layer[0].attention

    def forward(*args, **kwargs):
        output, *others = type(attention).forward(attention, *args, **kwargs)
        return OTHER(output), *others

    attention.forward = forward
    feed = first(PLAIN.format('"the cat"'), namespace)
    assert "it calls a Linear that is not a part of it" in refused("model", feed, namespace)


OTHER = None


def test_a_model_that_uses_up_an_iterator_is_refused(namespace):
    namespace["model"].bert.batches = (number for number in range(3))
    feed = first(PLAIN.format('"the cat"'), namespace)
    assert "generator" in refused("model", feed, namespace)
    assert next(namespace["model"].bert.batches) == 0


def test_a_long_text_is_refused_by_its_count_before_the_model_is_called(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    namespace["model"].forward = None
    why = refused("long", feed, namespace, "cat " * 30, 20)
    assert re.search(r"\b32 tokens\b.*\b20\b.*settings", why)


def test_a_text_with_more_tokens_than_the_model_has_positions_is_not_tried(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    namespace["model"].forward = None
    why = refused("long", feed, namespace, "cat " * 63)
    assert why == "The text has 65 tokens; BertForMaskedLM has only 64 positions: shorten it."


def test_as_many_tokens_as_the_model_has_positions_are_fine(namespace):
    feed = first(PLAIN.format('"the cat"'), namespace)
    assert called(feed, [{"text": "cat " * 62}], namespace).call.records


def test_generated_tokens_need_positions_too(names):
    names["writer"] = gpt2()
    feed = first(GENERATED.format('"the cat"'), names)
    assert called(feed, [{"text": "cat " * 11}], names).call.records
    with pytest.raises(NotAgainError, match="17 tokens; GPT2LMHeadModel has only 16 positions"):
        called(feed, [{"text": "cat " * 12}], names)


def test_computed_positions_have_no_limit(names):
    feed = first('writer(**tok("the cat", return_tensors="pt"))', names)
    assert called(feed, [{"text": "cat " * 100}], names).call.records


def test_a_tokenizer_that_fails_is_quoted(namespace):
    feed = first('model(**tok(["the cat"], return_tensors="pt"))', namespace)
    why = refused("failed", feed, namespace, ["a", "the cat"])
    assert why.startswith("The tokenizer failed: Unable to create tensor")


def test_texts_of_several_lengths_that_the_cell_put_in_one_tensor_are_refused(namespace):
    feed = first('model(torch.tensor(tok(["the cat", "a dog"])["input_ids"]))', namespace)
    assert "different numbers of tokens" in refused("unknown", feed, namespace, ["a", "the cat"])


def test_labels_made_for_two_texts_are_not_given_to_three(namespace):
    namespace["model"] = encoder("BertForSequenceClassification")
    code = 'model(**tok({}, padding=True, return_tensors="pt"), labels=torch.tensor([0, 1]))'
    feed = first(code.format('["the cat", "a"]'), namespace)
    assert called(feed, [{"text": ["the dog", "a cat"]}], namespace).call.records
    assert "`labels`" in refused("unknown", feed, namespace, ["a", "b", "c"])


def test_a_call_of_unknown_text_is_refused_with_the_feeds_reason(namespace):
    feed = first("model(torch.tensor([[101, 102]]))", namespace)
    assert "another cell" in refused("unknown", feed, namespace)


class Fused(torch.nn.Module):
    """PyTorch's encoder, which computes whole layers in one operation without gradients."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
        self.words = torch.nn.Embedding(30522, 32)
        self.layers = torch.nn.TransformerEncoder(layer, 2)

    def forward(self, ids):
        return self.layers(self.words(ids))


@pytest.mark.parametrize("gradients", ["no_grad", "enable_grad"])
def test_layers_that_were_fused_are_fused_again(namespace, gradients):
    namespace["model"] = Fused().eval()
    code = f'with torch.{gradients}(): model(tok({{}}, return_tensors="pt").input_ids)'
    feed = first(code.format('"the cat"'), namespace)
    before = state(namespace)
    made = called(feed, [{"text": "the black cat"}], namespace)
    assert state(namespace) == before
    expected = only_call(ran(code.format('"the black cat"'), namespace))
    assert seen(made.call) == seen(expected)
    assert made.call.notes == expected.notes
