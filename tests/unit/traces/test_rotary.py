"""Pairs of rotated dimensions are found if the model has a rotary embedding, and only then."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers

from attnlab.capture.reading.projection_samples import ROWS
from attnlab.capture.watch import observing
from attnlab.server.payloads import neurons
from tests.unit import tiny_models
from tests.unit.tiny_models import VOCABULARY, Family, ids, record, trace

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace

TEXT = {"input_ids": ids(1, 24)}


def _sizes(**more: Any) -> dict[str, Any]:
    return tiny_models._small(
        hidden_size=64, bos_token_id=1, eos_token_id=1, pad_token_id=0, **more
    )


def _gptj() -> Family:
    config = transformers.GPTJConfig(
        vocab_size=VOCABULARY,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=64,
        rotary_dim=8,
        bos_token_id=1,
        eos_token_id=1,
    )
    return Family("GPTJForCausalLM", config, TEXT)


def _llama(**more: Any) -> Family:
    config = transformers.LlamaConfig(**_sizes(num_key_value_heads=2, **more))
    return Family("LlamaForCausalLM", config, TEXT)


def _deepseek() -> Family:
    config = transformers.DeepseekV3Config(
        **_sizes(num_key_value_heads=4),
        kv_lora_rank=16,
        q_lora_rank=24,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
        n_routed_experts=4,
        moe_intermediate_size=16,
        n_group=1,
        topk_group=1,
        num_experts_per_tok=2,
        first_k_dense_replace=1,
        n_shared_experts=1,
    )
    return Family("DeepseekV3ForCausalLM", config, TEXT)


def _qwen3() -> Family:
    config = transformers.Qwen3Config(**_sizes(num_key_value_heads=2, head_dim=16))
    return Family("Qwen3ForCausalLM", config, TEXT)


def _neox() -> Family:
    return Family("GPTNeoXForCausalLM", transformers.GPTNeoXConfig(**_sizes()), TEXT)


def _cohere() -> Family:
    config = transformers.CohereConfig(**_sizes(num_key_value_heads=2))
    return Family("CohereForCausalLM", config, TEXT)


def _modernbert() -> Family:
    config = transformers.ModernBertConfig(**_sizes(), cls_token_id=1, sep_token_id=1)
    return Family("ModernBertModel", config, TEXT)


def _bloom() -> Family:
    config = transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    return Family("BloomForCausalLM", config, TEXT)


def _halves(width: int, start: int = 0) -> list[tuple[int, int]]:
    return [(start + i, start + i + width // 2) for i in range(width // 2)]


def _neighbours(width: int) -> list[tuple[int, int]]:
    return [(2 * i, 2 * i + 1) for i in range(width // 2)]


ROTARY = {
    "Llama, grouped heads": (_llama, _halves(16)),
    "Qwen3, norms after the projections": (_qwen3, _halves(16)),
    "GPT-NeoX, a quarter of a fused projection": (_neox, _halves(4)),
    "GPT-J, neighbours, read by the tap": (_gptj, _neighbours(8)),
    "Cohere, neighbours": (_cohere, _neighbours(16)),
    "DeepSeek-V3, sorted before it is turned": (_deepseek, _halves(8, start=8)),
    "ModernBERT": (_modernbert, _halves(16)),
}


def _recorded(family: Family, dtype: torch.dtype | None = None, **inputs: Any) -> Trace:
    model = family.model() if dtype is None else family.model().to(dtype)
    _, outcomes = record(model, family.inputs | inputs)
    return trace(outcomes[0])


@pytest.mark.parametrize("name", ROTARY)
def test_pairs_are_found_where_the_model_rotates(name: str) -> None:
    make, expected = ROTARY[name]
    for site in _recorded(make()).sites:
        assert [(pair.first, pair.second) for pair in site.pairs] == expected


@pytest.mark.parametrize("name", ROTARY)
def test_in_half_precision_no_pair_is_wrong_and_the_fastest_are_found(name: str) -> None:
    make, expected = ROTARY[name]
    for site in _recorded(make(), torch.bfloat16).sites:
        found = [(pair.first, pair.second) for pair in site.pairs]
        assert found == expected[: len(found)]
        assert len(found) >= len(expected) // 2


@pytest.mark.parametrize(
    "make",
    [tiny_models.bert, tiny_models.gpt2, tiny_models.t5, _bloom],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_model_that_rotates_nothing_has_no_pairs(make: Any, dtype: torch.dtype) -> None:
    family = make()
    family.inputs = {"input_ids": ids(2, 24)} | (
        {"decoder_input_ids": ids(2, 24, seed=1)} if make is tiny_models.t5 else {}
    )
    sites = _recorded(family, dtype).sites
    assert all(site.record.query is not None for site in sites)
    assert [site.pairs for site in sites] == [()] * len(sites)


def test_wavelengths_are_those_of_the_model() -> None:
    site = _recorded(_llama()).sites[1]
    truth = [2 * math.pi * 10_000 ** (i / 8) for i in range(8)]
    assert [pair.wavelength for pair in site.pairs] == pytest.approx(truth, rel=0.01)


def test_a_scaled_rotation_is_detected() -> None:
    """YaRN scales its vectors by a constant, and slow pairs more than fast ones."""
    yarn = {
        "rope_type": "yarn",
        "factor": 4.0,
        "rope_theta": 10_000.0,
        "original_max_position_embeddings": 16,
    }
    site = _recorded(_llama(rope_parameters=yarn)).sites[0]
    assert [(pair.first, pair.second) for pair in site.pairs] == _halves(16)
    assert site.pairs[-1].wavelength == pytest.approx(4 * 2 * math.pi * 10_000 ** (7 / 8), rel=0.01)


def test_angles_that_do_not_grow_by_position_have_no_wavelength() -> None:
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))[None]
    pairs = _recorded(_llama(), position_ids=order).sites[0].pairs
    assert [(pair.first, pair.second) for pair in pairs] == _halves(16)
    assert {pair.wavelength for pair in pairs} == {None}


@pytest.mark.parametrize(
    "inputs",
    [
        {"input_ids": ids(1, 3)},
        {"position_ids": torch.zeros(1, 24, dtype=torch.long)},
    ],
    ids=["three tokens", "all at position 0"],
)
def test_unverifiable_weights_have_no_note(inputs: dict[str, Any]) -> None:
    assert _recorded(_llama(), **inputs).sites[0].pairs == ()


def test_layers_without_a_rotation_among_others_have_no_pairs() -> None:
    config = transformers.SmolLM3Config(
        **(_sizes(num_key_value_heads=2) | {"num_hidden_layers": 5})
    )
    sites = _recorded(Family("SmolLM3ForCausalLM", config, TEXT)).sites
    assert [bool(site.pairs) for site in sites] == [True, True, True, False, True]


def test_outputs_and_gradients_stay_as_they_are() -> None:
    family = _llama()
    results = []
    for watched in (False, True):
        model = family.model()
        if watched:
            outcomes: list[Any] = []
            with observing(outcomes.append, {}):
                logits = model(**TEXT).logits
            assert trace(outcomes[0]).sites[0].pairs
        else:
            logits = model(**TEXT).logits
        logits.square().sum().backward()
        results.append([logits, *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_only_a_few_tokens_are_kept_and_they_are_counted() -> None:
    family = _llama()
    record = _recorded(family, input_ids=ids(2, 60)).sites[0].record
    seen = record.rotary_sample
    assert seen is not None
    assert [tuple(sample.shape) for sample in seen.samples] == [(ROWS, 64), (ROWS, 32), (ROWS, 32)]
    assert seen.query.shape == (4, ROWS, 16)
    counted = {id(tensor) for tensor in record.tensors}
    assert all(id(tensor) in counted for tensor in seen.tensors)


def test_samples_of_a_model_are_shared_by_its_later_calls() -> None:
    model = _llama().model()
    first, second, third = (
        trace(record(model, {"input_ids": ids(1, count)})[1][0]) for count in (3, 24, 2)
    )
    assert [len(site.pairs) for site in first.sites] == [0, 0]
    assert [len(site.pairs) for site in second.sites] == [8, 8]
    for site, later in zip(second.sites, third.sites, strict=True):
        assert later.record.rotary_sample is site.record.rotary_sample
        assert later.pairs == site.pairs


def test_after_an_error_inside_the_next_pass_is_sampled_as_before() -> None:
    model = _llama().model()
    broken = model.model.layers[1].self_attn.o_proj
    hook = broken.register_forward_hook(lambda *_: 1 / 0)
    outcomes: list[Any] = []
    with observing(outcomes.append, {}), torch.no_grad():
        with pytest.raises(ZeroDivisionError):
            model(**TEXT)
        hook.remove()
        model(**TEXT)
    assert all(len(site.pairs) == 8 for site in trace(outcomes[1]).sites)


def test_the_payload_of_the_key_vectors_lists_the_pairs() -> None:
    payload = neurons.vectors(_recorded(_llama()), 0, 1, 3).payload
    assert payload["kind"] == "vectors"
    assert payload["pairs"][0] == [0, 8, pytest.approx(6.28)]
    plain = neurons.vectors(_recorded(tiny_models.bert()), 0, 1, 3).payload
    assert "pairs" not in plain
