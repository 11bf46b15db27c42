"""Scores of heads: each formula is compared with published values and a dense computation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.analysis.scores import scores
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.record.terms import Causal, Fill, Floor, Scale
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.traces import weights as formula
from attnlab.traces.cancellation import CancelledError
from attnlab.traces.errors import NoSuchItemError
from attnlab.traces.trace import Trace
from tests.unit.tiny_models import gpt2, record, t5, trace

A4 = [[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0.3, 0.5, 0], [0.1, 0.15, 0.5, 0.25]]
TOKENS = [5, 6, 5, 6]
near = partial(np.testing.assert_allclose, rtol=0, atol=1e-6)


def made_of(matrices, ids, padding=(), keys=None, terms=()):
    """A trace of one site with these weights, (heads, queries, keys), or of several items."""
    weights = torch.as_tensor(np.array(matrices), dtype=torch.float32)
    weights = weights.reshape(-1, *weights.shape[-3:])
    batch = np.broadcast_to(ids, (len(weights), weights.shape[2])).tolist()
    marks = [place in padding for place in range(weights.shape[2])]
    sequences = [Sequence("tokens", [tokens(entry, marks) for entry in batch])]
    if keys is not None:
        sequences.append(Sequence("source", [tokens(keys, [False] * len(keys))] * len(batch)))
    record = AttentionRecord(
        "attention", "attention", "encoder", 0, "interface", weights=weights, terms=terms
    )
    axes = [(0, len(sequences) - 1)]
    return Trace.from_call(
        RecordedCall("Model", [record], sequences, axes, 1.0, len(batch)), "t", "c", 1, 0
    )


def tokens(ids, padding):
    return Tokens(
        [
            TokenInfo(id=number, text=str(number), piece=str(number), padding=mark)
            for number, mark in zip(ids, padding, strict=True)
        ]
    )


def scored(value, item=0):
    return scores(value, value.sites[0], item)


def a4():
    return made_of([A4], TOKENS)


# --- published values -----------------------------------------------------------------------


def test_entropy_of_rows_and_its_mean():
    near(scored(a4()).entropy, [0.732693])
    for row, expected in zip(A4, [0, 0.693147, 1.029653, 1.207974], strict=True):
        near(scored(made_of([[row]], [5], keys=TOKENS)).entropy, [expected])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("confidence", 0.625),
        ("self_token", 0.5625),
        ("previous_token", 0.433333),
        ("distance", 0.575),
        ("distance_variance", 0.569375),
        ("induction", 0.4),
        ("duplicate", 0.35 / 4),
        ("first_token", 0.45),
    ],
)
def test_a_score_has_its_published_value(score, expected):
    near(getattr(scored(a4()), score), [expected])


def test_importance_of_keys_identifies_sink_heads():
    actual = scored(a4())
    near(actual.importance, [[0.45, 0.316667, 0.5, 0.25]])
    assert actual.sink.tolist() == [True]
    uniform = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    near(scored(made_of([uniform], TOKENS)).importance, [[0.520833, 0.361111, 0.291667, 0.25]])
    spread = np.full((4, 4), 0.25)
    assert scored(made_of([spread], TOKENS)).sink.tolist() == [False]


# --- excluded positions -----------------------------------------------------------------------


def test_padding_at_either_end_changes_no_score():
    expected = scored(a4())
    for front, back in ((0, 2), (3, 0)):
        wide = np.zeros((4 + front + back,) * 2)
        wide[:] = np.eye(len(wide))
        wide[front : front + 4] = 0
        wide[front : front + 4, front : front + 4] = A4
        padding = [place for place in range(len(wide)) if not front <= place < front + 4]
        record = scored(made_of([wide], [0] * front + TOKENS + [0] * back, padding))
        for name in vars(expected):
            if name != "importance":
                near(getattr(record, name), getattr(expected, name), err_msg=name)
        near(record.importance[:, front : front + 4], expected.importance)


def test_queries_without_any_key_count_in_no_mean():
    holed = np.array(A4)
    holed[2] = np.nan
    record = scored(made_of([holed], TOKENS))
    near(record.confidence, [np.mean([1, 0.5, 0.5])])
    near(record.previous_token, [np.mean([0.5, 0.5])])
    near(record.induction, [0.5])
    nothing = scored(made_of([np.full((4, 4), np.nan)], TOKENS))
    assert all(np.isnan(getattr(nothing, name)).all() for name in vars(nothing))
    assert nothing.sink.tolist() == [False]


def test_text_without_a_repeated_token_has_no_induction():
    record = scored(made_of([A4], [5, 6, 7, 8]))
    assert np.isnan(record.induction).all()
    near(record.duplicate, [0])


def test_unknown_tokens_are_the_same_as_none():
    record = scored(made_of([A4], [-1, -1, -1, -1]))
    assert np.isnan(record.induction).all()
    near(record.duplicate, [0])


def test_cross_attention_has_only_scores_without_positions():
    record = scored(made_of([A4], TOKENS, keys=TOKENS))
    near(record.entropy, [0.732693])
    near(record.confidence, [0.625])
    near(record.first_token, [0.45])
    compared = "self_token previous_token distance distance_variance induction duplicate importance"
    for name in compared.split():
        assert np.isnan(getattr(record, name)).all(), name


def test_a_learned_sink_lowers_the_sums():
    record = scored(made_of([np.array(A4) / 2], TOKENS))
    near(record.self_token, [0.5625 / 2])
    near(record.duplicate, [0.35 / 4])


# --- dense computation -----------------------------------------------------------


def dense(matrix, ids, padding):
    """Every score of one head, in double precision, from loops over the whole matrix."""
    n = len(matrix)
    counted = [i for i in range(n) if i not in padding and not np.isnan(matrix[i]).any()]
    real = [j for j in range(n) if j not in padding]

    def mean(values):
        return np.mean(values) if len(values) else np.nan

    pairs = {
        i: [p for p in range(i) if p in real and ids[p] == ids[i] and ids[i] != -1] for i in counted
    }
    apart = {i: [abs(i - j) for j in range(n)] for i in counted}
    total = sum(matrix[i].sum() for i in counted)
    distance = mean([matrix[i] @ apart[i] for i in counted])
    square = mean([matrix[i] @ np.square(apart[i]) for i in counted])
    return {
        "entropy": mean([-sum(a * np.log(a) for a in matrix[i] if a > 0) for i in counted]),
        "confidence": mean([matrix[i].max() for i in counted]),
        "self_token": mean([matrix[i, i] for i in counted]),
        "previous_token": mean([matrix[i, i - 1] for i in counted if i - 1 in real]),
        "first_token": mean([matrix[i, real[0] if real else 0] for i in counted]),
        "distance": distance,
        "distance_variance": square - distance**2,
        "induction": mean(
            [sum(matrix[i, p + 1] for p in value) for i, value in pairs.items() if value]
        ),
        "duplicate": sum(matrix[i, p] for i, value in pairs.items() for p in value) / total
        if total
        else np.nan,
        "importance": [mean([matrix[i, j] for i in counted if i >= j]) for j in range(n)],
    }


@given(
    n=st.integers(1, 12),
    heads=st.integers(1, 3),
    causal=st.booleans(),
    room=st.integers(1, 3000),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
@settings(max_examples=120, deadline=None)
def test_scores_in_portions_equal_a_dense_computation(n, heads, causal, room, seed, data):
    random = np.random.default_rng(seed)
    ids = data.draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n))
    padding = data.draw(st.sets(st.integers(0, n - 1), max_size=2))
    undefined = data.draw(st.sets(st.integers(0, n - 1), max_size=2))
    matrices = random.dirichlet(np.full(n, 0.3), size=(heads, n))
    if causal:
        matrices = np.tril(matrices + 1e-3)
        matrices /= matrices.sum(-1, keepdims=True)
    matrices = matrices.astype(np.float32).astype(np.float64)
    matrices[:, sorted(undefined)] = np.nan
    # Hidden keys are not read: the results must be the same.
    record = made_of(matrices, ids, padding, terms=(Causal(),) if causal else ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formula, "CHUNK_BYTES", room)
        found = scored(record)
    for head in range(heads):
        for name, expected in dense(matrices[head], ids, padding).items():
            np.testing.assert_allclose(
                getattr(found, name)[head], expected, rtol=1e-5, atol=1e-5, err_msg=name
            )


@pytest.mark.parametrize(
    ("terms", "keys"),
    [
        ((), 9),
        ((Causal(), Scale(2.0)), 4),
        ((Causal(-6),), 1),
        ((Causal(-1), Causal(1)), 3),
        ((Causal(), Fill(torch.zeros(1, 1, 1, 9, dtype=torch.bool), -1.0)), 9),
        ((Causal(), Floor(-1.0)), 9),
    ],
)
def test_queries_reach_as_many_keys_as_their_terms_allow(terms, keys):
    zeros = torch.zeros(1, 1, 9, 9)
    record = AttentionRecord(
        "attention", "attention", "decoder", 0, "interface", weights=zeros, terms=terms
    )
    assert formula.reachable_keys(record, slice(2, 4)) == keys


# --- real calls -----------------------------------------------------------------------------


def test_a_batch_is_scored_item_by_item():
    family = gpt2()
    _, outcomes = record(family.model(), family.inputs)
    recording = trace(outcomes[0])
    site = recording.sites[1]
    for item, padding in enumerate(({0, 1, 2}, set())):
        ids = family.inputs["input_ids"][item].tolist()
        found = scores(recording, site, item)
        for head in range(site.heads):
            matrix = recording.head(1, head, item).astype(np.float64)
            for name, expected in dense(matrix, ids, padding).items():
                near(getattr(found, name)[head], expected, atol=1e-5, err_msg=name)
    with pytest.raises(NoSuchItemError, match="0 to 1"):
        scores(recording, site, 2)


def test_every_site_of_an_encoder_decoder_is_scored():
    family = t5()
    _, outcomes = record(family.model(), family.inputs)
    recording = trace(outcomes[0])
    for site in recording.sites:
        found = scores(recording, site)
        assert found.entropy.shape == (4,)
        assert found.importance.shape == (4, site.keys)
        assert np.isnan(found.self_token).all() == (site.kind == "cross")


def test_scoring_stops_when_it_is_cancelled(monkeypatch):
    monkeypatch.setattr(formula, "CHUNK_BYTES", 16)
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) > 2

    record = a4()
    with pytest.raises(CancelledError):
        scores(record, record.sites[0], 0, cancelled)
    assert len(asked) == 3
