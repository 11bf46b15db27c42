"""What moves by itself, and stands still for who asks for that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.panel import Panel

PULSING = """() => document.getAnimations().map(one => {
  const [{ easing, ...first }] = one.effect.getKeyframes();
  const about = ['computedOffset', 'composite', 'offset'];
  return [Object.keys(first).filter(name => !about.includes(name)), easing];
})"""
MOVING = """() => {
  const styles = [...document.querySelectorAll('.attnlab-panel, .attnlab-panel *')].map(e =>
    getComputedStyle(e));
  return {
    running: document.getAnimations().length,
    transitions: styles.filter(s => s.transitionDuration.split(', ').some(d => d !== '0s')).length,
    scrolling: styles.filter(s => s.scrollBehavior !== 'auto').length
  };
}"""


@pytest.mark.parametrize("asked", ["no-preference", "reduce"])
def test_nothing_moves_with_reduced_motion(open_panel: Callable[..., Panel], asked: str) -> None:
    panel = open_panel(reduced_motion=asked)
    # While a kernel starts, and while a cell runs: what says so pulses, elsewhere.
    starting = panel.page.evaluate(MOVING)
    panel.show()
    panel.page.evaluate("lab.kernel.busy('cell-2')")
    panel.page.wait_for_selector('[data-testid="attnlab-status"][data-kind="running"]')
    panel.thumb(1, 1).hover()
    running = panel.page.evaluate(MOVING)
    for seen in (starting, running):
        assert seen["transitions"] == seen["scrolling"] == 0
    assert (starting["running"], running["running"]) == (
        (0, 0) if asked == "reduce" else (starting["running"], 1)
    )


def test_animations_cost_a_running_model_little(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.kernel.busy('cell-2')")
    panel.page.wait_for_selector('[data-testid="attnlab-status"][data-kind="running"]')
    # Any other property would have the whole panel painted again for each frame.
    assert panel.page.evaluate(PULSING) == [[["opacity"], "steps(4)"]]
