"""The rank of a token that came is one more than the number of tokens with greater logits."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from attnlab.capture.record.predictions import BestTokens, chosen


@given(
    st.lists(st.sampled_from([-float("inf"), -1.0, 0.0, 1e-7, 0.5, 30.0]), min_size=3, max_size=40),
    st.integers(0, 39),
    st.integers(1, 12),
)
def test_ranks_are_exact_for_ties_and_for_tokens_beyond_the_best(
    values: list[float], token: int, best: int
) -> None:
    logits = torch.tensor(values)[None, None]
    if not bool(logits.isfinite().any()):
        logits[..., 0] = 0.0
    token %= len(values)
    _, ranks = chosen(logits, BestTokens.of(logits, best), torch.tensor([[token]]))
    scores = logits[0, 0].tolist()
    assert ranks.item() == 1 + sum(score > scores[token] for score in scores)


def test_ranks_tell_logits_apart_that_have_the_same_probability_in_float32() -> None:
    logits = torch.tensor([[[100.0, 100.00001, 0.0]]])
    _, ranks = chosen(logits, BestTokens.of(logits), torch.tensor([[0]]))
    assert ranks.item() == 2
