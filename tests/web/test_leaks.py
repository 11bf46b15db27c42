"""Panels that are closed leave nothing behind in the page: no nodes, no listeners."""

from __future__ import annotations

from typing import Any

from tests.web.panel import Panel

PANELS = 20
OPEN = """async () => {
  const host = document.createElement('div');
  host.style.cssText = 'position: fixed; inset: 0; background: white; z-index: 1';
  document.body.append(host);
  globalThis.other = lab.open(host);
}"""
CLOSE = "() => { other.close(); delete globalThis.other; }"


def counted(panel: Panel) -> dict[str, int]:
    """Nodes and listeners that the page holds, once all that can go has gone."""
    session = panel.page.context.new_cdp_session(panel.page)
    for _ in range(3):
        panel.frame()
        session.send("HeapProfiler.collectGarbage")
    counters: dict[str, Any] = session.send("Memory.getDOMCounters")
    session.detach()
    return {name: counters[name] for name in ("nodes", "jsEventListeners")}


def used(panel: Panel) -> None:
    """Open another panel over the first, use all its views and menus, and close it."""
    page = panel.page
    page.evaluate(OPEN)
    within = page.locator("body > div:last-child")

    def find(name: str) -> Any:
        return within.locator(f'[data-testid="attnlab-{name}"]')

    within.locator(".attnlab-head[data-exact=true]").wait_for()
    find("token").nth(3).hover()
    find("token").nth(4).click()
    find("thumb").nth(5).hover()
    find("thumb").nth(7).click(force=True)
    for menu in within.locator("button[aria-haspopup]:visible").all():
        menu.click()
        menu.press("Escape")
    for other in within.locator('[data-testid="attnlab-help"]:visible').all():
        other.click()
    find("head-matrix").check(force=True)
    find("matrix-canvas").hover()
    find("head-lines").check(force=True)
    find("weight").nth(2).hover()
    find("neuron").hover()
    panel.frame()
    page.evaluate(CLOSE)


def test_twenty_panels_leave_no_nodes_and_no_listeners(tall_panel: Panel) -> None:
    tall_panel.show()
    for _ in range(3):  # What is made once stays.
        used(tall_panel)
    before = counted(tall_panel)
    for _ in range(PANELS):
        used(tall_panel)
    after = counted(tall_panel)
    assert after == before
