"""Tokens that `generate` fills in behind a finished text of a batch were not predicted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.record.recorded_call import RecordedCall
from tests.unit.tiny_models import ids, llama, t5
from tests.unit.watching import unnoticed

ENDS = [*range(20, 30)]
SOME = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": ENDS, "pad_token_id": 0}
SAYING = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}


class Starting(transformers.StoppingCriteria):
    """Stops texts whose newest token is one of the first of the vocabulary."""

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> Any:
        return input_ids[:, -1] < 16


def generated(how, make=None, prompts=4):
    """Generate with a watched model; return the result and the recorded call."""
    results = []

    def call(model):
        results.append(model.generate(ids(prompts, 5), **SOME | SAYING | how))
        return results[-1]

    outcome = unnoticed(make or llama().model, call)[-1]
    assert isinstance(outcome, RecordedCall)
    return results[-1], outcome


def first_stops(tokens: torch.Tensor, stops: list[int]) -> list[int]:
    """Return, by text, the number of generated tokens up to the first that stops it."""
    return [
        next((n + 1 for n, token in enumerate(row) if token in stops), len(row))
        for row in tokens.tolist()
    ]


def check(result, call, prompt, counts):
    """Compare probabilities, ranks and padding with the logits and the ends of the texts."""
    found, logits = call.predictions, torch.stack(result.logits, dim=1)
    came = result.sequences[:, prompt:]
    # Some text ends early, and some later.
    assert min(counts) < came.shape[1]
    expected = logits.log_softmax(-1)
    theirs = expected.gather(-1, came[..., None])
    ranks = (expected > theirs).sum(-1) + 1
    for text, count in enumerate(counts):
        actual = found.log_probabilities[text]
        torch.testing.assert_close(actual[:count], theirs[text, :count, 0], rtol=0, atol=1e-5)
        assert actual[count:].isnan().all()
        assert torch.equal(found.ranks[text, :count], ranks[text, :count])
        assert not found.ranks[text, count:].any()
        if found.processed_log_probabilities is not None:
            processed = found.processed_log_probabilities[text]
            assert not processed[:count].isnan().any()
            assert processed[count:].isnan().all()
        padding = [token.padding for token in call.sequences[0].items[text].tokens]
        assert padding[prompt:] == [False] * count + [True] * (came.shape[1] - count)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"pad_token_id": ENDS[0]},
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"do_sample": True, "temperature": 0.8, "num_return_sequences": 3},
        {"repetition_penalty": 1.3},
    ],
    ids=str,
)
def test_padding_behind_a_finished_text_was_not_predicted(how):
    result, call = generated(how)
    check(result, call, 5, first_stops(result.sequences[:, 5:], ENDS))


def test_any_stopping_criterion_ends_a_text():
    criteria = transformers.StoppingCriteriaList([Starting()])
    result, call = generated({"stopping_criteria": criteria})
    check(result, call, 5, first_stops(result.sequences[:, 5:], [*range(16), *ENDS]))


def test_without_an_end_token_a_stopped_text_is_continued():
    # `generate` fills in padding only if a criterion has an end token.
    criteria = transformers.StoppingCriteriaList([Starting()])
    result, call = generated({"stopping_criteria": criteria, "eos_token_id": None})
    assert call.predictions is not None
    assert min(first_stops(result.sequences[:, 5:], [*range(16)])) < result.sequences.shape[1] - 5
    assert not call.predictions.log_probabilities.isnan().any()
    assert not any(t.padding for item in call.sequences[0].items for t in item.tokens)


def test_padding_behind_a_finished_text_of_an_encoder_decoder_was_not_predicted():
    family = t5()

    def make():
        model = family.model()
        model.generation_config.decoder_start_token_id = 0
        return model

    result, call = generated({"eos_token_id": [*range(2, 20)]}, make)
    check(result, call, 1, first_stops(result.sequences[:, 1:], [*range(2, 20)]))


@pytest.mark.parametrize("how", [{}, {"do_sample": True, "top_k": 30}], ids=str)
def test_padding_behind_a_finished_beam_was_not_predicted(how):
    result, call = generated({"num_beams": 3, "num_return_sequences": 3} | how, prompts=2)
    counts = (result.beam_indices >= 0).sum(1).tolist()
    assert min(counts) < max(counts)
    assert call.predictions is not None
    for text, count in enumerate(counts):
        probabilities = [call.predictions.log_probabilities[text]]
        if how:
            assert call.predictions.processed_log_probabilities is not None
            probabilities.append(call.predictions.processed_log_probabilities[text])
        for one in probabilities:
            assert not one[:count].isnan().any()
            assert one[count:].isnan().all()
        assert not call.predictions.ranks[text, count:].any()
