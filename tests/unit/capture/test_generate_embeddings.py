"""The prompt of `generate(inputs_embeds=…)` is shown by position, what follows by its text."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import attnlab
from tests.generation_oracle import listen, rows_of
from tests.unit.capture.test_tokens import byte_level
from tests.unit.tiny_models import ids, llama, t5, trace
from tests.unit.watching import differs, names, unnoticed

MANY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
PROMPT = ["0", "1", "2", "3", "4"]


def embedded(texts: int = 1) -> torch.Tensor:
    return torch.randn(texts, 5, 32, generator=torch.Generator().manual_seed(0))


def recorded(how: dict[str, Any], texts: int = 1, namespace: Any = None):
    """Generate with a watched model; return the trace and the ids of the generated tokens."""
    results = []

    def call(model):
        results.append(model.generate(inputs_embeds=embedded(texts), **MANY | how))
        return results[-1]

    given = how["input_ids"].shape[1] if "input_ids" in how else 0
    outcome = unnoticed(llama().model, call, namespace=namespace)[-1]
    found = trace(outcome)
    assert found.generated == 5
    assert len(found.sequences) == 1
    assert all(site.certificate.exact for site in found.sites)
    return found, results[-1][:, given:], call


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3},
    ],
    ids=str,
)
def test_generated_tokens_have_the_text_that_the_tokenizer_gives_them(how):
    tokenizer = byte_level()
    found, written, _ = recorded(how, 2, {"tokenizer": tokenizer})
    assert found.items == len(written)
    for item, row in enumerate(written.tolist()):
        tokens = found.sequences[0].items[item].tokens
        assert names(found, 0, item)[:5] == PROMPT
        assert [token.id for token in tokens] == [-1] * 5 + row
        assert [token.piece for token in tokens[5:]] == tokenizer.convert_ids_to_tokens(row)
    assert found.predicted is not None
    assert found.predicted.vocabulary is not None
    assert any("by position" in note for note in found.notes)
    assert not any("tokenized outside" in note for note in found.notes)


def test_without_a_tokenizer_generated_tokens_are_shown_as_ids():
    found, written, _ = recorded({})
    assert names(found, 0) == PROMPT + [str(number) for number in written[0].tolist()]
    assert any("tokens are shown as ids" in note for note in found.notes)


def test_ids_beside_embeddings_are_not_taken_for_generated_tokens():
    # `generate` returns these ids before the generated ones, and gives the model the embeddings.
    found, written, call = recorded({"input_ids": ids(1, 5)})
    tokens = found.sequences[0].items[0].tokens
    assert [token.id for token in tokens] == [-1] * 5 + written[0].tolist()
    _, passes = listen(llama().model(), call)
    expected = [rows_of(passes[1:], site.index, 1, (0, 9)) for site in found.sites]
    assert differs(found, expected) < 1e-5


def test_padding_before_embeddings_and_after_the_end_of_a_text_is_marked():
    mask = torch.tensor([[0, 0, 1, 1, 1]] + [[1] * 5] * 3)
    ends = [*range(10, 30)]
    found, written, _ = recorded({"attention_mask": mask, "eos_token_id": ends}, 4)
    counts = []
    for item, row in enumerate(written.tolist()):
        count = next((n + 1 for n, token in enumerate(row) if token in ends), len(row))
        padding = [token.padding for token in found.sequences[0].items[item].tokens]
        assert padding[:5] == [not seen for seen in mask[item].tolist()]
        assert padding[5:] == [False] * count + [True] * (len(row) - count)
        counts.append(count)
    assert min(counts) < max(counts)


LABELS = ["I", "II", "III", "IV", "V"]


@pytest.mark.parametrize("count", [1, 2])
def test_labels_are_for_the_prompt(count):
    labels: Any = LABELS if count == 1 else [LABELS, LABELS[::-1]]
    how: Any = MANY | {"num_beams": 2, "num_return_sequences": 2}
    model = llama().model()
    with torch.no_grad(), attnlab.record(model, tokens=labels) as block:
        result = model.generate(inputs_embeds=embedded(count), **how)
    assert len(result) == 2 * count
    for item, row in enumerate(result.tolist()):
        expected = LABELS if item < 2 else LABELS[::-1]
        assert names(block.calls[-1], 0, item) == expected + [str(number) for number in row]
    assert not any("by position" in note for note in block.calls[-1].notes)


def test_the_source_of_an_encoder_decoder_may_be_given_as_embeddings():
    def make():
        model = t5().model()
        model.generation_config.decoder_start_token_id = 0
        return model

    width = t5().config.d_model
    results = []

    def call(model):
        embeds = torch.randn(1, 6, width, generator=torch.Generator().manual_seed(0))
        results.append(model.generate(inputs_embeds=embeds, **MANY))
        return results[-1]

    found = trace(unnoticed(make, call)[-1])
    assert [token.id for token in found.sequences[0].items[0].tokens] == results[-1][0].tolist()
