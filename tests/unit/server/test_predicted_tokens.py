"""Summaries of tokens that the model predicted, and of tokens of an earlier prompt."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import torch

from attnlab.capture.record.predictions import Predictions, predictions_of
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.server.session.summaries import item_of, summary
from attnlab.traces.trace import Trace
from tests.unit.page import TOKENS, call


def predicted(items: int, tokens: int = TOKENS, following: bool = True) -> Predictions:
    """Predictions of the made-up call, whose ids are 0, 1, 2, …"""
    logits = torch.randn(items, tokens, 60, generator=torch.Generator().manual_seed(0))
    ids = [[position % 60 for position in range(tokens)]] * items
    return predictions_of(logits, ids, items, following=following)


def tokens_of(made: RecordedCall, item: int = 0) -> list[dict[str, Any]]:
    trace = Trace.from_call(made, "t", "c", 1, 0)
    return [dict(token) for token in item_of(trace, item)["sequences"][0]["tokens"]]


def test_a_token_has_the_probability_and_rank_that_the_model_gave_it():
    predictions = predicted(2)
    for item in range(2):
        tokens = tokens_of(call(items=2, predictions=predictions), item)
        assert ["rank" in token for token in tokens] == [False, True, True, True, False]
        for position in (1, 2, 3):
            expected = predictions.log_probabilities[item, position - 1].exp().item()
            assert math.isclose(tokens[position]["probability"], expected, rel_tol=1e-3)
            assert tokens[position]["rank"] == predictions.ranks[item, position - 1].item()


def test_a_masked_token_is_predicted_itself():
    tokens = tokens_of(call(predictions=predicted(1, following=False)))
    assert ["probability" in token for token in tokens] == [True] * 4 + [False]


def test_what_is_unknown_is_left_out():
    tokens = tokens_of(call())
    assert all(token.keys() == tokens[0].keys() for token in tokens)
    assert not {"probability", "rank", "stale"} & tokens[0].keys()
    unknown = predicted(1)
    unknown.log_probabilities[0, 1] = torch.nan
    unknown.ranks[0, 1] = 0
    unknown.log_probabilities[0, 2] = -torch.inf
    tokens = tokens_of(call(predictions=unknown))
    assert ["probability" in token for token in tokens] == [False, True, False, False, False]


def test_stale_tokens_are_marked():
    made = call(generated=3)
    (tokens,) = made.sequences[0].items
    marked = [replace(token, stale=i >= 3, padding=False) for i, token in enumerate(tokens.tokens)]
    made.sequences[0].items[0] = replace(tokens, tokens=marked)
    made = replace(made, predictions=predicted(1, 3))
    found = tokens_of(made)
    assert [token.get("stale") for token in found] == [None, None, None, True, True]
    # The model predicted a token after the prompt, but this one came after another prompt.
    assert ["rank" in token for token in found] == [False, True, True, False, False]


def test_only_the_main_sequence_was_predicted():
    made = call(predictions=predicted(1))
    made.sequences.append(replace(made.sequences[0], name="context"))
    summarized = summary(Trace.from_call(made, "t", "c", 1, 0), 1)
    assert not [token for token in summarized["sequences"][1]["tokens"] if "rank" in token]


def test_the_summary_of_a_long_text_stays_small():
    made = call(tokens=2000)
    (tokens,) = made.sequences[0].items
    visible = [replace(token, padding=False) for token in tokens.tokens]
    made.sequences[0].items[0] = replace(tokens, tokens=visible)
    sizes = [
        len(json.dumps(summary(Trace.from_call(each, "t", "c", 1, 0), 1)))
        for each in (made, replace(made, predictions=predicted(1, 2000)))
    ]
    assert 0 < sizes[1] - sizes[0] < 2000 * 48


def test_a_trace_has_the_steps_and_accounts_for_the_predictions():
    made = call(predictions=predicted(1))
    trace = Trace.from_call(made, "t", "c", 1, 0)
    assert trace.steps is made.steps
    assert trace.predicted is made.predictions
    assert trace.nbytes == made.nbytes > Trace.from_call(call(), "t", "c", 1, 0).nbytes
