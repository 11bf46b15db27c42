"""Models inside others: pipelines, adapters, sentence transformers, quantized and half models."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers

from tests.unit.capture.test_calls_batches import bert as spread_bert
from tests.unit.capture.test_calls_batches import bloom, spread
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.outcomes import all_calls
from tests.unit.tiny_models import VOCABULARY, _small, bert, ids, llama
from tests.unit.watching import differs, names, only, unnoticed

# --- pipelines ----------------------------------------------------------------------------


def test_a_pipeline_shows_the_text_that_it_was_given():
    tokenizer = wordpiece()

    def make():
        torch.manual_seed(0)
        config = transformers.BertConfig(**_small())
        return spread(transformers.BertForSequenceClassification(config))

    def call(model):
        run = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
        return [torch.tensor(said["score"]) for said in run(["the cat", "seeing the cat"])]

    outcomes = unnoticed(make, call)
    assert [item.sequences[0].items[0].text for item in all_calls(outcomes)] == [
        "the cat",
        "seeing the cat",
    ]
    assert all(only([item]).sites[0].certificate.exact for item in outcomes)


def test_a_pipeline_that_generates_shows_what_it_wrote():
    tokenizer = wordpiece()

    def call(model):
        run = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
        said = run("the cat", max_new_tokens=3, do_sample=False, return_tensors=True)
        return torch.tensor(said[0]["generated_token_ids"])

    recorded = only(unnoticed(llama().model, call))
    assert recorded.sequences[0].items[0].text == "the cat"
    assert recorded.generated == 4
    assert len(recorded.sequences[0]) == 7


# --- adapters -----------------------------------------------------------------------------


@pytest.mark.parametrize("merged", [False, True])
def test_a_model_with_lora_adapters_is_recorded_under_the_adapters_names(merged):
    peft = pytest.importorskip("peft", reason="peft is not installed here")
    family = llama()

    def make():
        torch.manual_seed(0)
        config = peft.LoraConfig(
            r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, lora_dropout=0.0
        )
        model = peft.get_peft_model(family.model(), config).eval()
        return model.merge_and_unload() if merged else model

    recorded = only(unnoticed(make, lambda m: m(**family.inputs), gradients=True))
    assert all(site.certificate.exact for site in recorded.sites)
    name = "model.layers.0.self_attn"
    assert recorded.sites[0].name == (name if merged else f"base_model.model.{name}")
    assert [site.layer for site in recorded.sites] == [0, 1]
    # The adapters take part: the weights differ from those without them.
    plain = only(unnoticed(family.model, lambda m: m(**family.inputs)))
    assert abs(recorded.head(1, 0) - plain.head(1, 0)).max() > 1e-3


def test_a_model_with_adapters_generates_as_usual():
    peft = pytest.importorskip("peft", reason="peft is not installed here")

    def make():
        torch.manual_seed(0)
        config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
        return peft.get_peft_model(llama().model(), config).eval()

    recorded = only(
        unnoticed(
            make,
            lambda m: m.generate(
                input_ids=ids(1, 4), max_new_tokens=3, eos_token_id=None, pad_token_id=0
            ),
        )
    )
    assert recorded.generated == 4
    assert all(site.certificate.exact for site in recorded.sites)


# --- sentence transformers ----------------------------------------------------------------


class Transformer(torch.nn.Module):
    """Like `sentence_transformers.models.Transformer`: features in, features out."""

    def __init__(self):
        super().__init__()
        self.auto_model = spread_bert()

    def forward(self, features):
        given = {name: features[name] for name in ("input_ids", "attention_mask")}
        return {**features, "token_embeddings": self.auto_model(**given)[0]}


class Pooling(torch.nn.Module):
    """Like `sentence_transformers.models.Pooling`, the mean over tokens without padding."""

    def forward(self, features):
        mask = features["attention_mask"][..., None].float()
        mean = (features["token_embeddings"] * mask).sum(1) / mask.sum(1)
        return {**features, "sentence_embedding": mean}


class SentenceTransformer(torch.nn.Sequential):
    """Like `sentence_transformers.SentenceTransformer`: called with one dictionary."""

    def __init__(self):
        super().__init__(Transformer(), Pooling())
        self.tokenizer = wordpiece()

    def encode(self, texts):
        features = self.tokenizer(texts, padding=True, return_tensors="pt")
        return self.forward(dict(features))["sentence_embedding"]


def test_a_module_that_is_given_one_dictionary_shows_the_texts_in_it():
    tokenizer = wordpiece()

    def call(model):
        features = dict(tokenizer(["cat", "the cat"], padding=True, return_tensors="pt"))
        return model(features)["sentence_embedding"]

    recorded = only(unnoticed(SentenceTransformer, call, gradients=True))
    assert recorded.model == "SentenceTransformer"
    assert recorded.items == 2
    assert [value.text for value in recorded.sequences[0].items] == ["cat", "the cat"]
    assert names(recorded, 0) == ["[CLS]", "cat", "[SEP]", "[PAD]"]
    assert [t.padding for t in recorded.sequences[0].items[0].tokens] == [False] * 3 + [True]
    assert recorded.sites[0].name == "0.auto_model.encoder.layer.0.attention.self"
    assert all(site.certificate.exact for site in recorded.sites)
    assert recorded.notes == []


def test_encoding_sentences_is_one_call_of_the_whole_and_shows_its_texts():
    """`encode` calls `forward` itself: the outermost call of a module is the transformer's."""
    recorded = only(
        unnoticed(SentenceTransformer, lambda m: m.encode(["cat", "the cat"]), gradients=True)
    )
    assert recorded.model == "SentenceTransformer"
    assert [value.text for value in recorded.sequences[0].items] == ["cat", "the cat"]
    assert [t.padding for t in recorded.sequences[0].items[0].tokens] == [False] * 3 + [True]
    assert all(site.certificate.exact for site in recorded.sites)


# --- precision ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("make", [spread_bert, bloom], ids=["interface", "tap"])
def test_models_of_every_precision_are_recorded_in_that_precision_and_certified(make, dtype):
    given = {"input_ids": ids(2, 7)}
    recorded = only(unnoticed(lambda: make().to(dtype), lambda m: m(**given), gradients=True))
    for site in recorded.sites:
        assert site.record.value is not None
        assert site.record.value.dtype == dtype
        assert site.certificate.exact, site.certificate
        row = recorded.row(site.index, 6, 1)
        assert row.dtype.name == "float32"
        assert abs(row.sum(-1) - 1).max() < 1e-5


def test_the_users_autocast_is_unchanged_and_recorded():
    def call(model):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(ids(2, 7))

    for make in (spread_bert, bloom):
        recorded = only(unnoticed(make, call, gradients=True))
        assert all(site.certificate.exact for site in recorded.sites)


def test_a_model_quantized_to_int8_is_recorded():
    # The oracle is a quantized eager copy: quantization is per layer and deterministic.
    def make(implementation="sdpa"):
        model = spread_bert(implementation)
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    if not torch.backends.quantized.supported_engines:
        pytest.skip("this build of PyTorch has no quantised kernels")
    given = ids(2, 7)
    recorded = only(unnoticed(make, lambda m: m(given)))
    with torch.no_grad():
        expected = make("eager")(given, output_attentions=True).attentions
    assert differs(recorded, expected) < 2e-5
    assert all(site.certificate.exact for site in recorded.sites)


def test_a_quantized_model_outside_the_interface_is_recorded():
    def make():
        return torch.ao.quantization.quantize_dynamic(bloom(), {torch.nn.Linear}, torch.qint8)

    recorded = only(unnoticed(make, lambda m: m(ids(2, 7))))
    assert all(site.certificate.exact for site in recorded.sites)


# --- offloaded ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [spread_bert, bloom], ids=["interface", "tap"])
def test_a_model_whose_weights_are_offloaded_is_recorded_and_stays_offloaded(make):
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed here")

    def offloaded():
        return accelerate.cpu_offload(make(), execution_device="cpu")

    models = []

    def call(model):
        models.append(model)
        return model(ids(2, 7))

    recorded = only(unnoticed(offloaded, call))
    assert all(site.certificate.exact for site in recorded.sites)
    assert all(parameter.is_meta for parameter in models[-1].parameters())


def test_an_offloaded_model_generates_as_usual_and_is_recorded():
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed here")
    how = {"max_new_tokens": 3, "eos_token_id": None, "pad_token_id": 0, "do_sample": False}
    recorded = only(
        unnoticed(
            lambda: accelerate.cpu_offload(llama().model(), execution_device="cpu"),
            lambda model: model.generate(ids(1, 4), **how),
        )
    )
    assert all(site.certificate.exact for site in recorded.sites)


# --- training -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [spread_bert, bloom], ids=["interface", "tap"])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_a_model_in_training_stays_so_and_its_dropout_is_reported(make, implementation):
    def training():
        model = make()
        if make is spread_bert:
            model = make(implementation)
        else:
            for part in model.modules():
                if isinstance(part, torch.nn.Dropout):
                    part.p = 0.1
        return model.train()

    recorded = only(unnoticed(training, lambda m: m(ids(2, 7)), gradients=True))
    for site in recorded.sites:
        assert not site.certificate.exact
        assert "the weights are those before dropout" in site.certificate.reason
        assert abs(recorded.row(site.index, 6).sum(-1) - 1).max() < 1e-5


def test_training_without_dropout_is_certified():
    def training():
        model = copy.deepcopy(spread_bert())
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        for layer in model.encoder.layer:
            layer.attention.self.dropout.p = 0.0
        return model.train()

    recorded = only(unnoticed(training, lambda m: m(ids(2, 7)), gradients=True))
    assert all(site.certificate.exact for site in recorded.sites)


def test_checkpointed_layers_outside_the_interface_are_recorded_once():
    def training():
        torch.manual_seed(0)
        config = transformers.BloomConfig(
            vocab_size=VOCABULARY, hidden_size=32, n_head=4, n_layer=2
        )
        model = spread(transformers.BloomForCausalLM(config)).train()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        return model

    recorded = only(unnoticed(training, lambda m: m(ids(2, 7), use_cache=False), gradients=True))
    assert len(recorded.sites) == 2


def test_deep_copies_and_pickles_made_while_watched_are_plain():
    family = bert()

    def call(model):
        twin = copy.deepcopy(model)
        return model(**family.inputs), twin(**family.inputs)

    outcomes = unnoticed(family.model, call)
    assert [item.model for item in all_calls(outcomes)] == ["BertModel", "BertModel"]
