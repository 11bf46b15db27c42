"""What each step of `generate` predicted, and what a plain pass predicts at each position."""

from __future__ import annotations

import pytest
import torch
import transformers

from attnlab.capture.record.recorded_call import RecordedCall
from tests.unit.tiny_models import bert, ids, llama
from tests.unit.watching import unnoticed

MANY = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
SAYING = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}


def generated(how, prompt=None):
    """Generate with a watched model; return the result and the predictions."""
    results = []
    prompt = ids(2, 5) if prompt is None else prompt

    def call(model):
        results.append(model.generate(prompt, **MANY | SAYING | how))
        return results[-1]

    outcome = unnoticed(llama().model, call)[-1]
    assert isinstance(outcome, RecordedCall)
    assert outcome.predictions is not None
    return results[-1], outcome.predictions


def probabilities(scores):
    return torch.stack(scores, dim=1).log_softmax(-1)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_cache": False},
        {"prefill_chunk_size": 2},
        {"cache_implementation": "static"},
        {"max_new_tokens": 1},
        {"do_sample": True, "temperature": 0.5, "top_k": 7, "num_return_sequences": 3},
        {"do_sample": True, "top_p": 0.8},
        {"guidance_scale": 1.5},
    ],
    ids=str,
)
def test_predictions_are_those_of_the_logits_that_the_call_returned(how):
    result, found = generated(how)
    expected = probabilities(result.logits)
    came = result.sequences[:, 5:]
    assert found.first == 5
    assert found.positions == came.shape[1]
    best = expected.topk(10, dim=-1)
    torch.testing.assert_close(found.best.log_probabilities, best.values, rtol=0, atol=1e-5)
    entropy = -(expected.exp() * expected).sum(-1)
    torch.testing.assert_close(found.best.entropy, entropy, rtol=0, atol=1e-5)
    theirs = expected.gather(-1, came[..., None])
    torch.testing.assert_close(found.log_probabilities, theirs[..., 0], rtol=0, atol=1e-5)
    assert torch.equal(found.ranks, (expected > theirs).sum(-1) + 1)
    processed = probabilities(result.scores)
    if torch.equal(processed, expected):
        return
    assert found.processed is not None
    assert found.processed_log_probabilities is not None
    theirs = processed.gather(-1, came[..., None])[..., 0]
    torch.testing.assert_close(found.processed_log_probabilities, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "how",
    [
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 4},
        {"num_beams": 3, "num_return_sequences": 3, "eos_token_id": [*range(20, 40)]},
    ],
    ids=str,
)
def test_predictions_of_a_beam_are_those_of_its_ancestors(how):
    result, found = generated(how)
    scores = (
        llama()
        .model()
        .compute_transition_scores(
            result.sequences, result.scores, result.beam_indices, normalize_logits=True
        )
    )
    seen = result.beam_indices >= 0
    actual = found.log_probabilities[:, : scores.shape[1]]
    torch.testing.assert_close(actual[seen], scores[seen], rtol=0, atol=1e-5)
    assert actual[~seen].isnan().all()


def test_the_users_scores_are_not_changed():
    # `unnoticed` compares the scores with those of a plain call; some of them are -inf.
    result, _ = generated({"do_sample": True, "top_k": 3})
    assert torch.stack(result.scores).isneginf().any()


def test_a_plain_pass_predicts_the_next_token_at_each_position():
    results = []

    def call(model):
        results.append(model(ids(2, 6)).logits)
        return results[-1]

    outcome = unnoticed(llama().model, call)[0]
    assert isinstance(outcome, RecordedCall)
    found, expected = outcome.predictions, results[-1].log_softmax(-1)
    assert found is not None
    assert found.first == 1
    theirs = expected[:, :-1].gather(-1, ids(2, 6)[:, 1:, None])[..., 0]
    torch.testing.assert_close(found.log_probabilities[:, :-1], theirs, rtol=0, atol=1e-5)
    assert found.log_probabilities[:, -1].isnan().all()
    best = expected.topk(10, dim=-1).values
    torch.testing.assert_close(found.best.log_probabilities, best, rtol=0, atol=1e-5)


def test_a_model_without_a_vocabulary_at_its_end_predicts_nothing():
    family = bert()
    outcome = unnoticed(family.model, lambda model: model(**family.inputs))[0]
    assert isinstance(outcome, RecordedCall)
    assert outcome.predictions is None


class Doubling(transformers.LogitsProcessor):
    """Doubles all scores."""

    def __call__(self, input_ids, scores):
        return scores * 2


@pytest.mark.parametrize("processors", [[], [Doubling()]], ids=["plain", "processed"])
def test_predictions_beside_guesses_are_those_before_logits_processors(processors):
    # `generate` writes what processors return into the logits of a pass with guesses.
    prompt = ids(1, 4).repeat(1, 3)
    how = {"prompt_lookup_num_tokens": 3, "max_new_tokens": 12, "logits_processor": processors}
    result, found = generated(how, prompt)
    expected = probabilities(result.logits)
    theirs = expected.gather(-1, result.sequences[:, 12:, None])[..., 0]
    torch.testing.assert_close(found.log_probabilities, theirs, rtol=0, atol=1e-5)
