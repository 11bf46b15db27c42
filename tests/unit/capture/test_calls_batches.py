"""Batches, pairs and stacks of all kinds are shown by item, sequence and layer."""

from __future__ import annotations

import pytest
import torch
import transformers

from tests.unit.capture.test_tokens import wordpiece
from tests.unit.tiny_models import VOCABULARY, Family, _small, ids, record, t5
from tests.unit.watching import differs, leaves, names, only, unnoticed


def spread(model):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def bert(implementation="sdpa"):
    torch.manual_seed(0)
    config = transformers.BertConfig(**_small())
    return spread(transformers.BertModel._from_config(config, attn_implementation=implementation))


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_item_of_a_padded_batch_has_its_text_its_padding_and_its_weights(side):
    tokenizer = wordpiece()
    tokenizer.padding_side = side
    texts = ["cat", "the cat", "seeing the cat"]

    def call(model):
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        return model(**inputs)

    recorded = only(unnoticed(bert, call, gradients=True))
    eager = bert("eager")
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = eager(**inputs, output_attentions=True).attentions
    assert recorded.items == 3
    assert differs(recorded, expected) < 2e-6
    assert {site.method for site in recorded.sites} == {"interface"}
    assert [value.text for value in recorded.sequences[0].items] == texts
    for item, thread in enumerate(recorded.sequences[0].items):
        padding = [token.padding for token in thread.tokens]
        assert padding == [not seen for seen in inputs["attention_mask"][item].tolist()]
        assert padding == [token.text == "[PAD]" for token in thread.tokens]
        assert sum(padding) == [3, 2, 0][item]
    assert recorded.notes == []


def test_a_pair_of_sentences_is_one_sequence_over_both_texts():
    tokenizer = wordpiece()
    recorded = only(
        unnoticed(bert, lambda m: m(**tokenizer("the cat", "seeing", return_tensors="pt")))
    )
    assert names(recorded, 0) == ["[CLS]", "the", "cat", "[SEP]", "see", "ing", "[SEP]"]
    text = recorded.sequences[0].items[0].text
    assert text is not None
    words = [token for token in recorded.sequences[0].items[0].tokens if not token.special]
    assert [text[token.start : token.end] for token in words] == ["the", "cat", "see", "ing"]


def test_a_batch_of_pairs_has_each_pair():
    tokenizer = wordpiece()

    def call(model):
        pair = tokenizer(["the cat", "cat"], ["see", "the"], return_tensors="pt", padding=True)
        return model(**pair)

    recorded = only(unnoticed(bert, call))
    assert [value.text for value in recorded.sequences[0].items] == ["the cat\nsee", "cat\nthe"]


def unequal():
    config = transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=3,
        num_decoder_layers=1,
        num_heads=4,
    )
    given = {
        "input_ids": ids(2, 9),
        "decoder_input_ids": ids(2, 5, seed=1),
        "attention_mask": torch.tensor([[1] * 8 + [0], [1] * 9]),
        "decoder_attention_mask": torch.tensor([[1] * 5, [1] * 3 + [0] * 2]),
    }
    return Family("T5ForConditionalGeneration", config, given, spread=0.1)


def test_an_encoder_decoder_of_unequal_depth_has_separate_layers_in_each_stack():
    family = unequal()
    recorded = only(unnoticed(family.model, lambda m: m(**family.inputs), gradients=True))
    assert [(site.kind, site.layer) for site in recorded.sites] == [
        ("encoder", 0), ("encoder", 1), ("encoder", 2), ("decoder", 0), ("cross", 0),
    ]  # fmt: skip
    expected = family.oracle()
    layers = [*expected["encoder"], expected["decoder"][0], expected["cross"][0]]
    assert differs(recorded, layers) < 2e-6
    assert [entry.name for entry in recorded.sequences] == ["target", "source"]
    assert [t.padding for t in recorded.sequences[1].items[0].tokens] == [False] * 8 + [True]
    assert [t.padding for t in recorded.sequences[0].items[1].tokens] == [False] * 3 + [True] * 2


def test_labels_in_place_of_decoder_ids_are_shown_as_the_model_shifts_them():
    family = t5()
    given = {"input_ids": ids(1, 9), "labels": ids(1, 5, seed=1)}

    def make():
        model = family.model()
        model.config.decoder_start_token_id = 0
        return model

    recorded = only(unnoticed(make, lambda m: m(**given), gradients=True))
    target = [token.id for token in recorded.sequences[0].items[0].tokens]
    assert target == [0, *given["labels"][0, :-1].tolist()]


def test_a_hybrid_model_keeps_the_true_numbers_of_its_attention_layers():
    config = transformers.Qwen3NextConfig(
        **_small(num_hidden_layers=4, num_key_value_heads=2),
        head_dim=8,
        layer_types=["linear_attention", "full_attention"] * 2,
        linear_num_value_heads=2,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        num_experts=2,
        num_experts_per_tok=1,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    )
    torch.manual_seed(0)

    def make():
        torch.manual_seed(0)
        return transformers.Qwen3NextModel(config).eval()

    recorded = only(unnoticed(make, lambda m: m(input_ids=ids(2, 7))))
    assert [site.layer for site in recorded.sites] == [1, 3]
    assert all(site.certificate.exact for site in recorded.sites)


class Uneven(torch.nn.Module):
    """Layers with different numbers of heads and widths."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict({"project": torch.nn.Linear(12, 3 * 12)}) for _ in range(3)
        )

    def forward(self, x):
        self.used = []
        for layer, heads in zip(self.layers, (1, 3, 6), strict=True):
            assert isinstance(layer, torch.nn.ModuleDict)
            q, k, v = layer["project"](x).unflatten(-1, (3, heads, -1)).unbind(2)
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))
            weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
            self.used.append(weights.detach())
            x = x + (weights @ v).transpose(1, 2).flatten(2)
        return x


def test_layers_may_have_different_numbers_of_heads():
    models = []

    def make():
        models.append(Uneven())
        return models[-1]

    given = torch.randn(2, 7, 12)
    recorded = only(unnoticed(make, lambda m: m(given), gradients=True))
    assert [site.heads for site in recorded.sites] == [1, 3, 6]
    assert differs(recorded, models[-1].used) < 2e-6
    assert recorded.thumbnails(7).shape == (10, 7, 7)


def test_a_module_that_is_called_several_times_is_a_site_each_time():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.attention = torch.nn.MultiheadAttention(12, 3, batch_first=True)

        def forward(self, x):
            for _ in range(3):
                x = x + self.attention(x, x, x, need_weights=False)[0]
            return x

    recorded = only(unnoticed(Twice, lambda m: m(torch.ones(2, 5, 12)), gradients=True))
    assert [(site.name, site.layer) for site in recorded.sites] == [
        ("attention", 0),
        ("attention", 1),
        ("attention", 2),
    ]
    assert all(site.certificate.exact for site in recorded.sites)


@pytest.mark.parametrize("return_dict", [True, False])
def test_a_result_may_be_a_tuple_or_a_dictionary(return_dict):
    recorded = only(
        unnoticed(bert, lambda m: m(ids(1, 5), return_dict=return_dict), gradients=True)
    )
    assert len(recorded.sites) == 2


def test_output_attentions_returns_the_same_as_without_attnlab():
    given = {"input_ids": ids(1, 5), "output_attentions": True, "output_hidden_states": True}
    recorded = only(unnoticed(lambda: bert("eager"), lambda m: m(**given), gradients=True))
    result, _ = record(bert("eager"), given)
    assert differs(recorded, result.attentions) < 2e-6


@pytest.mark.parametrize(
    "context",
    [torch.no_grad, torch.enable_grad, torch.inference_mode, lambda: torch.set_grad_enabled(True)],
)
def test_the_users_gradient_mode_is_unchanged(context):
    def call(model):
        with context():
            return model(ids(2, 5))

    recorded = only(unnoticed(bert, call))
    assert all(site.certificate.exact for site in recorded.sites)


def bloom():
    torch.manual_seed(0)
    config = transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_head=4, n_layer=2)
    return spread(transformers.BloomForCausalLM(config))


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_a_model_outside_the_interface_is_tapped_in_every_gradient_mode(context):
    given = {
        "input_ids": ids(2, 6),
        "attention_mask": torch.tensor([[0, 0, 1, 1, 1, 1], [1] * 6]),
    }

    def call(model):
        with context():
            return model(**given)

    recorded = only(unnoticed(bloom, call))
    with torch.no_grad():
        expected = bloom()(**given, output_attentions=True).attentions
    assert {site.method for site in recorded.sites} == {"tap"}
    assert differs(recorded, expected) < 2e-6
    assert all(site.certificate.exact for site in recorded.sites)
    assert [t.padding for t in recorded.sequences[0].items[0].tokens] == [True] * 2 + [False] * 4


def test_gradients_of_a_tapped_model_are_those_without_it():
    recorded = only(unnoticed(bloom, lambda m: m(ids(2, 6), labels=ids(2, 6)), gradients=True))
    assert all(not leaf.requires_grad for site in recorded.sites for leaf in site.record.tensors)
    assert leaves(recorded.sites[0].record.terms) == []


def test_a_cache_continued_in_the_cell_names_the_keys_it_brings():
    tokenizer = wordpiece()

    def make():
        return spread(
            transformers.GPT2LMHeadModel(
                transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2)
            )
        )

    def call(model):
        first = model(**tokenizer(["the cat", "cat see"], return_tensors="pt"), use_cache=True)
        ids = torch.tensor([[4], [7]])
        return model(ids, past_key_values=first.past_key_values).logits

    outcomes = unnoticed(make, call, namespace={"tokenizer": tokenizer})
    assert len(outcomes) == 2
    recorded = only(outcomes[1:])
    site = recorded.sites[0]
    assert names(recorded, site.rows) == ["see"]
    assert names(recorded, site.columns, 1) == ["[CLS]", "cat", "see", "[SEP]", "cat"]
    assert all(site.certificate.exact for site in recorded.sites)
