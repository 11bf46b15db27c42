"""A panel in a window that is zoomed from 50 to 200 %: crisp, whole, and hit where it is seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.panel import FOX, Panel, box_of

WINDOW = (960, 1800)  # device pixels
ZOOMS = [0.5, 0.75, 1.0, 1.25, 1.5, 2.0]

CANVASES = """() => [...document.querySelectorAll('canvas')]
  .filter(canvas => canvas.checkVisibility() && canvas.width > 0)
  .map(canvas => {
    const { width, height } = canvas.getBoundingClientRect();
    return [canvas.width, canvas.height, width * devicePixelRatio, height * devicePixelRatio];
  })"""

# What stands out of the panel to a side, or holds more than it can show without scrolling.
OUTSIDE = """() => {
  const { left, right } = document.querySelector('.attnlab-panel').getBoundingClientRect();
  const wide = [...document.querySelectorAll('.attnlab-panel, .attnlab-body, .attnlab-part')]
    .filter(box => box.scrollWidth > box.clientWidth);
  const out = [...document.querySelectorAll('button, select, input, h2, [role=status]')]
    .filter(control => control.checkVisibility() && !control.closest('.attnlab-scroller'))
    .filter(control => {
      const box = control.getBoundingClientRect();
      return box.left < left - 0.5 || box.right > right + 0.5;
    });
  return [...wide, ...out].map(element => element.className || element.localName);
}"""


def zoomed(open_panel: Callable[..., Panel], zoom: float, *, keep: bool = True) -> Panel:
    """A panel that fills a window of fixed size, whose page is zoomed, with a head shown."""
    width, height = (round(side / zoom) for side in WINDOW)
    panel = open_panel(width, height, keep=keep, device_scale_factor=zoom)
    panel.show()
    panel.find("token", 4).click()
    panel.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="4"]')
    panel.page.mouse.move(0, 0)
    panel.frame()
    return panel


def crisp(panel: Panel) -> int:
    """Check that canvases have the screen's own pixels; returns how many there are."""
    canvases = panel.page.evaluate(CANVASES)
    for across, down, width, height in canvases:
        assert (across, down) == (pytest.approx(width, abs=1), pytest.approx(height, abs=1))
    return len(canvases)


@pytest.mark.parametrize("zoom", ZOOMS)
def test_a_zoomed_panel_is_sharp_and_complete(
    open_panel: Callable[..., Panel], zoom: float
) -> None:
    panel = zoomed(open_panel, zoom)
    # All thumbnails, the curves and those of the query, and the strips of the neuron view.
    assert crisp(panel) >= 4
    assert panel.page.evaluate(OUTSIDE) == []
    panel.page.get_by_text("matrix", exact=True).click()
    panel.page.wait_for_selector('[data-testid="attnlab-matrix"][data-exact=true]')
    panel.frame()
    assert crisp(panel) >= 3
    assert panel.page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_in_a_zoomed_panel_the_pointer_hits_what_is_shown(
    open_panel: Callable[..., Panel], zoom: float
) -> None:
    panel = zoomed(open_panel, zoom)
    thumb = box_of(panel.thumb(3, 7))
    # The last pixel of the thumbnail, not its middle: what is off by a few would miss it.
    panel.page.mouse.click(thumb["x"] + thumb["width"] - 1, thumb["y"] + thumb["height"] - 1)
    assert panel.thumb(3, 7).get_attribute("data-mark") == "focus"
    panel.page.get_by_text("matrix", exact=True).click()
    panel.page.wait_for_selector('[data-testid="attnlab-matrix"][data-exact=true]')
    weights = panel.weights(3, 7)
    for query, key in (("quick", "brown"), ("over", "dog")):
        # Where the row and the column of these tokens cross.
        row = box_of(panel.page.locator(".attnlab-matrix-query").get_by_text(query))
        column = box_of(panel.page.locator(".attnlab-matrix-key").get_by_text(key))
        middle = column["x"] + column["width"] / 2, row["y"] + row["height"] / 2
        panel.page.mouse.move(*middle)
        panel.frame()
        said = panel.find("matrix-cell").get_attribute("aria-label") or ""
        assert said.startswith(f"query {query}, key {key}, weight ")
        weight = weights[FOX.index(query) * len(FOX) + FOX.index(key)]
        assert float(said.split()[-1]) == pytest.approx(weight, rel=0.01)


def test_a_page_that_is_zoomed_while_it_is_looked_at_is_drawn_again(
    open_panel: Callable[..., Panel],
) -> None:
    """From 100 to 200 %, as the browser does it: half the room, twice the pixels."""
    panel = zoomed(open_panel, 1, keep=False)
    before = panel.layer(0).height
    width, height = (side // 2 for side in WINDOW)
    session = panel.page.context.new_cdp_session(panel.page)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", metrics)
    panel.page.wait_for_function("devicePixelRatio === 2")
    panel.frame()
    assert crisp(panel) >= 4
    assert panel.page.evaluate(OUTSIDE) == []
    side = box_of(panel.thumb(0, 0))["height"]
    after = panel.layer(0).height
    assert after == pytest.approx(2 * side, abs=1)
    assert after != before


@pytest.mark.parametrize("width", [320, 360, 480])
def test_in_a_narrow_sidebar_nothing_overflows(
    open_panel: Callable[..., Panel], width: int
) -> None:
    panel = open_panel(width, 1000)
    long = {"model": "ConditionalGenerationWithAVeryLongName", "batch": [FOX], "calls": 2}
    panel.show(["[CLS]", "incomprehensibilities", *FOX], execution=3, call=0, **long)
    panel.run(["[CLS]", "an", "even", "longer", "text", *FOX], execution=3, call=1, **long)
    panel.exact()
    panel.find("pin").click()
    panel.find("token", 2).click()
    panel.frame()
    assert panel.find("picker").is_visible()
    assert panel.page.evaluate(OUTSIDE) == []


def test_in_a_wide_panel_the_model_view_is_beside_the_head_view(
    open_panel: Callable[..., Panel],
) -> None:
    panel = open_panel(1200, 900)
    panel.show()
    parts = {name: box_of(panel.page.locator(f".attnlab-{name}-part")) for name in PARTS}
    model, head, neuron = parts.values()
    assert model["y"] == head["y"]
    assert model["x"] + model["width"] <= head["x"] + 1
    assert neuron["y"] >= head["y"] + head["height"] - 1
    assert neuron["width"] == 1200
    # The bar under both gives them another height; a folded view leaves its room to the others.
    panel.page.get_by_label("Height of the head view").press("ArrowDown")
    panel.frame()
    taller = {name: box_of(panel.page.locator(f".attnlab-{name}-part")) for name in PARTS}
    assert taller["model"]["height"] == taller["head"]["height"] == round(head["height"]) + 24
    panel.page.locator(".attnlab-model-part .attnlab-fold").click()
    panel.frame()
    assert box_of(panel.page.locator(".attnlab-head-part"))["width"] == 1200


PARTS = ("model", "head", "neuron")
