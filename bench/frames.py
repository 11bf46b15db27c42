"""How long the browser's main thread works for each step of an interaction.

A step is one event of the pointer or the wheel, and lasts until two frames have been shown
after it. Its work is what Chromium counts as the main thread's tasks in that time
(``TaskDuration`` of the DevTools protocol): scripts, styles, layout and painting. Waiting is
no work, so the figures hold on a busy machine, too, if less well. What driving the browser
costs, about 1 ms a step, is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median, quantiles

from playwright.sync_api import Page

SHOWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Work:
    """Work of the steps of one interaction, in milliseconds each."""

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
            before = self._metric("TaskDuration")
            step()
            self.page.evaluate(SHOWN)
            spent.append(1000 * (self._metric("TaskDuration") - before))
        return Work(spent)

    def heap(self) -> float:
        """Bytes of the page's live objects, in MB."""
        self._devtools.send("HeapProfiler.collectGarbage")
        return self._metric("JSHeapUsedSize") / 1e6

    def _metric(self, name: str) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return float(next(own["value"] for own in metrics if own["name"] == name))
