"""Passes over edited texts: the newest text wins, and no pass runs while a cell runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from attnlab.live.passes.scheduler import PassScheduler
from tests.unit.passes import Held, Text, scheduler
from tests.unit.passes import stage as stage
from tests.unit.stage import Stage

SECOND = 1000


def test_a_newer_text_stops_the_pass_over_the_older_within_a_layer(stage: Stage) -> None:
    passes, old, new = scheduler(stage), Held(stage), Text()
    passes.submit(old)
    stage.rest()
    passes.submit(new)
    stage.rest()
    assert (old.ends, new.ends) == ([], [])  # The layer at hand is not torn up.
    old.allowed = 1
    stage.rest()
    assert (old.ends, new.ends) == (["lost"], ["done"])
    assert not passes.busy


def test_a_newer_text_takes_the_place_of_the_one_that_waits(stage: Stage) -> None:
    passes, running, waiting, newest = scheduler(stage), Held(stage, "c1", 1), Text(), Text()
    passes.submit(running)
    stage.rest()
    passes.submit(waiting)
    passes.submit(newest)
    assert waiting.ends == ["lost"]
    running.allowed = 1
    stage.rest()
    assert (running.ends, newest.ends, waiting.begun) == (["done"], ["done"], 0)


def test_the_document_edited_last_comes_first_and_none_is_skipped(
    stage: Stage,
) -> None:
    passes, order = scheduler(stage), []

    class Noted(Text):
        def compute(self) -> None:
            order.append(self.key)

    running = Held(stage, "c0", 1)
    passes.submit(running)
    stage.rest()
    for key in ("c1", "c2", "c3", "c1"):
        passes.submit(Noted(key))
    running.allowed = 1
    stage.rest()
    assert order == ["c1", "c3", "c2"]


def test_a_cell_waits_for_a_running_pass_and_the_pass_is_repeated_after_it(
    stage: Stage,
) -> None:
    passes, job, other = scheduler(stage), Held(stage), Text("c1")
    passes.submit(job)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    assert not cell.ended  # The pass is still in its layer.
    job.allowed = 1
    stage.rest()
    assert cell.ended
    passes.submit(other)
    stage.rest()
    assert (job.begun, job.ends, other.begun) == (1, [], 0)
    assert passes.busy
    passes.resume()
    job.allowed = job.layers
    stage.rest()
    assert (job.begun, job.ends, other.ends) == (2, ["done"], ["done"])


def test_a_failed_pass_is_not_repeated_because_an_earlier_one_was(stage: Stage) -> None:
    class Faulty(Held):
        def compute(self) -> None:
            super().compute()
            raise RuntimeError("a fault of the job")

    passes, first, faulty = scheduler(stage), Held(stage), Faulty(stage)
    passes.submit(first)
    stage.rest()
    stage.enter(passes.pause)
    stage.rest()
    first.allowed = 1
    stage.rest()
    passes.resume()
    first.allowed = first.layers
    stage.rest()
    assert (first.begun, first.ends) == (2, ["done"])
    passes.submit(faulty)
    faulty.allowed = 2
    stage.rest()
    assert (faulty.begun, faulty.ends) == (1, ["lost"])


def test_a_cell_within_a_cell_does_not_let_passes_go_on(stage: Stage) -> None:
    passes, job = scheduler(stage), Text()
    passes.pause()
    passes.pause()
    passes.submit(job)
    passes.resume()
    stage.rest()
    assert job.begun == 0
    passes.resume()
    stage.rest()
    assert job.ends == ["done"]


def test_an_interrupt_while_a_cell_waits_leaves_no_pass_waiting_forever(stage: Stage) -> None:
    passes, job = scheduler(stage), Held(stage)
    passes.submit(job)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    cell.step(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stage.rest()
    job.allowed = 1
    stage.rest()
    assert (job.begun, job.ends) == (1, [])  # The cell has begun; it is paused all the same.
    passes.resume()
    job.allowed = job.layers
    stage.rest()
    assert (job.begun, job.ends) == (2, ["done"])


def test_a_pause_that_was_interrupted_before_it_began_can_be_undone(stage: Stage) -> None:
    passes, job = scheduler(stage), Text()
    passes.resume()
    passes.submit(job)
    stage.rest()
    assert job.ends == ["done"]
    passes.pause()
    passes.submit(late := Text())
    stage.rest()
    assert late.begun == 0


def test_a_pass_that_its_client_cancels_is_dropped_at_any_stage(stage: Stage) -> None:
    passes, running, waiting, done = scheduler(stage), Held(stage), Text("c1"), Text("c2")
    passes.submit(done)
    stage.rest()
    passes.submit(running)
    stage.rest()
    passes.submit(waiting)
    for entry in (done, waiting, running):
        passes.withdraw(entry)
    assert waiting.ends == ["lost"]
    running.allowed = 1
    stage.rest()
    assert (done.ends, waiting.begun, running.ends) == (["done"], 0, ["lost"])


def test_a_pass_that_was_abandoned_during_a_cell_does_not_run_after_it(stage: Stage) -> None:
    passes, job = scheduler(stage), Held(stage)
    passes.submit(job)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    job.allowed = 1
    stage.rest()
    assert cell.ended
    passes.withdraw(job)
    passes.resume()
    stage.rest()
    assert (job.begun, job.ends) == (1, ["lost"])


@pytest.mark.parametrize("fault", ["run", "discard"])
def test_whatever_a_job_raises_is_logged_and_the_next_is_done(
    stage: Stage, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    class Faulty(Held):
        def compute(self) -> None:
            super().compute()
            if fault == "run":
                raise RuntimeError("a fault of the job")

        def discard(self) -> None:
            super().discard()
            if fault == "discard":
                raise RuntimeError("a fault of the job")

    passes, faulty, after = scheduler(stage), Faulty(stage), Text("c1")
    passes.submit(faulty)
    passes.submit(after)
    stage.rest()
    passes.withdraw(faulty)
    faulty.allowed = 1
    stage.rest()
    assert faulty.ends == ["lost"]
    assert after.ends == ["done"]
    assert "a fault of the job" in caplog.text


def test_closing_leaves_nothing(stage: Stage) -> None:
    passes, running, waiting, late = scheduler(stage), Held(stage), Text("c1"), Text("c2")
    passes.submit(running)
    stage.rest()
    passes.submit(waiting)
    passes.close()
    assert waiting.ends == ["lost"]
    running.allowed = 1
    stage.rest()
    passes.submit(late)
    assert (running.ends, late.ends) == (["lost"], ["lost"])
    assert not passes.busy
    assert all(actor.ended for actor in stage.actors)


@pytest.mark.parametrize("layers", [30, 1], ids=["stopped in a layer", "never stopped"])
def test_after_200_fast_edits_the_last_one_is_shown_after_the_running_pass(
    stage: Stage, layers: int
) -> None:
    now, passes = 0, scheduler(stage)
    running: list[Edit] = []
    pictures: list[tuple[int, int, int]] = []
    layer, between, edits, whole = 300 // layers, 50, 200, 300

    class Edit(Text):
        def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
            newest = len(texts) - 1
            running.append(self)
            done = super().run(stop)
            running.remove(self)
            if done:
                pictures.append((now, texts.index(self), newest))
            return done

        def compute(self) -> None:
            end = now + layer
            stage.give_way(lambda: now >= end)

    texts: list[Edit] = []
    last = (edits - 1) * between
    for now in range(0, last + SECOND, 10):  # the clock that passes look at
        stage.now = now / SECOND
        if now % between == 0 and len(texts) < edits:
            texts.append(Edit(layers=layers))
            passes.submit(texts[-1])
        stage.rest()
        assert len(running) <= 1
        assert sum(not text.ends for text in texts) - len(running) <= 1  # At most one waits.
    assert all(number == newest for _, number, newest in pictures)  # When its pass began.
    after = [number for time, number, _ in pictures if time > last]
    assert after[-1] == edits - 1
    assert len(after) <= 2  # The running pass, if it could not be stopped, and then the last.
    assert pictures[-1][0] <= last + layer + whole
    assert [len(text.ends) for text in texts] == [1] * edits
    assert not passes.busy


def test_passes_run_on_a_separate_thread_that_starts_with_the_first() -> None:
    passes, made = PassScheduler(), threading.Event()
    before = set(threading.enumerate())

    class Threaded(Text):
        def compute(self) -> None:
            self.thread = threading.current_thread()
            made.set()

    threads = Threaded()
    passes.pause()
    passes.resume()
    assert set(threading.enumerate()) <= before
    passes.submit(threads)
    assert made.wait(20)
    assert threads.thread not in before
    assert threads.thread.daemon  # It holds up no kernel that exits.
    passes.close()
    threads.thread.join(20)
    assert not threads.thread.is_alive()
