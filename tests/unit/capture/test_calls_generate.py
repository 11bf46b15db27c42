"""`generate` runs unchanged; one view shows everything that it has generated."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from tests.generation_oracle import beams_of, listen, rows_of
from tests.unit.capture.test_calls_batches import spread
from tests.unit.capture.test_tokens import byte_level, wordpiece
from tests.unit.outcomes import all_calls
from tests.unit.tiny_models import _small, bert, gpt2, ids, llama, t5, trace
from tests.unit.watching import differs, names, only, unnoticed

MANY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


def written(recorded):
    """Return the ids of the main sequence, by item."""
    items = recorded.sequences[0].items
    return torch.tensor([[token.id for token in value.tokens] for value in items])


def heard(make, call, recorded, *, beams=False, first=0, prefix=0):
    """Return the rows that each step of an independent copy computed, by site."""
    result, passes = listen(make(), call)
    items = beams_of(result) if beams else lambda index, text: text
    total = first + len(recorded.sequences[0])
    return [
        rows_of(passes[1:], site.index - prefix, recorded.items, (first, total), items)
        for site in recorded.sites[prefix:]
    ]


def last_is_undefined(recorded, ends=None):
    """Whether the last token of each text has no row, and every other has one."""
    for site in recorded.sites:
        for item in range(recorded.items):
            undefined = torch.from_numpy(recorded.head(site.index, 0, item)).isnan().any(-1)
            end = len(undefined) - 1 if ends is None else ends[item]
            assert undefined.tolist() == [False] * end + [True] * (len(undefined) - end)
    return True


BEAMS = {"return_dict_in_generate": True, "output_scores": True}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"cache_implementation": "quantized", "cache_config": {"backend": "fp8"}},
        {"return_dict_in_generate": True, "output_scores": True},
        {"do_sample": True, "num_return_sequences": 3},
        {"do_sample": True, "temperature": 0.7, "top_k": 5},
        {"prefill_chunk_size": 2},
        {"prompt_lookup_num_tokens": 2},
        {"guidance_scale": 1.5},
        {"max_new_tokens": 1},
    ],
    ids=str,
)
def test_each_row_is_what_its_own_step_computed(how):
    family, results = llama(), []
    rows = 1 if "prompt_lookup_num_tokens" in how else 2

    def call(model):
        results.append(model.generate(ids(rows, 5), **MANY | how))
        return results[-1]

    # Guidance runs other passes as well, which are reported before.
    recorded = trace(unnoticed(family.model, call)[-1])
    sequences = getattr(results[-1], "sequences", results[-1])
    assert torch.equal(written(recorded), sequences)
    assert recorded.items == len(sequences)
    assert recorded.generated == 5
    _, passes = listen(family.model(), call)
    if "guidance_scale" in how:  # Every second pass is that without the prompt.
        passes = [passes[0], *passes[1::2]]
    expected = [
        rows_of(passes[1:], site.index, recorded.items, (0, len(recorded.sequences[0])))
        for site in recorded.sites
    ]
    assert differs(recorded, expected) < 1e-5
    assert last_is_undefined(recorded)
    assert {site.method for site in recorded.sites} == {"interface"}
    assert all(site.certificate.exact for site in recorded.sites)
    assert any("in its own step" in note for note in recorded.notes)


@pytest.mark.parametrize(
    "how",
    [
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 2},
        {"num_beams": 4, "num_return_sequences": 4, "do_sample": True, "top_k": 20},
        {"num_beams": 3, "use_cache": False},
        {"num_beams": 3, "num_return_sequences": 3, "eos_token_id": [*range(20, 40)]},
        {"num_beams": 3, "cache_implementation": "static"},
    ],
    ids=str,
)
def test_a_row_of_a_returned_beam_is_that_of_its_ancestor(how):
    family, results = llama(), []

    def call(model):
        results.append(model.generate(ids(2, 5), **MANY | {"max_new_tokens": 6} | how | BEAMS))
        return results[-1]

    recorded = only(unnoticed(family.model, call))
    result, passes = listen(family.model(), call)
    assert torch.equal(result.sequences, results[0].sequences)
    assert torch.equal(written(recorded), result.sequences)
    expected = [
        rows_of(
            passes[1:],
            site.index,
            recorded.items,
            (0, len(recorded.sequences[0])),
            beams_of(result),
        )
        for site in recorded.sites
    ]
    assert differs(recorded, expected) < 1e-5
    ends = [5 - 1 + sum(index >= 0 for index in row) for row in result.beam_indices.tolist()]
    assert last_is_undefined(recorded, ends)
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_tokens_that_an_assistant_guessed_and_the_model_rejected_are_not_shown():
    family, results = llama(), []
    with torch.random.fork_rng():
        assistant = llama().model()
        for parameter in assistant.parameters():
            parameter.data.mul_(0.99)

    def call(model):
        results.append(
            model.generate(ids(1, 5), **MANY | {"max_new_tokens": 9}, assistant_model=assistant)
        )
        return results[-1]

    recorded = only(unnoticed(family.model, call))
    assert torch.equal(written(recorded), results[-1])
    assert recorded.generated == 5
    expected = heard(family.model, call, recorded)
    assert differs(recorded, expected) < 1e-5
    assert last_is_undefined(recorded)


def test_prompts_padded_on_the_left_keep_their_padding():
    family = gpt2()
    results = []

    def call(model):
        results.append(model.generate(**family.inputs, **MANY))
        return results[-1]

    recorded = only(unnoticed(family.model, call))
    assert differs(recorded, heard(family.model, call, recorded)) < 1e-5
    padding = [token.padding for token in recorded.sequences[0].items[0].tokens]
    assert padding == [True] * 3 + [False] * 10


def test_an_encoder_decoder_shows_its_output_over_its_input():
    family, results = t5(), []
    given = {name: family.inputs[name] for name in ("input_ids", "attention_mask")}

    def make():
        model = family.model()
        model.generation_config.decoder_start_token_id = 0
        return model

    def call(model):
        results.append(model.generate(**given, **MANY))
        return results[-1]

    recorded = only(unnoticed(make, call))
    with torch.no_grad():
        said = family.model("eager")(**given, decoder_input_ids=results[-1], output_attentions=True)
    by_kind = {
        "encoder": said.encoder_attentions,
        "decoder": said.decoder_attentions,
        "cross": said.cross_attentions,
    }
    order = [by_kind[site.kind][site.layer] for site in recorded.sites]
    assert differs(recorded, order) < 1e-5
    assert [entry.name for entry in recorded.sequences] == ["target", "source"]
    assert torch.equal(written(recorded), results[-1])
    assert recorded.generated == 1


@pytest.mark.parametrize("how", [{"num_beams": 2}, {"do_sample": True, "num_return_sequences": 2}])
def test_an_encoder_decoder_may_generate_several_texts(how):
    family, results = t5(), []

    def make():
        model = family.model()
        model.generation_config.decoder_start_token_id = 0
        return model

    def call(model):
        results.append(model.generate(family.inputs["input_ids"], **MANY | how))
        return results[-1]

    recorded = only(unnoticed(make, call))
    assert torch.equal(written(recorded), results[-1])
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_prompt_is_named_by_its_text_and_what_follows_by_the_same_tokenizer():
    tokenizer = wordpiece()
    recorded = only(
        unnoticed(
            llama().model,
            lambda model: model.generate(
                **tokenizer("the cat", return_tensors="pt", return_token_type_ids=False), **MANY
            ),
        )
    )
    assert names(recorded, 0)[:4] == ["[CLS]", "the", "cat", "[SEP]"]
    assert len(names(recorded, 0)) == 8
    assert recorded.generated == 4
    sequence = recorded.sequences[0].items[0]
    assert sequence.text == "the cat"
    assert [(t.start, t.end) for t in sequence.tokens[1:3]] == [(0, 3), (4, 7)]


def test_a_chat_is_shown_as_its_template_renders_it():
    tokenizer = byte_level()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"

    def make():
        torch.manual_seed(0)
        config = transformers.LlamaConfig(**_small(vocab_size=300))
        return spread(transformers.LlamaForCausalLM(config))

    def call(model):
        chat = [{"role": "user", "content": "hi"}]
        given = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)
        return model.generate(**given, **MANY)

    recorded = only(unnoticed(make, call))
    assert recorded.sequences[0].items[0].text == "<user>hi"
    assert "".join(names(recorded, 0)[:8]) == "<user>hi"


def test_a_prompt_of_embeddings_shows_positions_for_it():
    family = llama()
    embeds = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    recorded = only(
        unnoticed(family.model, lambda model: model.generate(inputs_embeds=embeds, **MANY))
    )
    assert len(recorded.sequences[0]) == 9
    assert recorded.generated == 5
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_users_cache_is_filled_by_generate_alone():
    family = llama()
    lengths = []

    def call(model):
        cache: Any = transformers.DynamicCache(config=model.config)
        result = model.generate(ids(1, 5), past_key_values=cache, **MANY)
        lengths.append(cache.get_seq_length())
        return result, [layer.keys for layer in cache.layers]

    recorded = only(unnoticed(family.model, call))
    assert lengths == [8, 8]
    assert recorded.sequences[0].name == "tokens"


def test_hooks_of_a_model_run_once_for_each_step():
    calls = []

    def make():
        model = llama().model()
        model.model.layers[0].register_forward_hook(lambda *_: calls.append(1))
        return model

    recorded = only(unnoticed(make, lambda model: model.generate(ids(1, 5), **MANY)))
    assert all(site.certificate.exact for site in recorded.sites)
    assert len(calls) == 2 * 4


def test_hooks_of_transformers_are_not_a_reason_to_refuse():
    family = llama()

    def call(model):
        model(ids(1, 3), output_hidden_states=True)
        assert any(part._forward_hooks for part in model.modules())
        return model.generate(ids(1, 3), **MANY)

    outcomes = unnoticed(family.model, call)
    assert [item.generated for item in all_calls(outcomes)] == [None, 3]


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
def test_generating_in_any_gradient_mode_is_recorded(context):
    def call(model):
        with context():
            return model.generate(ids(1, 3), **MANY).clone()

    recorded = only(unnoticed(llama().model, call))
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_second_pass_has_the_users_default_device_and_autocast():
    def call(model):
        with torch.device("cpu"), torch.autocast("cpu", dtype=torch.bfloat16):
            return model.generate(ids(1, 3), **MANY)

    recorded = only(unnoticed(llama().model, call))
    value = recorded.sites[0].record.value
    assert value is not None
    assert torch.equal(value.bfloat16().float(), value.float())
    # The kernel rounds its float32 inputs to bfloat16.
    assert all(site.certificate.error < 4e-2 for site in recorded.sites)


def test_generate_twice_gives_two_traces():
    family = llama()

    def call(model):
        return [model.generate(ids(1, 3, seed=seed), **MANY) for seed in (0, 1)]

    outcomes = unnoticed(family.model, call)
    assert [item.generated for item in all_calls(outcomes)] == [3, 3]


def test_a_forward_pass_beside_generate_is_recorded_separately():
    family = llama()

    def call(model):
        result = model.generate(ids(1, 3), **MANY)
        return model(result).logits

    outcomes = unnoticed(family.model, call)
    assert [item.generated for item in all_calls(outcomes)] == [3, None]
    assert [item.records[0].method for item in all_calls(outcomes)] == ["interface", "interface"]


def test_an_encoder_called_in_the_cell_is_not_part_of_generate():
    outcomes = unnoticed(
        lambda: torch.nn.ModuleList([llama().model(), bert().model()]),
        lambda both: (both[0].generate(ids(1, 3), **MANY), both[1](ids(1, 4))),
    )
    assert [item.model for item in all_calls(outcomes)] == ["LlamaForCausalLM", "BertModel"]


def test_streaming_gives_each_token_once():
    family, heard = llama(), []

    class Streamer:
        def put(self, value):
            heard.append(value.flatten().tolist())

        def end(self):
            heard.append("end")

    only(unnoticed(family.model, lambda m: m.generate(ids(1, 3), streamer=Streamer(), **MANY)))
    assert heard[: len(heard) // 2] == heard[len(heard) // 2 :]
    assert heard[-1] == "end"
