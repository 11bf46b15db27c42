"""Measures the cost of recording: time relative to a plain forward pass, and memory.

The time is that of the whole model call, including attnlab's work after the forward pass. Plain and
recorded calls alternate, and each round gives one ratio, so that slow moments of the machine affect
both equally. Memory is compared with that of dense attention.
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

from attnlab.capture.record.memory import readable
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from attnlab.traces.trace import Trace
from bench import reading
from bench.models import SHAPES, Shape

LENGTHS = (128, 512, 2048, 4096)
SECONDS = 30.0
"""Approximate time spent on each shape and length."""
ROUNDS = (2, 25)
"""Minimum and maximum number of rounds."""
PATIENCE = 240.0
"""Longest time of the minimum number of rounds; otherwise the measurement is omitted."""
RECORDED, EAGER = 3, 2
"""Approximate cost of the recorded calls and of the eager call of a round, in plain calls."""


def measure() -> Iterator[str]:
    """Measure the cost of recording, then the cost of reading traces."""
    threads = torch.get_num_threads()
    yield f"Random weights, float32, {threads} threads, torch {torch.__version__}."
    yield ""
    yield "Time of a call relative to the plain call (median of paired rounds); the goal is 1.05,"
    yield "or 1.15 with the tap. The first call of a model also uses the tap."
    yield ""
    yield "Overhead is the time of attnlab in a later call, during the forward pass and after it."
    yield ""
    yield (
        "| model | tokens | plain | first call | later calls | overhead "
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
    """Measure one line of the table."""
    contest = Contest(shape, model, tokens)
    dense = shape.dense(tokens)
    start = f"| {shape.name} | {tokens:,} "
    with torch.set_grad_enabled(shape.gradients):
        contest.plain()
        once = contest.plain()
        if ROUNDS[0] * RECORDED * once > PATIENCE:
            return f"{start}| {once:.1f} s | omitted: too slow | | | | {readable(dense)} | |"
        # A quarter of the memory, because the model makes several copies of the weights.
        asks = not shape.tapped and dense < memory() / 4
        asks = asks and ROUNDS[0] * (RECORDED + EAGER) * once < PATIENCE
        if asks:
            contest.eager = shape.make("eager")
        contest.later()  # detects how the model is captured
        rounds = int(SECONDS / (once * (RECORDED + EAGER * asks)))
        for turn in range(max(ROUNDS[0], min(ROUNDS[1], rounds))):
            contest.play(turn)
    first = "" if shape.tapped else contest.ratio("first")
    asked = contest.ratio("dense") if asks else "" if shape.tapped else "omitted"
    plain = median(contest.times["plain"])
    during, after = (1000 * median(spent) for spent in zip(*contest.overhead, strict=True))
    return (
        f"{start}| {1000 * plain:.0f} ms | {first} | {contest.ratio('later')} "
        f"| {during:.1f} + {after:.1f} ms | {readable(contest.nbytes)} | {readable(dense)} "
        f"| {asked} |"
    )


class Contest:
    """Calls of one model with one text: plain, recorded, and with ``output_attentions``.

    Attributes
    ----------
    eager
        A model of the same shape with eager attention; None to omit it.
    times
        Seconds of the calls of each round, by kind.
    overhead
        Seconds of attnlab's work in recorded calls, during the forward pass and after it.
    nbytes
        Size of a trace in bytes.
    """

    def __init__(self, shape: Shape, model: Any, tokens: int) -> None:
        self.shape, self.model, self.tokens = shape, model, tokens
        self.args, self.kwargs = shape.inputs(tokens)
        self.eager: Any = None
        self.times: dict[str, list[float]] = {}
        self.overhead: list[tuple[float, float]] = []
        self.nbytes = 0

    def play(self, turn: int) -> None:
        """Run one round; the order of the calls rotates."""
        calls: dict[str, Callable[[], float]] = {"plain": self.plain, "later": self.later}
        if not self.shape.tapped:
            calls["first"] = self.first
        if self.eager is not None:
            calls["dense"] = self.dense
        names = list(calls)
        for index in range(len(names)):
            name = names[(index + turn) % len(names)]
            self.times.setdefault(name, []).append(calls[name]())

    def ratio(self, name: str) -> str:
        """Median ratio of a call's time to that of the plain call in the same round."""
        pairs = zip(self.times[name], self.times["plain"], strict=True)
        return f"×{median(time / plain for time, plain in pairs):.3f}"

    def plain(self) -> float:
        """Time of a call that is not recorded."""
        return duration(lambda: self.model(*self.args, **self.kwargs))

    def dense(self) -> float:
        """Time of a call that returns all weights."""
        return duration(lambda: self.eager(*self.args, **self.kwargs, output_attentions=True))

    def first(self) -> float:
        """Time of the first recorded call of a model: a copy counts as a new model."""
        return self._recorded(copy.copy(self.model))

    def later(self) -> float:
        """Time of a later recorded call of a model."""
        return self._recorded(self.model)

    def _recorded(self, model: Any) -> float:
        outcomes: list[Any] = []
        ended: list[float] = []
        hook = model.register_forward_hook(lambda *_: ended.append(time.perf_counter()))
        with observing(outcomes.append, {}):
            args, kwargs = self.shape.inputs(self.tokens)
            began, returned = span(lambda: model(*args, **kwargs))
        hook.remove()
        (call,) = outcomes
        assert isinstance(call, RecordedCall), call
        if model is self.model:
            self.overhead.append((ended[0] - began - call.milliseconds / 1000, returned - ended[0]))
        assert [record.heads for record in call.records] == [self.shape.heads] * self.shape.layers
        self.nbytes = Trace.from_call(call, id="bench", cell="", execution=0, index=0).nbytes
        return returned - began


def span(call: Callable[[], Any]) -> tuple[float, float]:
    """Start and end of a call; its result is freed after the end."""
    began = time.perf_counter()
    result = call()
    returned = time.perf_counter()
    del result
    return began, returned


def duration(call: Callable[[], Any]) -> float:
    """Time of a call in seconds."""
    began, returned = span(call)
    return returned - began


def memory() -> int:
    """Memory of the machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
