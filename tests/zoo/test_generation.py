"""What is shown of ``generate`` is what its steps computed, for every family that generates.

``ATTNLAB_ZOO=whole`` runs all; without it, every second model that calls attention through
the interface is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from attnlab.capture.record.recorded_call import Refusal
from tests.zoo.generation import OMITTED, faults, listen, observed, trace_of, weights_of
from tests.zoo.generators import GENERATING, GENERATORS, LIMITED, MASKED, generator
from tests.zoo.inputs import noise
from tests.zoo.test_zoo import WHOLE, named

pytestmark = pytest.mark.filterwarnings("ignore")

HALF = [item for item in GENERATORS if item.path == "interface"][::2]
CHOSEN = [item for item in GENERATORS if WHOLE or item.path != "interface" or item in HALF]

WAYS: dict[str, dict[str, Any]] = {
    "beams": {"num_beams": 4, "num_return_sequences": 2, "max_new_tokens": 7},
    "sampled beams": {"num_beams": 3, "do_sample": True, "top_k": 20},
    "samples": {"do_sample": True, "num_return_sequences": 2, "top_k": 20},
    "longer than the window": {"max_new_tokens": 12},
    "no cache": {"use_cache": False},
    "tokens alone": {"return_dict_in_generate": False, "output_scores": False},
}
EVERY_WAY = [
    "bart",
    "bart, unequal depths and heads",
    "bloom, ALiBi",
    "gemma2, softcap and sliding window",
    "gpt_oss, sinks and sliding window",
    "llama, grouped heads",
    "llava",
    "qwen2_vl, positions of three axes",
    "qwen3_next",
    "t5, position bias",
]
STATIC: dict[str, Any] = {"cache_implementation": "static"}
CHUNKS: dict[str, Any] = {"prefill_chunk_size": 3}
# Without padding, whose rows attend to unused keys of a static cache.
FULL = {"attention_mask": torch.ones(2, 9).long()}
SOME_WAYS = [
    ("gemma2, softcap and sliding window", STATIC | FULL),
    ("gpt_oss, sinks and sliding window", STATIC | FULL),
    ("llama, grouped heads", STATIC | FULL),
    ("mistral, sliding window", STATIC | FULL),
    ("gemma3, a picture that attends to itself", STATIC),
    ("paligemma, a prompt that attends to itself", STATIC),
    ("mllama, cross attention to a picture", STATIC),
    # Its tower has as many patches as one of the passes has tokens.
    ("mllama, cross attention to a picture", {"use_cache": False}),
    ("qwen3_vl, pictures enter several layers", STATIC),
    ("whisper", STATIC),
    ("bamba", CHUNKS),
    ("gemma3, a picture that attends to itself", CHUNKS),
    ("idefics3", CHUNKS),
    ("mistral, sliding window", CHUNKS),
]
CASES = {f"{name}: {way}": (name, how) for name in EVERY_WAY for way, how in WAYS.items()}
CASES |= {f"{name}: {next(iter(how))}": (name, how) for name, how in SOME_WAYS}


@pytest.mark.parametrize("specimen", named(CHOSEN))
def test_each_row_is_what_its_step_computed(specimen):
    found = faults(specimen)
    assert not found, "\n".join([specimen.name, *found])


@pytest.mark.parametrize(("name", "how"), CASES.values(), ids=CASES)
def test_it_does_not_matter_how_the_tokens_are_chosen_and_the_keys_are_kept(name, how):
    assert not faults(generator(name), how)


@pytest.mark.parametrize("name", ["deepseek_v3, latent", "llama, grouped heads", "qwen2"])
def test_a_cache_may_round_its_keys(name):
    # With one kernel on both sides: after other rounding errors, a key may become another one.
    specimen = replace(generator(name), implementation="eager")
    backend = {"cache_implementation": "quantized", "cache_config": {"backend": "fp8"}}
    assert not faults(specimen, backend)


@pytest.mark.parametrize("name", ["llama, grouped heads", "qwen3, normalized queries"])
def test_a_prompt_may_be_given_as_embeddings(name):
    specimen = generator(name)
    given = {"input_ids": OMITTED, "inputs_embeds": noise(2, 9, 32)}
    # The prompt is shown by position; the oracle compares the ids of what follows.
    assert not faults(specimen, given)


@pytest.mark.parametrize("name", ["bart", "t5, position bias"])
def test_an_encoder_may_have_run_before(name):
    specimen = generator(name)
    model: Any = specimen.make(None)
    inputs = specimen.inputs(model)
    with torch.no_grad():
        states = model.get_encoder()(inputs["input_ids"], attention_mask=inputs["attention_mask"])
    assert not faults(specimen, {"input_ids": OMITTED, "encoder_outputs": states})


@pytest.mark.parametrize("name", LIMITED)
def test_what_cannot_be_shown_has_a_reason(name):
    identical, _, [outcome] = observed(generator(name), {})
    assert identical
    if isinstance(outcome, Refusal):
        assert LIMITED[name] in outcome.cause
    else:
        assert any(LIMITED[name] in note for note in outcome.notes)
        trace = trace_of(outcome)
        assert all(site.certificate.exact for site in trace.sites)
        # The main sequence is the given text, not the one that was generated.
        assert trace.generated is None
        assert outcome.predictions is None
        assert not trace.steps


@pytest.mark.parametrize("family", MASKED)
def test_what_a_mask_token_attended_to_is_not_shown_as_a_row_of_the_text(family):
    specimen = next(item for item in GENERATING if item.family == family)
    identical, result, outcomes = observed(specimen, {})
    assert identical
    outcome, truth = outcomes[-1], listen(specimen, {})
    assert not isinstance(outcome, Refusal)
    trace = trace_of(outcome)
    prompt = trace.generated
    assert prompt is not None
    assert len(trace.sequences[0]) == result.sequences.shape[1] == prompt + 5
    for site, expected in zip(trace.sites, truth.sites, strict=True):
        shown = weights_of(site)
        padding = shown.isnan().any(-1)[:, :, :prompt]
        difference = (shown[:, :, :prompt, :prompt] - expected[:, :, :prompt, :prompt]).abs()
        assert difference[~padding].max() < 1e-5
        assert shown[:, :, prompt:].isnan().all()


def test_most_families_of_the_zoo_that_have_a_decoder_generate():
    assert len({item.family for item in GENERATORS}) >= 125
