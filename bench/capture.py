"""What recording costs: time beside the plain forward pass, and memory beside dense attention.

A user waits from the call of the model until it returns, so our own work after the pass is
in the time. Rounds take turns, plain and recorded, and each gives one ratio: a slow moment
of the machine meets both alike.
"""

from __future__ import annotations

import copy
import gc
import os
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch

from attnlab.capture.call import Call
from attnlab.capture.memory import readable
from attnlab.capture.watch import observing
from attnlab.traces.trace import Trace
from bench import reading
from bench.models import SHAPES, Shape

LENGTHS = (128, 512, 2048, 4096)
SECONDS = 30.0
"""About as long is spent on one shape at one length."""
ROUNDS = (2, 25)
"""At least and at most so many rounds; what cannot be done in so long is left out."""
PATIENCE = 240.0
RECORDED, EAGER = 3, 2
"""About as many plain calls take as long as those of a round, and as the eager one."""


def measure() -> Iterator[str]:
    """Print the cost of recording, then that of reading what was recorded."""
    threads = torch.get_num_threads()
    yield f"Random weights, float32, {threads} threads, torch {torch.__version__}."
    yield ""
    yield "Time of a call over the plain call's (median of paired rounds); the goal is 1.05,"
    yield "1.15 by the tap. A model's first call may be followed by the tap as well."
    yield ""
    yield "Own work is what attnlab itself counts in a later call, during the pass and after it."
    yield ""
    yield (
        "| model | tokens | plain | first call | later calls | own work "
        "| trace | dense attention | `output_attentions=True` |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for shape in SHAPES:
        model = shape.make(None)
        for tokens in LENGTHS:
            yield line(shape, model, tokens)
            gc.collect()
    yield ""
    yield from reading.measure()


def line(shape: Shape, model: Any, tokens: int) -> str:
    """One line of the table."""
    contest = Contest(shape, model, tokens)
    dense = shape.dense(tokens)
    told = f"| {shape.name} | {tokens:,} "
    with torch.set_grad_enabled(shape.gradients):
        contest.plain()
        once = contest.plain()
        if ROUNDS[0] * RECORDED * once > PATIENCE:
            return f"{told}| {once:.1f} s | left out: minutes | | | | {readable(dense)} | |"
        # The weights alone would fit into more, but the model makes more than one copy.
        asks = not shape.tapped and dense < memory() / 4
        asks = asks and ROUNDS[0] * (RECORDED + EAGER) * once < PATIENCE
        if asks:
            contest.eager = shape.make("eager")
        contest.later()  # learns the model
        rounds = int(SECONDS / (once * (RECORDED + EAGER * asks)))
        for turn in range(max(ROUNDS[0], min(ROUNDS[1], rounds))):
            contest.play(turn)
    first = "" if shape.tapped else contest.ratio("first")
    asked = contest.ratio("dense") if asks else "" if shape.tapped else "left out"
    plain = median(contest.times["plain"])
    during, after = (1000 * median(spent) for spent in zip(*contest.own, strict=True))
    return (
        f"{told}| {1000 * plain:.0f} ms | {first} | {contest.ratio('later')} "
        f"| {during:.1f} + {after:.1f} ms | {readable(contest.held)} | {readable(dense)} "
        f"| {asked} |"
    )


class Contest:
    """Calls of one model on one text: plain, recorded, and asked for its attention.

    Attributes
    ----------
    eager
        A model of the same shape that can be asked; None to leave that out.
    times
        Seconds of the calls of each round, by kind.
    own
        Of recorded calls: seconds of our own work during the pass, and after it.
    held
        Bytes of a trace.
    """

    def __init__(self, shape: Shape, model: Any, tokens: int) -> None:
        self.shape, self.model, self.tokens = shape, model, tokens
        self.args, self.kwargs = shape.inputs(tokens)
        self.eager: Any = None
        self.times: dict[str, list[float]] = {}
        self.own: list[tuple[float, float]] = []
        self.held = 0

    def play(self, turn: int) -> None:
        """One round, in another order each time."""
        calls: dict[str, Callable[[], float]] = {"plain": self.plain, "later": self.later}
        if not self.shape.tapped:
            calls["first"] = self.first
        if self.eager is not None:
            calls["dense"] = self.dense
        names = list(calls)
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            self.times.setdefault(name, []).append(calls[name]())

    def ratio(self, name: str) -> str:
        """Median over the rounds of a call's time to that of the plain one."""
        pairs = zip(self.times[name], self.times["plain"], strict=True)
        return f"×{median(own / plain for own, plain in pairs):.3f}"

    def plain(self) -> float:
        """Time of a call that nobody watches."""
        return duration(lambda: self.model(*self.args, **self.kwargs))

    def dense(self) -> float:
        """Time of a call that returns all weights."""
        return duration(lambda: self.eager(*self.args, **self.kwargs, output_attentions=True))

    def first(self) -> float:
        """Time of a recorded call of a model that was never seen: to attnlab a copy is one."""
        return self._recorded(copy.copy(self.model))

    def later(self) -> float:
        """Time of a recorded call of a known model."""
        return self._recorded(self.model)

    def _recorded(self, model: Any) -> float:
        told: list[Any] = []
        ended: list[float] = []
        hook = model.register_forward_hook(lambda *_: ended.append(time.perf_counter()))
        with observing(told.append, {}):
            args, kwargs = self.shape.inputs(self.tokens)
            began, returned = span(lambda: model(*args, **kwargs))
        hook.remove()
        (call,) = told
        assert isinstance(call, Call), call
        if model is self.model:
            self.own.append((ended[0] - began - call.milliseconds / 1000, returned - ended[0]))
        assert [own.heads for own in call.records] == [self.shape.heads] * self.shape.layers
        self.held = Trace.from_call(call, id="bench", cell="", execution=0, index=0).nbytes
        return returned - began


def span(call: Callable[[], Any]) -> tuple[float, float]:
    """When a call begins, and when it returns; its result is let go only then."""
    began = time.perf_counter()
    result = call()
    returned = time.perf_counter()
    del result
    return began, returned


def duration(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    began, returned = span(call)
    return returned - began


def memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
