"""The table of predicted tokens, compared with the logits and scores that the model returns."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from attnlab.analysis.predictions import COLUMNS
from attnlab.analysis.recorded import Recorded
from attnlab.capture.record.predictions import BEST
from attnlab.traces.errors import NoPredictionsError, NoSuchItemError
from tests.unit.tiny_models import VOCABULARY, Family, _small, bert, gpt2, ids, llama, t5
from tests.unit.watching import only, unnoticed

GREEDY = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
SAMPLED = GREEDY | {"do_sample": True, "temperature": 0.7, "top_k": 5}
RETURNED = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
ENDS = {"eos_token_id": [*range(20, 40)]}
START = {"decoder_start_token_id": 0}
near = partial(np.testing.assert_allclose, rtol=0, atol=2e-5)


def recorded(family: Family, call: Any) -> Recorded:
    return Recorded.of(only(unnoticed(family.model, call)))


def generated(family: Family, prompt: torch.Tensor, **how: Any) -> tuple[Recorded, Any]:
    """Return the trace of ``generate``, and what the model returned."""
    results: list[Any] = []

    def call(model: Any) -> Any:
        results.append(model.generate(prompt, **GREEDY | how | RETURNED))
        return results[-1]

    trace = recorded(family, call)
    return trace, results[-1]


def check(table: pd.DataFrame, logits: torch.Tensor, tokens: torch.Tensor) -> None:
    """Compare rows with logits, (rows, vocabulary), of known tokens."""
    expected = logits.float().log_softmax(-1)
    came = expected.gather(1, tokens[:, None])[:, 0]
    assert table["id"].tolist() == tokens.tolist()
    assert table["token"].tolist() == [str(number) for number in tokens.tolist()]
    near(table["log_probability"], came)
    near(table["probability"], came.exp())
    assert table["rank"].tolist() == ((expected > came[:, None]).sum(-1) + 1).tolist()
    entropy = torch.distributions.Categorical(logits=logits.float()).entropy()
    near(table["entropy"], entropy)
    check_best(table["best"], expected)


def check_best(column: Any, log_probabilities: torch.Tensor, k: int = 5) -> None:
    best, numbers = log_probabilities.exp().topk(k, dim=-1)
    for line, probabilities, expected in zip(column, best, numbers, strict=True):
        assert len(line) == k
        near([value for _, value in line], probabilities)
        possible = probabilities > 0  # Tokens that a processor excludes are in any order.
        texts = [text for text, _ in line]
        assert texts[: int(possible.sum())] == [str(int(i)) for i in expected[possible]]


def test_a_forward_pass_predicts_each_token_after_the_first_and_one_more():
    family = llama()
    trace = recorded(family, lambda model: model(ids(2, 9)))
    with torch.no_grad():
        logits = family.model()(ids(2, 9)).logits
    for item in range(2):
        table = trace.predictions(item=item)
        assert table.columns.tolist() == list(COLUMNS)
        assert table["position"].tolist() == [*range(1, 10)]
        check(table[:-1], logits[item, :-1], ids(2, 9)[item, 1:])
        last = table.iloc[-1]
        assert (last["token"], last["id"], last["rank"]) == ("", -1, 0)
        assert math.isnan(last["probability"])
        check_best(table["best"][-1:], logits[item, -1:].log_softmax(-1))
        assert table["processed_probability"].isna().all()
        assert table["processed_best"].tolist() == [[]] * 9
    assert trace.steps == ()


def test_a_masked_language_model_predicts_each_token():
    family = Family("BertForMaskedLM", bert().config, {})
    trace = recorded(family, lambda model: model(ids(1, 9)))
    with torch.no_grad():
        logits = family.model()(ids(1, 9)).logits
    table = trace.predictions()
    assert table["position"].tolist() == [*range(9)]
    check(table, logits[0], ids(1, 9)[0])


@pytest.mark.parametrize("how", [{}, SAMPLED], ids=["greedy", "sampled"])
def test_each_generated_token_has_the_probability_that_its_step_gave_it(how):
    trace, result = generated(llama(), ids(2, 5), **how)
    logits, scores = torch.stack(result.logits, 1), torch.stack(result.scores, 1)
    for item in range(2):
        table = trace.predictions(item=item)
        assert table["position"].tolist() == [*range(5, 11)]
        tokens = result.sequences[item, 5:]
        check(table, logits[item], tokens)
        if how:
            processed = scores[item].log_softmax(-1)
            came = processed.gather(1, tokens[:, None])[:, 0].exp()
            near(table["processed_probability"], came)
            check_best(table["processed_best"], processed)
    # Each step was given one token; the last token was not passed to the model.
    assert [(step.start, step.stop) for step in trace.steps] == [(0, 5)] + [
        (position, position + 1) for position in range(5, 10)
    ]


def test_the_probabilities_of_a_returned_beam_are_those_of_its_ancestors():
    trace, result = generated(llama(), ids(2, 5), num_beams=3, num_return_sequences=2)
    for item in range(4):
        rows = result.beam_indices[item].tolist()
        logits = torch.stack([step[row] for step, row in zip(result.logits, rows, strict=True)])
        check(trace.predictions(item=item), logits, result.sequences[item, 5:])


def test_padding_after_a_finished_beam_was_not_predicted():
    trace, result = generated(llama(), ids(2, 5), num_beams=3, num_return_sequences=3, **ENDS)
    counts = []
    for item in range(6):
        rows = [row for row in result.beam_indices[item].tolist() if row >= 0]
        logits = torch.stack([step[row] for step, row in zip(result.logits, rows, strict=False)])
        check(trace.predictions(item=item), logits, result.sequences[item, 5 : 5 + len(rows)])
        padding = [token.padding for token in trace.sequences[0].items[item].tokens]
        assert padding == [False] * (5 + len(rows)) + [True] * (6 - len(rows))
        counts.append(len(rows))
    assert min(counts) < max(counts)


def test_padding_after_a_finished_text_of_a_batch_was_not_predicted():
    trace, result = generated(llama(), ids(4, 5), **ENDS)
    counts = []
    for item, row in enumerate(result.sequences[:, 5:].tolist()):
        count = next((n + 1 for n, token in enumerate(row) if 20 <= token < 40), len(row))
        logits = torch.stack([step[item] for step in result.logits[:count]])
        check(trace.predictions(item=item), logits, result.sequences[item, 5 : 5 + count])
        counts.append(count)
    assert min(counts) < max(counts)


def test_padding_before_a_text_predicts_nothing():
    family = gpt2()
    trace = recorded(family, lambda model: model(**family.inputs))
    with torch.no_grad():
        logits = family.model()(**family.inputs).logits
    table = trace.predictions(item=0)
    assert table["position"].tolist() == [*range(4, 10)]
    check(table[:-1], logits[0, 3:-1], family.inputs["input_ids"][0, 4:])


def test_a_text_that_ends_before_padding_predicts_one_token_more():
    family = llama()
    mask = torch.tensor([[1] * 6 + [0] * 3])
    trace = recorded(family, lambda model: model(ids(1, 9), attention_mask=mask))
    table = trace.predictions()
    assert table["position"].tolist() == [*range(1, 7)]
    assert table["id"].tolist() == [*ids(1, 9)[0, 1:6].tolist(), -1]


def test_the_decoder_of_an_encoder_decoder_predicts_its_text():
    family = t5()
    results: list[Any] = []

    def call(model: Any) -> Any:
        results.append(model.generate(family.inputs["input_ids"], **GREEDY | START | RETURNED))
        return results[-1]

    trace = recorded(family, call)
    logits = torch.stack(results[-1].logits, 1)[0]
    check(trace.predictions(), logits, results[-1].sequences[0, 1:])


def test_k_is_limited_to_the_tokens_that_were_recorded():
    trace = recorded(llama(), lambda model: model(ids(1, 4)))
    assert [len(line) for line in trace.predictions(k=1)["best"]] == [1] * 4
    assert [len(line) for line in trace.predictions(k=VOCABULARY)["best"]] == [BEST] * 4
    with pytest.raises(ValueError, match="k must be at least 1"):
        trace.predictions(k=0)
    with pytest.raises(NoSuchItemError):
        trace.predictions(item=1)


def test_a_model_without_logits_has_no_predictions():
    trace = recorded(bert(), lambda model: model(**bert().inputs))
    with pytest.raises(NoPredictionsError, match="BertModel has no predictions") as error:
        trace.predictions()
    assert isinstance(error.value, LookupError)


def test_a_small_vocabulary_has_fewer_best_tokens():
    config = transformers.LlamaConfig(**_small(vocab_size=7))
    trace = recorded(Family("LlamaForCausalLM", config, {}), lambda model: model(ids(1, 4) % 7))
    assert [len(line) for line in trace.predictions(k=9)["best"]] == [7] * 4
