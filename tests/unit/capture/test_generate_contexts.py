"""`generate` that begins with a filled cache, or returns something else than its tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.record.recorded_call import RecordedCall
from tests.generation_oracle import listen, rows_of
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.outcomes import only_refusal
from tests.unit.tiny_models import ids, llama, t5, trace
from tests.unit.watching import differs, names, only, unnoticed

MANY_NEW = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
MANY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


def filled(model: Any, tokens: torch.Tensor, kind: str) -> Any:
    """Return a cache that a pass over some tokens has filled."""
    cache: transformers.Cache = transformers.DynamicCache(config=model.config)
    if kind == "static":
        cache = transformers.StaticCache(config=model.config, max_cache_len=20)
    model(tokens, past_key_values=cache)
    return cache


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated")
@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_the_tokens_of_a_filled_cache_are_keys_with_their_own_labels(kind):
    family, tokenizer = llama(), wordpiece()
    count = len(tokenizer("the cat sat on a dog").input_ids)

    def call(model):
        text = tokenizer("the cat sat on a dog", return_tensors="pt").input_ids
        return model.generate(
            text, past_key_values=filled(model, text[:, :3], kind), max_length=12, **MANY_NEW
        )

    outcomes = unnoticed(family.model, call)
    recorded = trace(outcomes[-1])
    assert names(recorded, 0)[0] != "[CLS]"
    assert [one.name for one in recorded.sequences] == ["tokens", "context"]
    assert names(recorded, 1)[:3] == ["[CLS]", "the", "cat"]
    assert len(recorded.sequences[1]) == count + 4
    assert recorded.generated == count - 3
    _, passes = listen(family.model(), call)
    expected = [rows_of(passes[2:], site.index, 1, (3, count + 4)) for site in recorded.sites]
    assert differs(recorded, expected) < 1e-5
    assert all(site.certificate.exact for site in recorded.sites)


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated")
def test_the_places_of_a_static_cache_are_labeled_by_what_occupies_them():
    family, tokenizer = llama(), wordpiece()
    text = tokenizer("the cat sat on a dog", return_tensors="pt").input_ids

    def call(model):
        cache = filled(model, text[:, :3], "static")
        return model(text[:, 3:], past_key_values=cache).logits

    recorded = trace(unnoticed(family.model, call)[-1])
    keys = recorded.sequences[recorded.sites[0].columns].items[0].tokens
    count = text.shape[1]
    assert [token.text for token in keys[3:count]] == names(recorded, 0)
    assert all(token.padding for token in keys[count:])
    weights = torch.from_numpy(recorded.weights(0, 0))
    assert not weights[:, count:].any()


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
def test_a_prompt_in_pieces_is_a_prompt(pieces):
    family = llama()
    recorded = only(
        unnoticed(family.model, lambda m: m.generate(ids(1, 5), prefill_chunk_size=pieces, **MANY))
    )
    assert recorded.generated == 5
    assert len(recorded.sequences[0]) == 9


def test_guidance_shows_the_main_pass_and_the_other_before_it():
    family = llama()

    def call(model):
        return model.generate(ids(1, 5), guidance_scale=1.5, **MANY)

    other, main = map(trace, unnoticed(family.model, call))
    assert len(main.sequences[0]) == 9
    assert any("classifier-free" in note for note in other.notes)
    _, passes = listen(family.model(), call)
    expected = [rows_of(passes[2::2], site.index, 1, (0, 4)) for site in other.sites]
    assert differs(other, expected) < 1e-5


def test_an_encoder_that_ran_before_leaves_the_source_without_tokens():
    family = t5()

    def make():
        model = family.model()
        model.generation_config.decoder_start_token_id = 0
        return model

    def call(model):
        with torch.no_grad():
            states = model.get_encoder()(family.inputs["input_ids"])
        return model.generate(encoder_outputs=states, **MANY)

    outcomes = unnoticed(make, call)
    recorded = trace(outcomes[-1])
    assert {site.kind for site in recorded.sites} == {"decoder", "cross"}
    assert recorded.sequences[0].name == "target"
    assert all(site.certificate.exact for site in recorded.sites)


def test_a_method_that_changes_the_number_of_rows_is_refused_with_the_reason():
    family = llama()

    def search(model: Any, input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        """Pass candidates of each step as rows, like contrastive search."""
        cache = transformers.DynamicCache(config=model.config)
        model(input_ids=input_ids, past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(3)
        model(input_ids=ids(3, 1), past_key_values=cache, use_cache=True)
        return torch.cat([input_ids, ids(1, 1)], dim=1)

    outcomes = unnoticed(
        family.model, lambda m: m.generate(ids(1, 5), custom_generate=search, **MANY)
    )
    assert "3 rows, the one before 1" in only_refusal(outcomes).cause


def test_steps_beyond_the_memory_budget_are_refused_with_the_reason(monkeypatch):
    monkeypatch.setenv("ATTNLAB_MEMORY", "1K")
    outcomes = unnoticed(llama().model, lambda m: m.generate(ids(1, 5), **MANY))
    assert "ATTNLAB_MEMORY" in only_refusal(outcomes).cause


def test_the_steps_lead_from_the_prompt_to_the_last_token():
    call = unnoticed(llama().model, lambda m: m.generate(ids(2, 5), **MANY))[0]
    assert isinstance(call, RecordedCall)
    assert [(step.start, step.stop) for step in call.steps] == [(0, 5), (5, 6), (6, 7), (7, 8)]
    assert {step.rows for step in call.steps} == {(0, 1)}
