"""The tokenizer calls that made a model call's tokens are known, or the reason why not."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
import transformers

from attnlab.capture.feed.feed import Feed
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from tests.unit.feeding import PLAIN, crossed, decoder, encoder, ran, tokenizer
from tests.unit.outcomes import Outcome, all_calls, only_call


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


def feed_of(call: RecordedCall) -> Feed:
    assert call.feed is not None
    return call.feed


def feed(code, names):
    call = only_call(ran(code, names))
    return call.feed


CHAT = '[{"role": "user", "content": "the cat"}]'
ONE = [{"text": "the cat"}]

FED = {
    "plain": (PLAIN.format('"the cat"'), ONE),
    "by name": ('model(**tok(text="the cat", return_tensors="pt"))', ONE),
    "ids by place": ('model(tok("the cat", return_tensors="pt")["input_ids"])', ONE),
    "encode, a list": ('model(torch.tensor([tok.encode("the cat")]))', ONE),
    "encode, a tensor": ('model(tok.encode("the cat", return_tensors="pt"))', ONE),
    "an axis more": ('model(torch.tensor(tok("the cat")["input_ids"]).unsqueeze(0))', ONE),
    "moved": ('e = tok("the cat", return_tensors="pt").to("cpu")\nmodel(**e)', ONE),
    "another type": (
        'e = tok("the cat", return_tensors="pt")\nmodel(e["input_ids"].int())',
        ONE,
    ),
    "batch": (
        'model(**tok(["the cat", "a"], padding=True, return_tensors="pt"))',
        [{"text": ["the cat", "a"]}],
    ),
    "pair": (
        'model(**tok("the cat", "sat down", return_tensors="pt"))',
        [{"text": "the cat", "text_pair": "sat down"}],
    ),
    "labels": (
        'e = tok("the cat", return_tensors="pt")\nmodel(**e, labels=e["input_ids"].clone())',
        ONE,
    ),
    "labels of another text": (
        'e = tok("the cat", return_tensors="pt")\n'
        'model(**e, labels=tok("the dog", return_tensors="pt")["input_ids"])',
        [{"text": "the cat"}, {"text": "the dog"}],
    ),
    "chat, tokenized": (
        f'writer(**tok.apply_chat_template({CHAT}, return_tensors="pt", return_dict=True))',
        [{"conversation": [{"role": "user", "content": "the cat"}]}],
    ),
    "chat, rendered first": (
        f"t = tok.apply_chat_template({CHAT}, tokenize=False)\n"
        'writer(**tok(t, return_tensors="pt"))',
        [{"text": "user: the cat "}],
    ),
    "pipeline": ('pipeline("fill-mask", model=model, tokenizer=tok)("the [MASK]")',
                 [{"text": "the [MASK]"}]),
    "encoder and decoder": (
        't5(input_ids=tok("the cat", return_tensors="pt").input_ids, '
        'decoder_input_ids=tok("a dog sat", return_tensors="pt").input_ids)',
        [{"text": "the cat"}, {"text": "a dog sat"}],
    ),
    "generate": (
        'writer.generate(tok("the cat", return_tensors="pt").input_ids, max_new_tokens=3)', ONE
    ),
    "generate, one after another": (
        'tok("no")\nwriter.generate(tok.encode("the cat", return_tensors="pt"), max_new_tokens=3)',
        ONE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FED)
def test_a_call_knows_the_texts_that_fed_it(names, name):
    code, texts = FED[name]
    found_feed = feed(code, names)
    assert found_feed.refusal == ""
    assert [tokenized.texts for tokenized in found_feed.tokenized] == texts
    assert all(tokenized.tokenizer is names["tok"] for tokenized in found_feed.tokenized)
    assert found_feed.callsite is not None


REFUSED = {
    "another cell's text": ("model(ids)", "another cell"),
    "a tensor as long as the text": (
        'e = tok("the cat", return_tensors="pt")\n'
        'model(**e, position_ids=torch.arange(4)[None])',
        "`position_ids` depends on the text's length",
    ),
    "a mask of four axes": (
        'model(tok("the cat", return_tensors="pt")["input_ids"], '
        "attention_mask=torch.ones(1, 1, 4, 4))",
        "`attention_mask` depends on the text's length",
    ),
    "embeddings": (
        'e = tok("the cat", return_tensors="pt")\n'
        "model(inputs_embeds=model.get_input_embeddings()(e.input_ids))",
        "`inputs_embeds` was computed from the text",
    ),
    "a cache": (
        "from transformers import DynamicCache\n"
        'writer(**tok("the cat", return_tensors="pt"), past_key_values=DynamicCache())',
        "cache",
    ),
    "changed in place": (
        'e = tok("the cat", return_tensors="pt")\ne["input_ids"][0, 1] = 103\nmodel(**e)',
        "changed",
    ),
    "changed in place, under inference mode": (
        'with torch.inference_mode():\n    e = tok("the cat", return_tensors="pt")\n'
        '    e["input_ids"][0, 1] = 103\n    model(**e)',
        "changed",
    ),
    "a list changed": (
        'e = tok("the cat")\ne["input_ids"].append(103)\nmodel(torch.tensor([e["input_ids"]]))',
        "changed",
    ),
    "cut after the tokenizer": (
        'e = tok("the cat", return_tensors="pt")\n'
        'for k in e: e[k] = e[k][:, :1]\nmodel(**e)',
        "changed",
    ),
    "cut, with a mask that an earlier text had, too": (
        'tok("a", return_tensors="pt")\ne = tok("the cat", return_tensors="pt")\n'
        'for k in e: e[k] = e[k][:, :3]\nmodel(**e)',
        "changed",
    ),
    "put together of two": (
        'a, b = (tok(t, return_tensors="pt").input_ids for t in ("the cat", "sat"))\n'
        "model(torch.cat([a, b], 1))",
        "changed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_whose_tokens_are_not_a_tokenizers_result_has_a_reason(names, name):
    names["ids"] = torch.tensor([[101, 1996, 102]])
    code, why = REFUSED[name]
    assert why in feed(code, names).refusal


def test_equal_ids_of_two_texts_are_distinguished_by_the_tensor(names):
    code = (
        'a = tok("The Cat", return_tensors="pt")\n'
        'b = tok("the cat", return_tensors="pt")\nmodel(**a)'
    )
    (tokenized,) = feed(code, names).tokenized
    assert tokenized.texts == {"text": "The Cat"}


def test_a_mask_belongs_to_the_text_whose_ids_are_given(names):
    code = (
        'a = tok("the cat", return_tensors="pt")\nb = tok("a dog", return_tensors="pt")\n'
        'model(input_ids=a["input_ids"].clone(), attention_mask=a["attention_mask"].clone())'
    )
    (tokenized,) = feed(code, names).tokenized
    assert tokenized.texts == {"text": "the cat"}


def test_the_texts_stay_as_they_were_when_the_cell_changes_its_list_later(names):
    code = (
        'ts = ["the cat"]\nm = [{"role": "user", "content": "a"}]\n'
        'e = tok(ts, return_tensors="pt")\nts[0] = "no"\nts.append("no")\nmodel(**e)\n'
        'e = tok.apply_chat_template(m, return_tensors="pt", return_dict=True)\n'
        'm[0]["content"] = "no"\nwriter(**e)'
    )
    one, two = (feed_of(call).tokenized[0].texts for call in all_calls(ran(code, names)))
    assert one == {"text": ["the cat"]}
    assert two == {"conversation": [{"role": "user", "content": "a"}]}


def test_each_call_knows_its_position_and_those_of_its_texts(names):
    code = 'e = tok(\n  "the cat", return_tensors="pt")\nx = 1; model(**e)'
    found_feed = feed(code, names)
    assert found_feed.callsite.position == (3, 3, 7, 17)
    assert found_feed.tokenized[0].callsite.position == (1, 2, 4, 33)


def test_nested_tokenizer_calls_count_once(names):
    code = (
        f"tok.apply_chat_template({CHAT}, tokenize=True)\n{PLAIN.format(chr(34) + 'a' + chr(34))}"
    )
    outcomes: list[Outcome] = []
    with observing(outcomes.append, names, fed=True):
        exec(compile(code, "<cell>", "exec"), names)
    (tokenized,) = feed_of(only_call(outcomes)).tokenized
    assert tokenized.method == "__call__"
    assert tokenized.texts == {"text": "a"}
    chat = feed(FED["chat, tokenized"][0], names).tokenized
    assert [entry.method for entry in chat] == ["apply_chat_template"]


def test_a_chat_template_that_gives_ids_still_shows_the_rendered_text(names):
    call = only_call(ran(FED["chat, tokenized"][0], names))
    assert call.sequences[0].items[0].text == "user: the cat "


def test_a_call_is_recorded_even_if_its_feed_cannot_be_found(names, monkeypatch, caplog):
    def fails(*_args):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("attnlab.capture.hooks.reporting.Feed.of", fails)
    call = only_call(ran(PLAIN.format('"the cat"'), names))
    assert call.records
    assert call.feed is None
    assert "a fault of ours" in caplog.text


def test_without_a_request_no_feed_is_created(names):
    outcomes: list[Outcome] = []
    with observing(outcomes.append, names):
        exec(PLAIN.format('"the cat"'), names)
    assert [call.feed for call in all_calls(outcomes)] == [None]


def test_the_notebooks_model_is_not_kept_alive(names):
    names["model"] = encoder(num_hidden_layers=1)
    code = feed(PLAIN.format('"the cat"'), names)
    gone = weakref.ref(names.pop("model"))
    names.clear()
    gc.collect()
    assert gone() is None
    assert code.model is None


def test_the_users_cache_is_not_kept_alive(names):
    cache = transformers.DynamicCache()
    names["cache"] = cache
    found_feed = feed('writer(**tok("the cat", return_tensors="pt"), past_key_values=cache)', names)
    gone = weakref.ref(cache)
    del names["cache"], cache
    gc.collect()
    assert found_feed.refusal
    assert gone() is None
