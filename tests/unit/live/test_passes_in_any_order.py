"""Edits, cells and interrupts in any order: no pass runs at a wrong time, and each ends once."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attnlab.live.passes.scheduler import BEHIND, MOST_ABANDONED
from tests.unit.passes import KEYS, MARGIN, MOST, STOOD_FOR, Held, scheduler
from tests.unit.stage import Actor, Stage


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
