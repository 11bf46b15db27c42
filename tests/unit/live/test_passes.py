"""Passes over edited texts: the newest text wins, and no pass runs while a cell runs."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attnlab.live.passes.running import Abandoned
from attnlab.live.passes.scheduler import BEHIND, MOST_ABANDONED, SLOW, PassScheduler
from tests.unit.stage import Actor, Stage

STOOD_FOR = ("attnlab.live.passes.scheduler.threading", "attnlab.live.passes.running.throw")
KEYS = ("c0", "c1")
SECOND = 1000
MARGIN, MOST = 0.1, 1.0
"""Seconds that a cell waits for a pass, beyond a layer and in total; see docs/live.md."""


def scheduler(stage: Stage) -> PassScheduler:
    """Create a scheduler with the stage's clock."""
    return PassScheduler(lambda: stage.now)


class Text:
    """A pass over one text, which records its end."""

    def __init__(self, key: str = "c0", layers: int = 1) -> None:
        self.key = key
        self.layers = layers
        self.begun = 0
        self.why = ""
        self.ends: list[str] = []

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        self.begun += 1
        for _ in range(self.layers):
            if stop():
                return None
            self.compute()
        return self.done

    def done(self) -> None:
        self.ends.append("done")

    def compute(self) -> None:
        """Run one layer."""

    def discard(self) -> None:
        self.ends.append("lost")

    def abandon(self, why: str) -> None:
        self.ends.append("given up")
        self.why = why


class Held(Text):
    """A pass whose layers wait until the test releases them."""

    def __init__(self, stage: Stage, key: str = "c0", layers: int = 3) -> None:
        super().__init__(key, layers)
        self.stage = stage
        self.allowed = 0
        self.stubborn = True
        """Whether it catches the exception that is raised in its thread to end it."""

    def compute(self) -> None:
        while self.allowed <= 0:
            try:
                self.stage.give_way(lambda: self.allowed > 0)
            except Abandoned:
                if not self.stubborn:
                    raise
        self.allowed -= 1


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with stage.instead_of(*STOOD_FOR):
        yield stage


# --- in words -------------------------------------------------------------------------


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


# --- passes that do not end -----------------------------------------------------------


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


# --- in any order ---------------------------------------------------------------------


class Ordered(Held):
    """A pass over the text with a number, which checks the conditions under which it runs."""

    def __init__(self, machine: Orders, key: str, layers: int, faulty: bool) -> None:
        super().__init__(machine.stage, key, layers)
        self.machine = machine
        self.number = len(machine.texts)
        self.faulty = faulty
        self.failed = False
        self.leaving = self.left = False
        """Whether its client is withdrawing it, and whether this has completed."""
        self.went_on = 0.0
        """When it was last polled."""

    @property
    def outdated(self) -> bool:
        """Whether it was withdrawn or replaced."""
        newest = self.machine.accepted.get(self.key, -1)
        return self.number < newest or self.left or self.machine.closed

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        machine, outdated = self.machine, self.outdated
        machine.check(machine.running is None, "two passes at once")
        machine.check(not machine.cells, "a pass beside a cell")
        machine.check(not self.ends, "a pass that has ended was made again")
        machine.check(len(machine.stuck) < MOST_ABANDONED, "a pass beside too many that are stuck")
        machine.inside.append(self)
        self.went_on = machine.stage.now

        def polled() -> bool:
            stopped = stop()
            alone = self not in machine.abandoned
            machine.check(not (alone and machine.cells), "a pass beside a cell")
            unwanted = self.outdated or machine.due
            machine.check(stopped or not unwanted, "an unwanted pass goes on")
            machine.check(stopped or alone, "a pass that was given up goes on")
            if not stopped:
                self.went_on = machine.stage.now
            return stopped

        try:
            done = super().run(polled)
            machine.check(not (done and outdated), "an outdated text became a picture")
            return done
        finally:
            machine.inside.remove(self)

    def done(self) -> None:
        self.machine.check(self not in self.machine.abandoned, "a dropped result was shown")
        super().done()

    def compute(self) -> None:
        super().compute()
        if self.faulty:
            self.failed = True
            raise RuntimeError("a fault of the job")

    def discard(self) -> None:
        machine = self.machine
        newest = max(text.number for text in machine.texts if text.key == self.key)
        wanted = self.number == newest and not (self.leaving or machine.closing or self.failed)
        machine.check(not wanted, "a wanted text was lost")
        super().discard()

    def abandon(self, why: str) -> None:
        machine = self.machine
        if why == BEHIND:
            machine.check(self not in machine.inside, "it runs, and is said not to begin")
        else:
            patient = machine.stage.now - self.went_on >= MARGIN * 0.99
            machine.check(patient or not self.begun, "given up before it was stuck")
        machine.abandoned.add(self)
        super().abandon(why)


TURNS = st.integers(0, 3**30)
"""The order in which three threads run: the digits of the number in base 3."""


class Orders(RuleBasedStateMachine):
    """Two threads of the kernel and those of the passes, switched at all possible points."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable()  # Jobs fail on purpose.
        self.stage = Stage()
        self.exits = ExitStack()
        self.exits.callback(logging.disable, logging.NOTSET)
        self.exits.enter_context(self.stage.instead_of(*STOOD_FOR))
        self.passes = scheduler(self.stage)
        self.wrong: list[str] = []
        self.texts: list[Ordered] = []
        self.accepted: dict[str, int] = {}
        self.inside: list[Ordered] = []
        """Passes that are running a model."""
        self.abandoned: set[Ordered] = set()
        """Passes that cells or other texts did not wait for."""
        self.pausing: float | None = None
        """Time since which a cell waits."""
        self.cells = self.due = 0
        """Active pauses, and pauses that must be undone, including interrupted ones."""
        self.closing = self.closed = False
        self.handlers: deque[Callable[[], None]] = deque()
        self.kernel: deque[Callable[[], None]] = deque()
        self.actors = [self.enter(orders) for orders in (self.handlers, self.kernel)]

    def enter(self, orders: deque[Callable[[], None]]) -> Actor:
        """Start a thread that runs the given actions one after the other."""

        def act() -> None:
            while True:
                self.stage.give_way(lambda: bool(orders))
                orders[0]()
                orders.popleft()

        return self.stage.enter(act)

    @property
    def running(self) -> Ordered | None:
        """The running pass, without abandoned ones."""
        return next((entry for entry in self.inside if entry not in self.abandoned), None)

    @property
    def stuck(self) -> list[Ordered]:
        """Abandoned passes that still run."""
        return [entry for entry in self.inside if entry in self.abandoned]

    def check(self, holds: object, what: str) -> None:
        """Record a violation: an exception would be caught by the scheduler."""
        if not holds:
            self.wrong.append(what)

    # --- actions on the threads of the kernel

    def submit(self, text: Ordered) -> None:
        self.passes.submit(text)
        self.accepted[text.key] = text.number

    def withdraw(self, text: Ordered) -> None:
        text.leaving = True
        self.passes.withdraw(text)
        text.left = True

    def begin_a_cell(self) -> None:
        self.pausing = self.stage.now
        try:
            self.passes.pause()
            if self.running is not None:
                self.abandoned.add(self.running)  # It is reported on another thread.
            self.cells += 1
        except KeyboardInterrupt:
            pass  # The cell begins nevertheless, and will end.
        self.pausing = None
        self.due += 1

    def end_a_cell(self) -> None:
        if self.due:
            self.due -= 1
            self.cells = min(self.cells, self.due)
            self.passes.resume()

    def close(self) -> None:
        self.closing = True
        self.passes.close()
        self.closed = True

    # --- events

    @rule(turns=TURNS)
    def threads_go_on(self, turns: int) -> None:
        while turns:
            turns, turn = divmod(turns, 3)
            if ready := self.stage.ready:
                ready[turn % len(ready)].step()

    @rule(
        key=st.sampled_from(KEYS),
        layers=st.integers(1, 8),
        faulty=st.sampled_from([False, False, True]),
        stubborn=st.booleans(),
        allowed=st.sampled_from([99, 1, 0]),
        turns=TURNS,
    )
    def a_text_is_typed(
        self, key: str, layers: int, faulty: bool, stubborn: bool, allowed: int, turns: int
    ) -> None:
        text = Ordered(self, key, layers, faulty)
        text.allowed, text.stubborn = allowed, stubborn
        self.texts.append(text)
        self.handlers.append(lambda: self.submit(text))
        self.threads_go_on(turns)

    @precondition(lambda self: self.texts)
    @rule(back=st.integers(0, 3), turns=TURNS)
    def a_client_gives_up(self, back: int, turns: int) -> None:
        text = self.texts[-1 - back % len(self.texts)]
        self.handlers.append(lambda: self.withdraw(text))
        self.threads_go_on(turns)

    @precondition(lambda self: self.due + len(self.kernel) < 2)
    @rule(nested=st.booleans(), turns=TURNS)
    def a_cell_begins(self, nested: bool, turns: int) -> None:
        if nested or not self.due:
            self.kernel.append(self.begin_a_cell)
        self.threads_go_on(turns)

    @precondition(lambda self: self.due or self.kernel)
    @rule(turns=TURNS)
    def a_cell_ends(self, turns: int) -> None:
        self.kernel.append(self.end_a_cell)
        self.threads_go_on(turns)

    @precondition(lambda self: self.kernel and not self.actors[1].ready)
    @rule()
    def the_user_interrupts(self) -> None:
        self.actors[1].step(KeyboardInterrupt())

    @precondition(lambda self: not self.closing and len(self.texts) > 6)
    @rule(turns=TURNS)
    def the_kernel_closes(self, turns: int) -> None:
        self.kernel.append(self.close)
        self.threads_go_on(turns)

    @precondition(lambda self: self.inside)
    @rule(back=st.integers(0, 3), layers=st.integers(1, 3), turns=TURNS)
    def a_model_computes(self, back: int, layers: int, turns: int) -> None:
        self.inside[-1 - back % len(self.inside)].allowed += layers
        self.threads_go_on(turns)

    @rule(seconds=st.sampled_from([0.01, MARGIN, 0.3, MOST]), turns=TURNS)
    def time_passes(self, seconds: float, turns: int) -> None:
        self.stage.now += seconds
        self.threads_go_on(turns)

    @rule()
    def all_come_to_rest(self) -> None:
        self.stage.rest()
        assert all(entry.ends for entry in self.abandoned)
        open_ = [text for text in self.texts if not text.ends and text is not self.running]
        # Neither texts nor cells may wait longer than this.
        if self.running and open_ and not self.closed:
            assert self.stage.now < self.running.went_on + MOST
        if self.pausing is not None:
            assert self.stage.now < self.pausing + MOST
        # Two threads of the kernel, one for passes, one that watches it, and blocked ones.
        alive = sum(not actor.ended for actor in self.stage.actors)
        assert alive <= 4 + len(self.stuck) <= 4 + MOST_ABANDONED
        if not self.handlers:
            most = max(Counter(text.key for text in open_).values(), default=0)
            assert most <= 1  # One waits, of each document.
        if not (self.handlers or self.kernel):
            assert not (self.cells and self.running)
            # No job may wait without a reason.
            assert self.running or self.due or not open_
            assert self.passes.busy == bool(self.running or open_)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.wrong
        assert all(len(text.ends) <= 1 for text in self.texts)

    def finish(self) -> None:
        """Let all cells and passes end."""
        while True:
            self.stage.rest()
            if self.inside:
                self.inside[0].allowed += 1
            elif self.due:
                self.kernel.append(self.end_a_cell)
            else:
                break
        self.nothing_is_wrong()
        assert all(len(text.ends) == 1 for text in self.texts)
        assert not self.passes.busy

    def teardown(self) -> None:
        with self.exits:
            self.finish()
            for key in KEYS:
                found = [text for text in self.texts if text.key == key]
                if found and not (self.closed or found[-1].leaving or found[-1].failed):
                    assert found[-1].ends in (["done"], ["given up"])
            self.kernel.append(self.close)
            self.stage.rest()
            self.a_text_is_typed("c0", 1, faulty=False, stubborn=True, allowed=0, turns=0)
            self.finish()
            assert self.texts[-1].ends == ["lost"]
            assert all(actor.ended for actor in self.stage.actors[2:])


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
