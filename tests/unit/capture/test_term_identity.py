"""Terms count as one only if they do the same: layers then share what is derived from them."""

from __future__ import annotations

import pytest
import torch

from attnlab.capture.record.terms import Bias, Causal, Fill, Mask, Scale, Term, identity_of

ONE, OTHER = torch.ones(1, 1, 2, 2).bool(), torch.ones(1, 1, 2, 2).bool()
FACTOR = torch.full((1, 1, 2, 1), 0.5)
DIFFERENT: dict[str, tuple[Term, Term]] = {
    "numbers": (Scale(0.5), Scale(0.25)),
    "tensors": (Mask(ONE), Mask(OTHER)),
    "kinds": (Mask(ONE), Bias(ONE)),
    "a number beside the same tensor": (Fill(ONE, -1.0), Fill(ONE, -2.0)),
    "a tensor beside the same number": (Fill(ONE, -1.0), Fill(OTHER, -1.0)),
}
SAME: dict[str, tuple[Term, Term]] = {
    "numbers": (Causal(3), Causal(3)),
    "a tensor": (Fill(ONE, -1.0), Fill(ONE, -1.0)),
    "a tensor that scales": (Scale(FACTOR), Scale(FACTOR)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_terms_differ_by(name: str) -> None:
    one, other = DIFFERENT[name]
    assert identity_of(one) != identity_of(other)


@pytest.mark.parametrize("name", SAME)
def test_terms_are_one_if_they_share(name: str) -> None:
    one, other = SAME[name]
    assert identity_of(one) == identity_of(other)
