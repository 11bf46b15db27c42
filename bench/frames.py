"""Measures the work of the browser's main thread per frame, for each step of an interaction.

A step is one event of the pointer or the wheel. The two frames after it are measured separately,
and the step counts as the busier one, because that is the frame a person waits for. Work is the
CPU time of the main thread (``ThreadTime`` of the DevTools protocol): scripts, styles, layout and
painting. It does not include waiting or the time of other programs, so the results are also valid
on a busy machine. It includes the cost of driving the browser, about 1 ms per frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles

from playwright.sync_api import Page

NEXT = "new Promise(done => requestAnimationFrame(done))"
"""Resolves at the start of the next frame, before the work of that frame."""

SHOWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Work:
    """Work in the busiest frame of each step of one interaction, in milliseconds."""

    steps: list[float]

    def __str__(self) -> str:
        """Format the median, the 95th percentile and the maximum."""
        high = quantiles(self.steps, n=20)[-1] if len(self.steps) > 1 else self.steps[0]
        return f"{median(self.steps):.1f} / {high:.1f} / {max(self.steps):.1f} ms"


class Frames:
    """Measures one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable")

    def work(self, steps: Iterable[Callable[[], object]]) -> Work:
        """Measure steps one after the other."""
        spent = []
        for step in steps:
            marks = [self._metric("ThreadTime")]
            step()
            # From the event to the first frame, then that frame, then the second frame.
            for _ in range(3):
                self.page.evaluate(NEXT)
                marks.append(self._metric("ThreadTime"))
            spent.append(1000 * max(end - start for start, end in pairwise(marks)))
        return Work(spent)

    def heap(self) -> float:
        """Size of the page's live JavaScript objects, in MB."""
        self._devtools.send("HeapProfiler.collectGarbage")
        return self._metric("JSHeapUsedSize") / 1e6

    def _metric(self, name: str) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == name))
