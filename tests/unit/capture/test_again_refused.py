"""Calls that are not repeated, with the reason."""

from __future__ import annotations

import re

import pytest
import torch

from attnlab.capture.again import NotAgainError
from tests.unit.feeding import PLAIN, encoder, gpt2
from tests.unit.repeating import GENERATED, called, first, refused
from tests.unit.repeating import names as names
from tests.unit.repeating import namespace as namespace
from tests.unit.repeating import parts as parts


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
