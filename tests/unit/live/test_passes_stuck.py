"""Passes that do not end: what waits for them, and when they are given up."""

from __future__ import annotations

import pytest

from attnlab.live.passes.scheduler import BEHIND, MOST_ABANDONED, SLOW, PassScheduler
from tests.unit.passes import KEYS, MARGIN, MOST, Held, Text, scheduler
from tests.unit.passes import stage as stage
from tests.unit.stage import Stage


def begun(stage: Stage, passes: PassScheduler, text: Held) -> Held:
    """Start a pass over a text, and wait until it is in a layer."""
    passes.submit(text)
    stage.rest()
    assert text.begun
    return text


def measured(stage: Stage, passes: PassScheduler, seconds: float) -> None:
    """Run a pass of the first document with a layer of the given time."""
    job = begun(stage, passes, Held(stage, layers=2))
    stage.now += seconds
    job.allowed = 2
    stage.rest()
    assert job.ends == ["done"]


@pytest.mark.parametrize(
    ("layer", "bound"), [(0.0, MARGIN), (0.25, 0.25 + MARGIN), (5.0, MOST)], ids=str
)
def test_a_cell_waits_for_the_longest_layer_and_a_margin_at_most(
    stage: Stage, layer: float, bound: float
) -> None:
    passes = scheduler(stage)
    measured(stage, passes, layer)
    job = begun(stage, passes, Held(stage))
    stage.now += 60  # It may have been stuck for as long as you like.
    cell = stage.enter(passes.pause)
    stage.rest()
    stage.now += bound * 0.99
    stage.rest()
    assert not cell.ended
    stage.now += bound * 0.02
    stage.rest()
    assert cell.ended
    assert (job.ends, job.why) == (["given up"], SLOW)


def test_a_pass_that_hung_makes_no_later_cell_wait_longer(stage: Stage) -> None:
    passes = scheduler(stage)
    for _ in range(2):
        job = begun(stage, passes, Held(stage, layers=1))
        cell = stage.enter(passes.pause)
        stage.rest()
        stage.now += MARGIN * 1.01
        stage.rest()
        assert cell.ended
        assert job.ends == ["given up"]
        stage.now += 60
        job.allowed = 1
        passes.resume()
        stage.rest()


def test_the_result_of_an_abandoned_pass_is_dropped_and_it_is_not_repeated(
    stage: Stage,
) -> None:
    passes, other = scheduler(stage), Text("c1")
    job = begun(stage, passes, Held(stage, layers=1))
    cell = stage.enter(passes.pause)
    stage.rest()
    stage.now += MOST
    stage.rest()
    assert cell.ended
    passes.submit(other)
    stage.rest()
    assert other.begun == 0  # The cell runs.
    passes.resume()
    stage.rest()
    assert other.ends == ["done"]
    job.allowed = 1
    stage.rest()
    assert (job.begun, job.ends) == (1, ["given up"])
    assert not passes.busy


def test_a_slow_pass_that_stops_in_time_is_repeated(stage: Stage) -> None:
    passes = scheduler(stage)
    measured(stage, passes, 0.25)
    job = begun(stage, passes, Held(stage))
    cell = stage.enter(passes.pause)
    stage.rest()
    stage.now += 0.3
    job.allowed = 1
    stage.rest()
    assert cell.ended
    passes.resume()
    job.allowed = job.layers
    stage.rest()
    assert (job.begun, job.ends) == (2, ["done"])


@pytest.mark.parametrize("key", KEYS)
def test_a_stuck_pass_is_abandoned_when_another_text_waits(stage: Stage, key: str) -> None:
    passes, newer = scheduler(stage), Text(key)
    job = begun(stage, passes, Held(stage))
    stage.now += 60
    stage.rest()
    assert job.ends == []  # Nobody waits.
    passes.submit(newer)
    stage.rest()
    stage.now += MOST
    stage.rest()
    assert (job.ends, newer.ends) == (["given up"], ["done"])
    assert not passes.busy


def test_a_running_pass_is_not_abandoned_for_another_document(stage: Stage) -> None:
    passes, other = scheduler(stage), Text("c1")
    job = begun(stage, passes, Held(stage, layers=10))
    passes.submit(other)
    for _ in range(job.layers):
        stage.now += MOST * 0.9
        stage.rest()
        job.allowed = 1
        stage.rest()
    assert (job.ends, other.ends) == (["done"], ["done"])


def test_a_pass_that_can_be_stopped_leaves_no_thread(stage: Stage) -> None:
    passes = scheduler(stage)
    job = Held(stage)
    job.stubborn = False
    begun(stage, passes, job)
    stage.enter(passes.pause)
    stage.rest()
    stage.now += MOST
    stage.rest()
    assert job.ends == ["given up"]
    passes.close()
    stage.rest()
    assert all(actor.ended for actor in stage.actors)


def test_after_three_stuck_passes_none_begins_until_one_ends(stage: Stage) -> None:
    passes = scheduler(stage)
    stuck = [Held(stage, f"c{number}") for number in range(MOST_ABANDONED)]
    for entry in stuck[:-1]:
        begun(stage, passes, entry)
        passes.submit(Text(entry.key))
        stage.rest()
        stage.now += MOST
        stage.rest()
    begun(stage, passes, stuck[-1])
    waiting, late, after = Text("d"), Text("e"), Text("d")
    passes.submit(waiting)
    stage.rest()
    stage.now += MOST
    stage.rest()
    passes.submit(late)
    assert [entry.ends for entry in stuck] == [["given up"]] * MOST_ABANDONED
    for text in (waiting, late):
        assert (text.begun, text.ends, text.why) == (0, ["given up"], BEHIND)
    stuck[0].allowed = 1
    stage.rest()
    passes.submit(after)
    stage.rest()
    assert after.ends == ["done"]


def test_a_cell_waits_only_for_passes_that_were_running_when_it_began(stage: Stage) -> None:
    passes = scheduler(stage)
    job = begun(stage, passes, Held(stage))
    cells = [stage.enter(passes.pause), stage.enter(passes.pause)]
    stage.rest()
    passes.resume()
    passes.resume()  # Both are over, and the pass is made anew, before they look again.
    job.allowed = 1
    while job.begun < 2:
        next(actor for actor in stage.ready if actor not in cells).step()
    stage.rest()
    assert all(cell.ended for cell in cells)
