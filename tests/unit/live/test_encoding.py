"""A text is traced with the tokenizer that the user gives, whatever library it is from."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import attnlab
from tests.unit.capture.test_tokens import learned_byte_level, wordpiece
from tests.unit.tiny_models import bert, gpt2
from tests.unit.tokenizer_fakes import Encoding, MistralTokenizer


class Lesson(nn.Module):
    """A model that names its ids freely, as in lessons on transformers."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(300, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)

    def forward(self, idx):
        return self.layer(self.embedding(idx))


def words(trace, item=0):
    return [token.text for token in trace.sequences[0].items[item].tokens]


def language_model():
    model = gpt2().model()
    model.resize_token_embeddings(300)
    return model


def test_a_tokenizer_of_tiktoken_encodes_the_text():
    trace = attnlab.trace(language_model(), Encoding(), "the cat sat")
    assert words(trace) == ["the", " cat", " sat"]
    assert [token.id for token in trace.sequences[0].items[0].tokens] == [256, 257, 258]


def test_ids_are_passed_to_a_model_that_names_them_freely():
    assert words(attnlab.trace(Lesson(), Encoding(), "the cat")) == ["the", " cat"]


def test_arguments_are_passed_to_the_tokenizer():
    trace = attnlab.trace(language_model(), MistralTokenizer(), "the cat", bos=True, eos=False)
    assert words(trace) == ["<s>", "the", " cat"]


def test_a_tokenizer_of_the_tokenizers_library_encodes_texts_and_pairs():
    tokenizer = wordpiece().backend_tokenizer
    assert words(attnlab.trace(bert().model(), tokenizer, "the cat")) == [
        "[CLS]", "the", "cat", "[SEP]",
    ]  # fmt: skip
    assert words(attnlab.trace(bert().model(), tokenizer, "the", "cat")) == [
        "[CLS]", "the", "[SEP]", "cat", "[SEP]",
    ]  # fmt: skip


def test_texts_with_as_many_tokens_are_one_batch():
    tokenizer = learned_byte_level().backend_tokenizer
    trace = attnlab.trace(language_model(), tokenizer, ["the cat", "the hat"])
    assert [words(trace, item)[0] for item in range(trace.items)] == ["the", "the"]


def test_texts_of_different_lengths_are_refused():
    with pytest.raises(
        ValueError, match="as 1 to 2 tokens, without padding: trace them one by one"
    ):
        attnlab.trace(language_model(), Encoding(), ["the", "the cat"])


def test_a_second_text_is_refused_by_a_tokenizer_that_takes_one():
    with pytest.raises(ValueError, match="Encoding encodes one text at a time"):
        attnlab.trace(language_model(), Encoding(), "the", "cat")


def test_a_text_without_tokens_is_refused():
    with pytest.raises(ValueError, match="as no tokens"):
        attnlab.trace(language_model(), Encoding(), "")


def test_other_results_of_encode_are_refused():
    tokenizer = SimpleNamespace(encode=lambda text: text)
    with pytest.raises(TypeError, match=r"SimpleNamespace\.encode returned str, not a list of ids"):
        attnlab.trace(language_model(), tokenizer, "the")


def test_labels_replace_the_tokens_of_a_traced_text():
    trace = attnlab.trace(language_model(), Encoding(), "the cat", tokens=["A", "B"])
    assert words(trace) == ["A", "B"]


def test_labels_that_do_not_fit_leave_the_tokens_and_a_note():
    trace = attnlab.trace(language_model(), Encoding(), "the cat", tokens=["A"])
    assert words(trace) == ["the", " cat"]
    assert "tokens= has 1 label, and this call has 2 positions" in trace.notes[-1]


def test_the_model_runs_without_gradients():
    model = Lesson()
    attnlab.trace(model, Encoding(), "the cat")
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())
