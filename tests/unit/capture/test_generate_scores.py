"""The parents and scores of each step of `generate` are those that `generate` itself can return.

The watched call returns only tokens; an independent call of an equal model returns the scores.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.record.recorded_call import RecordedCall
from tests.unit.tiny_models import ids, llama, t5
from tests.unit.watching import unnoticed

MANY = {"max_new_tokens": 7, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
SAYING = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
ENDS = {"eos_token_id": [*range(20, 40)]}
SAMPLED = {"do_sample": True, "temperature": 0.7, "top_k": 20}
EVERY = {"num_beams": 4, "num_return_sequences": 4}


def recorded(how: dict[str, Any], make: Any = None, prompt: torch.Tensor | None = None):
    """Generate with a watched model; return the recorded call and the oracle's result."""
    make, prompt = make or llama().model, ids(2, 5) if prompt is None else prompt
    call = unnoticed(make, lambda model: model.generate(prompt, **MANY | how))[-1]
    assert isinstance(call, RecordedCall)
    model = make()
    torch.manual_seed(3)
    with torch.no_grad():
        result = model.generate(prompt, **MANY | how | SAYING)
    return call, result


def sums_of(model: Any, result: Any, normalize: bool) -> torch.Tensor:
    """Return the sum of the scores of the chosen tokens, by text and step, in float64."""
    scores = model.compute_transition_scores(
        result.sequences, result.scores, result.get("beam_indices"), normalize_logits=normalize
    )
    sums: torch.Tensor = scores.double().cumsum(1)
    return sums


def check_scores(call: RecordedCall, expected: torch.Tensor) -> None:
    """Compare the scores of all steps with those of all generated tokens."""
    found = torch.tensor([step.scores for step in call.steps]).double().T
    torch.testing.assert_close(found, expected[:, : found.shape[1]], rtol=0, atol=1e-4)


BEAMS: list[dict[str, Any]] = [
    {"num_beams": 3},
    EVERY,
    EVERY | {"length_penalty": 0.3},
    EVERY | ENDS,
    EVERY | ENDS | {"early_stopping": True, "length_penalty": -1.0},
    EVERY | ENDS | {"use_cache": False},
    EVERY | ENDS | {"cache_implementation": "static"},
    EVERY | ENDS | {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
    EVERY | ENDS | {"min_new_tokens": 3},
    EVERY | ENDS | {"repetition_penalty": 1.4, "renormalize_logits": True},
    EVERY | SAMPLED,
    EVERY | SAMPLED | ENDS,
    EVERY | {"max_new_tokens": 1},
]


@pytest.mark.parametrize("how", BEAMS, ids=str)
def test_beams_have_the_parents_and_scores_that_beam_search_chose_them_by(how):
    check_beams(how, ids(2, 5))


def test_beams_of_equal_prompts_continue_those_of_their_own_prompt():
    check_beams(EVERY | ENDS, ids(1, 5).repeat(2, 1))


def check_beams(how: dict[str, Any], prompt: torch.Tensor) -> None:
    call, result = recorded(how, prompt=prompt)
    model = llama().model()
    indices = result.beam_indices
    lengths = (indices >= 0).sum(1)
    assert len(call.steps) == int(lengths.max())
    for number, step in enumerate(call.steps):
        rows = [None if row < 0 else row for row in indices[:, number].tolist()]
        assert list(step.rows) == rows
        before = indices[:, number - 1].tolist() if number else [None] * len(rows)
        parents = [None if row is None else old for row, old in zip(rows, before, strict=True)]
        assert list(step.parents) == parents
    check_scores(call, sums_of(model, result, normalize=False))
    penalty = how.get("length_penalty", 1.0)
    last = torch.tensor(call.steps[-1].scores)
    expected = result.sequences_scores * lengths**penalty
    torch.testing.assert_close(last, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_cache": False},
        {"repetition_penalty": 1.3},
        SAMPLED,
        SAMPLED | {"num_return_sequences": 3},
    ],
    ids=str,
)
def test_without_beams_a_score_is_the_log_probability_that_the_text_was_chosen_with(how):
    call, result = recorded(how)
    count = len(result.sequences)
    check_scores(call, sums_of(llama().model(), result, normalize=True))
    assert all(step.rows == tuple(range(count)) for step in call.steps)
    assert call.steps[0].parents == (None,) * count
    assert all(step.parents == tuple(range(count)) for step in call.steps[1:])


def test_the_score_of_a_finished_text_stays_what_it_was():
    call, result = recorded(SAMPLED | ENDS, prompt=ids(6, 5))
    came = result.sequences[:, 5:]
    ends = [
        next((n + 1 for n, token in enumerate(row) if 20 <= token < 40), len(row))
        for row in came.tolist()
    ]
    assert min(ends) < max(ends)
    scores = torch.stack(result.scores, 1).log_softmax(-1).gather(-1, came[..., None])[..., 0]
    chosen = torch.arange(came.shape[1]) < torch.tensor(ends)[:, None]
    check_scores(call, scores.double().where(chosen, 0).cumsum(1))


def test_a_prompt_in_pieces_has_no_score_before_its_last_piece():
    call, result = recorded({"prefill_chunk_size": 2})
    assert [step.scores for step in call.steps[:2]] == [(0.0, 0.0)] * 2
    found = torch.tensor([step.scores for step in call.steps[2:]]).double().T
    expected = sums_of(llama().model(), result, normalize=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_the_scores_of_an_encoder_decoder_are_those_of_its_output():
    def make():
        model = t5().model()
        model.generation_config.decoder_start_token_id = 0
        return model

    call, result = recorded(EVERY | ENDS, make, ids(2, 6))
    check_scores(call, sums_of(make(), result, normalize=False))


class InPlace(transformers.LogitsProcessor):
    """Halves scores where they are."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> Any:
        return scores.mul_(0.5)


@pytest.mark.parametrize("beams", [False, True], ids=["greedy", "beams"])
def test_processors_may_write_to_the_scores_that_they_are_given(beams):
    how: dict[str, Any] = {"logits_processor": transformers.LogitsProcessorList([InPlace()])}
    call, result = recorded(how | (EVERY if beams else {}))
    check_scores(call, sums_of(llama().model(), result, normalize=not beams))


def test_scores_beside_guesses_are_known_only_without_processors():
    prompt = ids(1, 4).repeat(1, 3)
    how = {"prompt_lookup_num_tokens": 3, "max_new_tokens": 12}
    call = recorded_guesses(how, prompt)
    with torch.no_grad():
        result = llama().model().generate(prompt, **MANY | how | SAYING)
    came = result.sequences[:, 12:, None]
    sums = torch.stack(result.logits, 1).log_softmax(-1).gather(-1, came)[0, :, 0].cumsum(0)
    for step in call.steps:
        assert step.scores[0] == pytest.approx(float(sums[step.stop - 12]), abs=1e-4)


def recorded_guesses(how: dict[str, Any], prompt: torch.Tensor) -> RecordedCall:
    call = unnoticed(llama().model, lambda model: model.generate(prompt, **MANY | how))[-1]
    assert isinstance(call, RecordedCall)
    return call
