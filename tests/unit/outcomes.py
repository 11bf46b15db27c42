"""The outcomes of model calls, narrowed to the kind that a test expects."""

from __future__ import annotations

from collections.abc import Iterable

from attnlab.capture.record.recorded_call import RecordedCall, Refusal

Outcome = RecordedCall | Refusal


def all_calls(told: Iterable[Outcome]) -> list[RecordedCall]:
    """Return the outcomes, which must all be recorded calls."""
    calls = []
    for outcome in told:
        assert isinstance(outcome, RecordedCall), outcome
        calls.append(outcome)
    return calls


def only_call(told: Iterable[Outcome]) -> RecordedCall:
    """Return the only outcome, which must be a recorded call."""
    (call,) = all_calls(told)
    return call


def only_refusal(told: Iterable[Outcome]) -> Refusal:
    """Return the only outcome, which must be a refusal."""
    (refusal,) = told
    assert isinstance(refusal, Refusal), refusal
    return refusal
