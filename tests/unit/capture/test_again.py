"""A model call that is repeated with other texts gives the same as running the cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from attnlab.capture.again import NotAgainError
from attnlab.traces.weights import weights
from tests.unit.feeding import PLAIN, ran, seen
from tests.unit.outcomes import only_call
from tests.unit.repeating import GENERATED, called, chat, first, state
from tests.unit.repeating import names as names
from tests.unit.repeating import namespace as namespace
from tests.unit.repeating import parts as parts

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


def rows(call, stop):
    """Return the weights of the first queries over the first keys of each decoder site."""
    return [
        weights(record, slice(0, record.heads), slice(0, stop))[..., :stop]
        for record in call.records
        if record.kind == "decoder"
    ]


def test_the_generated_tokens_of_the_run_follow_an_edited_prompt(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    before = call.sequences[0].items[0].tokens
    made = called(call.feed, [{"text": "the black cat sat"}], names)
    after = made.call.sequences[0].items[0].tokens
    assert call.generated is not None
    prompt = made.call.generated
    assert prompt == call.generated + 2
    assert [entry.id for entry in after[-3:]] == [entry.id for entry in before[-3:]]
    assert [entry.stale for entry in after] == [False] * prompt + [True] * 3
    assert any("those of the original prompt" in note for note in made.call.notes)
    ids = torch.tensor([[entry.id for entry in after[:prompt]]])
    expected = only_call(ran("writer(ids)", names | {"ids": ids}))
    for actual, true in zip(rows(made.call, prompt), rows(expected, prompt), strict=True):
        torch.testing.assert_close(actual, true, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        "do_sample=True, num_return_sequences=3",
        "num_beams=2",
        "num_beams=4, num_return_sequences=2",
        "num_beams=2, num_return_sequences=2, use_cache=False",
    ],
)
@pytest.mark.parametrize(
    ("texts", "edited"),
    [("'the cat'", "the black cat sat"), ("['the cat', 'a dog']", ["the black cat", "a dog sat"])],
    ids=["one prompt", "two prompts"],
)
def test_an_edited_prompt_of_several_returned_texts_is_computed_for_each(names, how, texts, edited):
    code = (
        "writer.generate(tok({}, return_tensors='pt').input_ids, max_new_tokens=3, "
        f"eos_token_id=None, {how})"
    )
    call = only_call(ran(code.format(texts), names))
    made = called(call.feed, [{"text": edited}], names).call
    prompts = [edited] if isinstance(edited, str) else edited
    returned = len(call.sequences[0].items)
    assert len(made.sequences[0].items) == returned
    for index, (item, before) in enumerate(
        zip(made.sequences[0].items, call.sequences[0].items, strict=True)
    ):
        text = prompts[index * len(prompts) // returned]
        ids = names["tok"](text, return_tensors="pt").input_ids
        assert [token.id for token in item.tokens[: made.generated]] == ids[0].tolist()
        written = [token.id for token in before.tokens[call.generated :]]
        assert [token.id for token in item.tokens[made.generated :]] == written
        expected = only_call(ran("writer(ids)", names | {"ids": ids}))
        for record, true in zip(made.records, expected.records, strict=True):
            heads, queries = slice(0, true.heads), slice(0, made.generated)
            actual = weights(record, heads, queries, item=index)[..., : made.generated]
            torch.testing.assert_close(actual, weights(true, heads, queries), rtol=0, atol=1e-6)


def test_stale_tokens_have_no_rows_and_no_query_attends_to_them(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    made = called(call.feed, [{"text": "the black cat sat"}], names).call
    prompt = made.generated
    for record in made.records:
        found = weights(record, slice(0, record.heads), slice(0, record.queries))
        assert found[:, prompt:].isnan().all()
        assert not found[:, :prompt, prompt:].any()


def test_the_same_prompt_gives_the_rows_of_the_run(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    again = called(call.feed, [{"text": "the cat"}], names).call
    assert [token.id for token in again.sequences[0].items[0].tokens] == [
        token.id for token in call.sequences[0].items[0].tokens
    ]
    for actual, true in zip(rows(again, call.generated), rows(call, call.generated), strict=True):
        torch.testing.assert_close(actual, true, rtol=0, atol=1e-6)


def test_an_encoder_reads_the_new_text_and_its_decoder_begins_as_before(names):
    code = 't5.generate(tok({}, return_tensors="pt").input_ids, max_new_tokens=4, do_sample=False)'
    call = only_call(ran(code.format('"the cat sat"'), names))
    made = called(call.feed, [{"text": "a dog"}], names).call
    assert made.generated == call.generated == 1
    with torch.no_grad():
        params = {"decoder_input_ids": torch.tensor([[0]])}
        code = 't5(tok("a dog", return_tensors="pt").input_ids, **own)'
        expected = only_call(ran(code, names | {"own": params}))
    kinds = [record.kind for record in made.records]
    assert sorted(kinds) == sorted(["encoder", "decoder", "cross"] * 2)
    first = {(one.kind, one.layer): one for one in expected.records}
    for record in made.records:
        true = first[record.kind, record.layer]
        actual = weights(record, slice(0, record.heads), slice(0, true.queries))[..., : true.keys]
        theirs = weights(true, slice(0, true.heads), slice(0, true.queries))
        torch.testing.assert_close(actual, theirs, rtol=0, atol=1e-6)


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
