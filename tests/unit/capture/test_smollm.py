"""A real language model: SmolLM2-135M, 30 layers of 9 heads in 3 groups."""

import numpy as np
import pytest
import torch
import transformers

from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome
from tests.unit.watching import differs, only, unnoticed

TEXT = "Alice gave Bob the old book, and then Bob gave Alice the new one, because he liked her."
LIMIT = 2e-5


@pytest.fixture(scope="module")
def tokenizer(smollm_path):
    return transformers.AutoTokenizer.from_pretrained(smollm_path)


@pytest.fixture(scope="module")
def model(smollm_path):
    return transformers.AutoModelForCausalLM.from_pretrained(smollm_path)


@pytest.fixture(scope="module")
def eager(smollm_path):
    """A copy of the model that hands out its attention itself."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        smollm_path, attn_implementation="eager"
    )


@pytest.fixture(scope="module")
def inputs(tokenizer):
    return tokenizer(TEXT, return_tensors="pt")


@pytest.fixture(scope="module")
def recorded(model, tokenizer):
    """The model's trace; on the way, its logits are found to be the same to the bit."""
    outcomes = unnoticed(lambda: model, lambda value: value(**tokenizer(TEXT, return_tensors="pt")))
    return only(outcomes)


@pytest.fixture(scope="module")
def generated(model, inputs):
    """What the model has written, and the one trace of it."""
    greedy = {"max_new_tokens": 6, "do_sample": False, "return_dict_in_generate": True}
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        watched = model.generate(**inputs, **greedy, output_logits=True)
    plain = model.generate(**inputs, **greedy, output_logits=True)
    assert torch.equal(watched.sequences, plain.sequences)
    assert all(map(torch.equal, watched.logits, plain.logits))
    return watched.sequences, only(outcomes)


def attentions(model, ids):
    with torch.no_grad():
        return model(input_ids=ids, output_attentions=True).attentions


def test_its_logits_are_the_same_to_the_bit_with_and_without_recording(recorded):
    assert recorded.model == "LlamaForCausalLM"  # the fixture has compared them


def test_each_layer_is_a_site_of_nine_heads_in_three_groups(recorded, inputs):
    length = inputs["input_ids"].shape[1]
    assert [site.layer for site in recorded.sites] == list(range(30))
    assert {(site.heads, site.groups) for site in recorded.sites} == {(9, 3)}
    assert {(site.queries, site.keys) for site in recorded.sites} == {(length, length)}
    assert {(site.kind, site.method) for site in recorded.sites} == {("decoder", "interface")}


def test_its_weights_are_those_of_an_eager_copy(recorded, eager, inputs):
    assert differs(recorded, attentions(eager, inputs["input_ids"])) < LIMIT


def test_every_site_is_certified_exact(recorded):
    for site in recorded.sites:
        assert site.certificate.exact
        assert site.certificate.error < 1e-5


def test_its_tokens_are_the_words_of_the_text(recorded):
    (sequence,) = recorded.sequences
    assert sequence.items[0].text == TEXT
    words = [TEXT[token.start : token.end].strip() for token in sequence.items[0].tokens]
    assert words[:6] == ["Alice", "gave", "Bob", "the", "old", "book"]


def test_generate_is_one_trace_of_the_weights_that_an_eager_pass_over_its_text_has(
    generated, eager, inputs
):
    sequences, recorded = generated
    assert recorded.generated == inputs["input_ids"].shape[1]
    assert len(recorded.sites) == 30
    assert {site.method for site in recorded.sites} == {"interface"}
    assert all(site.certificate.exact for site in recorded.sites)
    assert differs(recorded, attentions(eager, sequences)) < LIMIT


def test_rows_of_generated_steps_are_those_of_eager_steps_with_a_cache(generated, eager, inputs):
    sequences, recorded = generated
    said = eager.generate(
        **inputs, max_new_tokens=6, do_sample=False,
        output_attentions=True, return_dict_in_generate=True,
    )  # fmt: skip
    assert torch.equal(said.sequences, sequences)
    for step, layers in enumerate(said.attentions):
        query = recorded.generated - 1 + step
        for site in recorded.sites:
            theirs = layers[site.layer][0, :, -1].numpy()
            actual = site.row(query)
            assert np.abs(actual[:, : query + 1] - theirs).max() < LIMIT
            assert not actual[:, query + 1 :].any()
