"""How long the browser's main thread works in a frame, for each step of an interaction.

A step is one event of the pointer or the wheel. Two frames are watched after it, each by
itself, and the step counts as the busier of the two: that is the frame which a person waits
for. Work is the processor's time of the main thread (``ThreadTime`` of the DevTools protocol):
scripts, styles, layout and painting. Waiting is none, nor is the time in which other programs
have the processor, so the figures hold on a busy machine, too. What driving the browser
costs, about 1 ms a frame, is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles

from playwright.sync_api import Page

NEXT = "new Promise(done => requestAnimationFrame(done))"
"""Ends at the start of the next frame, of which the work is then still to come."""

SHOWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Work:
    """Work in the busiest frame of each step of one interaction, in milliseconds."""

    steps: list[float]

    def __str__(self) -> str:
        """Say the median, the 95th percentile and the worst."""
        high = quantiles(self.steps, n=20)[-1] if len(self.steps) > 1 else self.steps[0]
        return f"{median(self.steps):.1f} / {high:.1f} / {max(self.steps):.1f} ms"


class Frames:
    """Measures one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable")

    def work(self, steps: Iterable[Callable[[], object]]) -> Work:
        """Take steps one after the other."""
        spent = []
        for step in steps:
            marks = [self._metric("ThreadTime")]
            step()
            # From the event to the first frame after it, that frame, and the one that follows.
            for _ in range(3):
                self.page.evaluate(NEXT)
                marks.append(self._metric("ThreadTime"))
            spent.append(1000 * max(end - start for start, end in pairwise(marks)))
        return Work(spent)

    def heap(self) -> float:
        """Bytes of the page's live objects, in MB."""
        self._devtools.send("HeapProfiler.collectGarbage")
        return self._metric("JSHeapUsedSize") / 1e6

    def _metric(self, name: str) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return float(next(own["value"] for own in metrics if own["name"] == name))
