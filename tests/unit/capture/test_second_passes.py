"""A second pass that computes something else than the user's pass is detected.

Each test breaks the pass after `generate` in one way. The weights of that pass are consistent with
its outputs; only a comparison with the steps reveals that they are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.passes.agreement import results_agree
from attnlab.capture.passes.generation import Generation
from attnlab.capture.passes.outcome import OutcomeBuilder
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from tests.unit.tiny_models import VOCABULARY, _small, gpt2, ids, llama, t5
from tests.unit.watching import only

MANY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}

Given = dict[str, Any]
Break = Callable[[Any, Given], Given]


def written(*parts: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts, dim=1)


def padded() -> Given:
    return dict(gpt2().inputs)


def pair() -> Given:
    return {"input_ids": ids(2, 6)}


def gpt2_model() -> Any:
    return gpt2().model()


def llama_model() -> Any:
    return llama().model()


def t5_model() -> Any:
    model = t5().model()
    model.generation_config.decoder_start_token_id = 0
    return model


def t5_input() -> Given:
    return {name: t5().inputs[name] for name in ("input_ids", "attention_mask")}


def gemma3_model() -> Any:
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(
        **_small(num_key_value_heads=2), head_dim=8, sliding_window=4
    )
    return spread(transformers.Gemma3ForCausalLM(config))


def bloom_model() -> Any:
    torch.manual_seed(0)
    config = transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, use_cache=True
    )
    return spread(transformers.BloomForCausalLM(config))


def gptj_model() -> Any:
    torch.manual_seed(0)
    config = transformers.GPTJConfig(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=4
    )
    return spread(transformers.GPTJForCausalLM(config))


def spread(model: Any) -> Any:
    """Random weights of some size: new models attend nearly evenly, which would hide errors."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def reuse_the_filled_cache(model: Any, given: Given) -> Given:
    with torch.no_grad():
        said = model(given["input_ids"], use_cache=True)
    cache = next(message for message in said.values() if isinstance(message, transformers.Cache))
    name = next(key for key, value in said.items() if value is cache)
    return given | {name: cache}


def shift_positions(model: Any, given: Given) -> Given:
    rows, count = given["input_ids"].shape
    return given | {"position_ids": torch.arange(3, count + 3).expand(rows, count)}


def reverse_positions(model: Any, given: Given) -> Given:
    rows, count = given["input_ids"].shape
    return given | {"position_ids": torch.arange(count).flip(0).expand(rows, count)}


def stretch_positions(model: Any, given: Given) -> Given:
    rows, count = given["input_ids"].shape
    return given | {"position_ids": (2 * torch.arange(count)).expand(rows, count)}


def give_token_types(model: Any, given: Given) -> Given:
    return given | {"token_type_ids": torch.ones_like(given["input_ids"])}


def drop_the_mask(model: Any, given: Given) -> Given:
    rest = {name: value for name, value in given.items() if name != "attention_mask"}
    return rest | {"attention_mask": torch.ones_like(given["attention_mask"])}


def hide_the_first_token(model: Any, given: Given) -> Given:
    mask = torch.ones_like(given["input_ids"])
    mask[:, 0] = 0
    return given | {"attention_mask": mask}


def let_the_prompt_see_ahead(model: Any, given: Given) -> Given:
    rows, count = given["input_ids"].shape
    mask = torch.ones(count, count).tril()
    mask[:5, :5] = 1
    hidden = torch.where(mask.bool(), 0.0, torch.finfo(torch.float32).min)
    return given | {"attention_mask": hidden.expand(rows, 1, count, count)}


def change_a_token(model: Any, given: Given) -> Given:
    hidden = given["input_ids"].clone()
    hidden[:, 1] = (hidden[:, 1] + 1) % VOCABULARY
    return given | {"input_ids": hidden}


def cut_the_first_token(model: Any, given: Given) -> Given:
    return {"input_ids": given["input_ids"][:, 1:]}


def swap_two_tokens(model: Any, given: Given) -> Given:
    hidden = given["input_ids"].clone()
    hidden[:, [1, 2]] = hidden[:, [2, 1]]
    return given | {"input_ids": hidden}


def in_half_precision(model: Any, given: Given) -> Given:
    model.to(torch.bfloat16)
    return given


def in_training_mode(model: Any, given: Given) -> Given:
    model.train()
    return given


def with_other_parameters(model: Any, given: Given) -> Given:
    with torch.no_grad():
        next(
            entry for name, entry in model.named_parameters() if "1" in name and entry.ndim == 2
        ).mul_(2)
    return given


def with_a_longer_window(model: Any, given: Given) -> Given:
    model.config.sliding_window = 64
    return given


def with_another_rotation(model: Any, given: Given) -> Given:
    for name, entry in model.named_buffers():
        if "inv_freq" in name:
            entry.mul_(0.5)
    return given


def read_another_text(model: Any, given: Given) -> Given:
    return given | {"input_ids": given["input_ids"].flip(1)}


def read_the_padding(model: Any, given: Given) -> Given:
    return given | {"attention_mask": torch.ones_like(given["attention_mask"])}


BREAKS: dict[str, tuple[Callable[[], Any], Callable[[], Given], Break]] = {
    "a filled cache": (llama_model, pair, reuse_the_filled_cache),
    "shifted positions": (gpt2_model, pair, shift_positions),
    "reversed positions": (llama_model, pair, reverse_positions),
    "stretched positions": (llama_model, pair, stretch_positions),
    "token types": (gpt2_model, pair, give_token_types),
    "no padding mask": (gpt2_model, padded, drop_the_mask),
    "a hidden token": (llama_model, pair, hide_the_first_token),
    "a prompt that sees ahead": (llama_model, pair, let_the_prompt_see_ahead),
    "another token": (llama_model, pair, change_a_token),
    "a token too few": (gpt2_model, pair, cut_the_first_token),
    "two tokens swapped": (bloom_model, pair, swap_two_tokens),
    "another dtype": (llama_model, pair, in_half_precision),
    "dropout": (gpt2_model, pair, in_training_mode),
    "other parameters": (llama_model, pair, with_other_parameters),
    "other parameters, outside the interface": (bloom_model, pair, with_other_parameters),
    "a longer window": (gemma3_model, pair, with_a_longer_window),
    "another rotation": (llama_model, pair, with_another_rotation),
    "another token, outside the interface": (bloom_model, pair, change_a_token),
    "another token, of a family that moved": (gptj_model, pair, change_a_token),
    "another source": (t5_model, t5_input, read_another_text),
    "the source's padding": (t5_model, t5_input, read_the_padding),
}


def generated(make: Callable[[], Any], given: Given) -> RecordedCall | Refusal:
    outcomes: list[RecordedCall | Refusal] = []
    model = make()
    with torch.no_grad(), observing(outcomes.append, {}):
        model.generate(**given, **MANY)
    assert len(outcomes) == 1
    return outcomes[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BREAKS)
def test_a_second_pass_that_differs_from_the_steps_is_refused(name, monkeypatch):
    make, given, broken = BREAKS[name]
    # The steps of a compiled model cannot be recorded, so all are treated like one.
    monkeypatch.setattr(refusals, "compiled", lambda _: True)
    whole = Generation.whole
    trace = only([generated(make, given())])
    assert all(site.certificate.exact for site in trace.sites)

    def changed(self: Generation, result: Any) -> tuple[Given, int]:
        kwargs, prompt = whole(self, result)
        return broken(self.model, kwargs), prompt

    monkeypatch.setattr(Generation, "whole", changed)
    outcome = generated(make, given())
    assert isinstance(outcome, Refusal)
    assert re.search("second pass failed|our call (computed|could be compared)", outcome.cause)
    assert transformers.__version__ in outcome.cause


def encoder() -> Any:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def compiled() -> Any:
    torch._dynamo.reset()
    return torch.compile(llama().model(), backend="eager")


@pytest.mark.parametrize(
    ("make", "given"),
    [(encoder, {"src": torch.randn(2, 5, 16)}), (compiled, {"input_ids": ids(2, 5)})],
    ids=["the fast path", "a compiled model"],
)
@pytest.mark.parametrize("broken", [False, True])
def test_a_second_pass_is_compared_with_everything_that_the_call_returned(
    make, given, broken, monkeypatch
):
    run = OutcomeBuilder._run

    def changed(self: Any, second: Any, *more: Any) -> Any:
        if broken:
            second.kwargs = {name: value.flip(1) for name, value in second.kwargs.items()}
        return run(self, second, *more)

    monkeypatch.setattr(OutcomeBuilder, "_run", changed)
    outcomes: list[RecordedCall | Refusal] = []
    model = make()
    with torch.no_grad(), observing(outcomes.append, {}):
        model(**given)
    sites = only(outcomes).sites
    assert {site.certificate.exact for site in sites} == {not broken}
    for site in sites if broken else ():
        assert "output of this second pass differs" in site.certificate.reason


def test_results_without_numbers_confirm_nothing():
    assert not results_agree(None, None)
    assert not results_agree({"loss": None}, {"loss": None})
    assert results_agree((torch.ones(2), "a"), (torch.ones(2), "b"))


def test_a_difference_in_any_tensor_or_cache_of_a_result_is_noticed():
    def result(scale: float, kept: float) -> Any:
        cache = transformers.DynamicCache()
        cache.update(torch.ones(1, 2, 3, 4), torch.full((1, 2, 3, 4), kept), 0)
        return {"logits": torch.ones(2, 3), "hidden": [torch.full((2, 3), scale)], "any": cache}

    assert results_agree(result(1, 1), result(1, 1))
    assert not results_agree(result(1, 1), result(1.1, 1))
    assert not results_agree(result(1, 1), result(1, 1.1))


def test_a_small_row_counts_beside_large_ones():
    one = torch.cat([torch.full((1, 8), 1e4), torch.full((4, 8), 1e2)])
    two = one.clone()
    two[3] = -two[3]
    assert results_agree(one, one.clone())
    assert not results_agree(one, two)
