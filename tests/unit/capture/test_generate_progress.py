"""A running `generate` can be shown: what its steps have computed so far."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from attnlab.capture.generate import recording
from attnlab.capture.generate.generated_call import RECORDED
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome, only_call
from tests.unit.tiny_models import ids, llama, trace

MANY = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


class Screen:
    """Keeps the unfinished calls that it is shown."""

    def __init__(self, *, on: bool = True, fails: bool = False) -> None:
        self.on, self.fails = on, fails
        self.shown: list[RecordedCall] = []

    def wanted(self) -> bool:
        return self.on

    def show(self, call: RecordedCall) -> None:
        self.shown.append(call)
        if self.fails:
            raise ValueError("no screen")


def generated(screen: Screen, **how: object) -> tuple[torch.Tensor, RecordedCall]:
    outcomes: list[Outcome] = []
    model = llama().model()
    with torch.no_grad(), observing(outcomes.append, {}, progress=screen):
        result = model.generate(ids(2, 5), **MANY | how)
    return result, only_call(outcomes)


@pytest.fixture
def eager(monkeypatch):
    """Show every step, however fast they follow one another."""
    monkeypatch.setattr(recording, "INTERVAL", 0.0)
    monkeypatch.setattr(recording, "SHARE", 1e9)


@pytest.mark.usefixtures("eager")
def test_each_view_has_the_rows_of_the_finished_call():
    screen = Screen()
    _, call = generated(screen)
    final = trace(call)
    assert len(screen.shown) == 5
    for step, partial in enumerate(map(trace, screen.shown), start=1):
        assert partial.running
        count = len(partial.sequences[0])
        assert count == 5 + step
        for site in partial.sites:
            actual = partial.head(site.index, 1, 1)
            whole = final.head(site.index, 1, 1)[:count, :count]
            np.testing.assert_allclose(actual, whole, rtol=0, atol=1e-6)
    assert not final.running
    assert final.generated == 5


@pytest.mark.usefixtures("eager")
def test_a_view_has_the_notes_that_apply_to_it():
    screen = Screen()
    _, call = generated(screen)
    assert RECORDED in call.notes
    # Every token of a view has a row.
    notes = [note for note in call.notes if note != RECORDED]
    assert [partial.notes for partial in screen.shown] == [notes] * 5


@pytest.mark.usefixtures("eager")
def test_a_view_has_the_duration_of_its_steps():
    screen = Screen()
    _, call = generated(screen)
    durations = [0.0, *(partial.milliseconds for partial in screen.shown), call.milliseconds]
    assert all(before < after for before, after in pairwise(durations))


@pytest.mark.usefixtures("eager")
def test_nothing_is_computed_for_a_view_that_nobody_looks_at():
    screen = Screen(on=False)
    generated(screen)
    assert not screen.shown


@pytest.mark.usefixtures("eager")
def test_a_view_that_fails_does_not_affect_the_call():
    screen = Screen(fails=True)
    result, call = generated(screen)
    expected, _ = generated(Screen(on=False))
    assert torch.equal(result, expected)
    assert len(screen.shown) == 1
    assert len(call.sequences[0].items[0].tokens) == 11


def test_views_are_half_a_second_apart(monkeypatch):
    clock = iter(range(1_000_000))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock) / 100)
    screen = Screen()
    generated(screen, max_new_tokens=40)
    assert 0 < len(screen.shown) < 39
