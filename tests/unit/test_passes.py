"""Passes over edited texts: the newest text wins, and none is made beside the user's cell."""

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
from stage import Actor, Stage

from attnlab.live.passes import Passes

THREADS = "attnlab.live.passes.threading"
KEYS = ("c0", "c1")
SECOND = 1000


class Text:
    """A pass over one text, which notes what becomes of it."""

    def __init__(self, key: str = "c0", layers: int = 1) -> None:
        self.key = key
        self.layers = layers
        self.begun = 0
        self.ends: list[str] = []

    def run(self, stop: Callable[[], bool]) -> bool:
        self.begun += 1
        for _ in range(self.layers):
            if stop():
                return True
            self.compute()
        self.ends.append("done")
        return False

    def compute(self) -> None:
        """Pass through one layer."""

    def lose(self) -> None:
        self.ends.append("lost")


class Held(Text):
    """A pass whose layers wait until the test lets them go on."""

    def __init__(self, stage: Stage, key: str = "c0", layers: int = 3) -> None:
        super().__init__(key, layers)
        self.stage = stage
        self.allowed = 0

    def compute(self) -> None:
        self.stage.give_way(lambda: self.allowed > 0)
        self.allowed -= 1


@pytest.fixture
def stage() -> Iterator[Stage]:
    own = Stage()
    with own.instead_of(THREADS):
        yield own


# --- in words -------------------------------------------------------------------------


def test_a_newer_text_stops_the_pass_over_the_older_within_a_layer(stage: Stage) -> None:
    passes, old, new = Passes(), Held(stage), Text()
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
    passes, running, waiting, newest = Passes(), Held(stage, "c1", 1), Text(), Text()
    passes.submit(running)
    stage.rest()
    passes.submit(waiting)
    passes.submit(newest)
    assert waiting.ends == ["lost"]
    running.allowed = 1
    stage.rest()
    assert (running.ends, newest.ends, waiting.begun) == (["done"], ["done"], 0)


def test_the_document_that_was_typed_in_last_comes_first_and_none_is_forgotten(
    stage: Stage,
) -> None:
    passes, order = Passes(), []

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


def test_a_cell_of_the_user_waits_for_the_pass_and_the_pass_is_made_anew_after_it(
    stage: Stage,
) -> None:
    passes, own, other = Passes(), Held(stage), Text("c1")
    passes.submit(own)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    assert not cell.ended  # The pass is still in its layer.
    own.allowed = 1
    stage.rest()
    assert cell.ended
    passes.submit(other)
    stage.rest()
    assert (own.begun, own.ends, other.begun) == (1, [], 0)
    assert passes.busy
    passes.resume()
    own.allowed = own.layers
    stage.rest()
    assert (own.begun, own.ends, other.ends) == (2, ["done"], ["done"])


def test_a_pass_that_fails_is_not_made_anew_because_an_earlier_one_was(stage: Stage) -> None:
    class Faulty(Held):
        def compute(self) -> None:
            super().compute()
            raise RuntimeError("a fault of the job")

    passes, first, faulty = Passes(), Held(stage), Faulty(stage)
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
    passes, own = Passes(), Text()
    passes.pause()
    passes.pause()
    passes.submit(own)
    passes.resume()
    stage.rest()
    assert own.begun == 0
    passes.resume()
    stage.rest()
    assert own.ends == ["done"]


def test_an_interrupt_while_a_cell_waits_leaves_no_pass_waiting_for_ever(stage: Stage) -> None:
    passes, own = Passes(), Held(stage)
    passes.submit(own)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    cell.step(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stage.rest()
    own.allowed = 1
    stage.rest()
    assert (own.begun, own.ends) == (1, [])  # The cell has begun; it is paused all the same.
    passes.resume()
    own.allowed = own.layers
    stage.rest()
    assert (own.begun, own.ends) == (2, ["done"])


def test_a_pause_that_was_interrupted_before_it_began_may_be_taken_back(stage: Stage) -> None:
    passes, own = Passes(), Text()
    passes.resume()
    passes.submit(own)
    stage.rest()
    assert own.ends == ["done"]
    passes.pause()
    passes.submit(late := Text())
    stage.rest()
    assert late.begun == 0


def test_a_pass_that_its_client_gives_up_is_lost_wherever_it_is(stage: Stage) -> None:
    passes, running, waiting, done = Passes(), Held(stage), Text("c1"), Text("c2")
    passes.submit(done)
    stage.rest()
    passes.submit(running)
    stage.rest()
    passes.submit(waiting)
    for own in (done, waiting, running):
        passes.withdraw(own)
    assert waiting.ends == ["lost"]
    running.allowed = 1
    stage.rest()
    assert (done.ends, waiting.begun, running.ends) == (["done"], 0, ["lost"])


def test_a_pass_that_is_given_up_while_a_cell_runs_is_not_made_after_it(stage: Stage) -> None:
    passes, own = Passes(), Held(stage)
    passes.submit(own)
    stage.rest()
    cell = stage.enter(passes.pause)
    stage.rest()
    own.allowed = 1
    stage.rest()
    assert cell.ended
    passes.withdraw(own)
    passes.resume()
    stage.rest()
    assert (own.begun, own.ends) == (1, ["lost"])


@pytest.mark.parametrize("fault", ["run", "lose"])
def test_whatever_a_job_raises_is_logged_and_the_next_is_done(
    stage: Stage, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    class Faulty(Held):
        def compute(self) -> None:
            super().compute()
            if fault == "run":
                raise RuntimeError("a fault of the job")

        def lose(self) -> None:
            super().lose()
            if fault == "lose":
                raise RuntimeError("a fault of the job")

    passes, faulty, after = Passes(), Faulty(stage), Text("c1")
    passes.submit(faulty)
    passes.submit(after)
    stage.rest()
    passes.withdraw(faulty)
    faulty.allowed = 1
    stage.rest()
    assert faulty.ends == ["lost"]
    assert after.ends == ["done"]
    assert "a fault of the job" in caplog.text


def test_nothing_is_left_after_close(stage: Stage) -> None:
    passes, running, waiting, late = Passes(), Held(stage), Text("c1"), Text("c2")
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
    assert [actor.ended for actor in stage.actors] == [True]


@pytest.mark.parametrize("layers", [30, 1], ids=["stopped in a layer", "never stopped"])
def test_of_200_edits_at_20_a_second_the_last_is_the_next_picture_after_the_running_pass(
    stage: Stage, layers: int
) -> None:
    now, passes = 0, Passes()
    running: list[Edit] = []
    pictures: list[tuple[int, int, int]] = []
    layer, between, edits, whole = 300 // layers, 50, 200, 300

    class Edit(Text):
        def run(self, stop: Callable[[], bool]) -> bool:
            newest = len(texts) - 1
            running.append(self)
            stopped = super().run(stop)
            running.remove(self)
            if not stopped:
                pictures.append((now, texts.index(self), newest))
            return stopped

        def compute(self) -> None:
            end = now + layer
            stage.give_way(lambda: now >= end)

    texts: list[Edit] = []
    last = (edits - 1) * between
    for now in range(0, last + SECOND, 10):  # the clock that passes look at
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


def test_a_pass_is_made_on_a_thread_of_its_own_which_starts_with_the_first() -> None:
    passes, made = Passes(), threading.Event()
    before = set(threading.enumerate())

    class Threaded(Text):
        def compute(self) -> None:
            self.thread = threading.current_thread()
            made.set()

    own = Threaded()
    passes.pause()
    passes.resume()
    assert set(threading.enumerate()) <= before
    passes.submit(own)
    assert made.wait(20)
    assert own.thread not in before
    assert own.thread.daemon  # It holds up no kernel that exits.
    passes.close()
    own.thread.join(20)
    assert not own.thread.is_alive()


# --- in any order ---------------------------------------------------------------------


class Ordered(Held):
    """A pass over the text with this number, which looks whether it is made rightly."""

    def __init__(self, machine: Orders, key: str, layers: int, faulty: bool) -> None:
        super().__init__(machine.stage, key, layers)
        self.machine = machine
        self.number = len(machine.texts)
        self.faulty = faulty
        self.failed = False
        self.leaving = self.left = False
        """Whether its client is giving it up, and whether it has."""

    @property
    def outdated(self) -> bool:
        """Whether the scheduler has been told that nobody wants it any more."""
        newest = self.machine.accepted.get(self.key, -1)
        return self.number < newest or self.left or self.machine.closed

    def run(self, stop: Callable[[], bool]) -> bool:
        machine, outdated = self.machine, self.outdated
        machine.check(machine.running is None, "two passes at once")
        machine.check(not machine.cells, "a pass beside a cell")
        machine.check(not self.ends, "a pass that has ended was made again")
        machine.running = self

        def polled() -> bool:
            machine.check(not machine.cells, "a pass beside a cell")
            unwanted = self.outdated or machine.due
            machine.check(stop() or not unwanted, "an unwanted pass goes on")
            return stop()

        try:
            stopped = super().run(polled)
            machine.check(stopped or not outdated, "an outdated text became a picture")
            return stopped
        finally:
            machine.running = None

    def compute(self) -> None:
        super().compute()
        if self.faulty:
            self.failed = True
            raise RuntimeError("a fault of the job")

    def lose(self) -> None:
        machine = self.machine
        newest = max(own.number for own in machine.texts if own.key == self.key)
        wanted = self.number == newest and not (self.leaving or machine.closing or self.failed)
        machine.check(not wanted, "a wanted text was lost")
        super().lose()


TURNS = st.integers(0, 3**30)
"""Which of three threads goes on, and which then: the number's digits to the base of three."""


class Orders(RuleBasedStateMachine):
    """Two threads of the kernel and the passes' own, switched wherever real ones may be."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable()  # Jobs fail on purpose.
        self.stage = Stage()
        self.exits = ExitStack()
        self.exits.callback(logging.disable, logging.NOTSET)
        self.exits.enter_context(self.stage.instead_of(THREADS))
        self.passes = Passes()
        self.wrong: list[str] = []
        self.texts: list[Ordered] = []
        self.accepted: dict[str, int] = {}
        self.running: Ordered | None = None
        self.cells = self.due = 0
        """Pauses that hold, and those that are to be taken back, also interrupted ones."""
        self.closing = self.closed = False
        self.handlers: deque[Callable[[], None]] = deque()
        self.kernel: deque[Callable[[], None]] = deque()
        self.actors = [self.enter(orders) for orders in (self.handlers, self.kernel)]

    def enter(self, orders: deque[Callable[[], None]]) -> Actor:
        """Begin a thread that does what it is told, one thing after the other."""

        def act() -> None:
            while True:
                self.stage.give_way(lambda: bool(orders))
                orders[0]()
                orders.popleft()

        return self.stage.enter(act)

    def check(self, holds: object, what: str) -> None:
        """Note what must not be; an exception would be caught by the scheduler."""
        if not holds:
            self.wrong.append(what)

    # --- what is done on the threads of the kernel

    def submit(self, text: Ordered) -> None:
        self.passes.submit(text)
        self.accepted[text.key] = text.number

    def withdraw(self, text: Ordered) -> None:
        text.leaving = True
        self.passes.withdraw(text)
        text.left = True

    def begin_a_cell(self) -> None:
        try:
            self.passes.pause()
            self.check(self.running is None, "a pass beside a cell")
            self.cells += 1
        except KeyboardInterrupt:
            pass  # The cell begins nevertheless, and will end.
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

    # --- what may happen

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
        allowed=st.sampled_from([99, 1, 0]),
        turns=TURNS,
    )
    def a_text_is_typed(
        self, key: str, layers: int, faulty: bool, allowed: int, turns: int
    ) -> None:
        text = Ordered(self, key, layers, faulty)
        text.allowed = allowed
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

    @precondition(lambda self: self.running)
    @rule(layers=st.integers(1, 3), turns=TURNS)
    def the_model_computes(self, layers: int, turns: int) -> None:
        assert self.running is not None
        self.running.allowed += layers
        self.threads_go_on(turns)

    @rule()
    def all_come_to_rest(self) -> None:
        self.stage.rest()
        open_ = [text for text in self.texts if not text.ends and text is not self.running]
        if not self.handlers:
            most = max(Counter(text.key for text in open_).values(), default=0)
            assert most <= 1  # One waits, of each document.
        if not (self.handlers or self.kernel):
            assert not (self.cells and self.running)
            # None waits without a reason.
            assert self.running or self.due or not open_
            assert self.passes.busy == bool(self.running or open_)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.wrong
        assert all(len(text.ends) <= 1 for text in self.texts)

    def finish(self) -> None:
        """Let cells and passes come to their ends."""
        while True:
            self.stage.rest()
            if self.running:
                self.running.allowed += 1
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
                own = [text for text in self.texts if text.key == key]
                if own and not (self.closed or own[-1].leaving or own[-1].failed):
                    assert own[-1].ends == ["done"]
            self.kernel.append(self.close)
            self.stage.rest()
            self.a_text_is_typed("c0", 1, faulty=False, allowed=0, turns=0)
            self.finish()
            assert self.texts[-1].ends == ["lost"]
            assert all(actor.ended for actor in self.stage.actors[2:])


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
