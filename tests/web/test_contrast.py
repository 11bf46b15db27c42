"""What is written and drawn stands out from its background, in every theme (WCAG 2.2, level AA)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import JSHandle

from tests.web.panel import FOX, Panel

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
THEMES = ["light", "dark", "dark-high-contrast"]
# By the colors that are forced, the theme that they are forced upon: its opposite.
FORCED = {"light": "dark", "dark": "light"}
PAIR = ["[CLS]", "the", "cat", "[SEP]", "a", "play", "##ing", "dog", "[SEP]", "[PAD]", "[PAD]"]


def dressed(panel: Panel, theme: str) -> Panel:
    """A panel in one of JupyterLab's themes."""
    if theme != "light":  # as the page begins
        panel.page.evaluate("name => lab.theme(name)", theme)
        panel.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name", arg=theme
        )
    return panel


def in_forced(open_panel: Callable[..., Panel], colors: str) -> Panel:
    """A tall panel where a person's own few colors, light or dark, replace all others."""
    panel = open_panel(480, 1500, forced_colors="active", color_scheme=colors)
    return dressed(panel, FORCED[colors])


@pytest.fixture(params=FORCED)
def forced(open_panel: Callable[..., Panel], request: pytest.FixtureRequest) -> Panel:
    """A panel in forced colors, without a kernel yet."""
    return in_forced(open_panel, request.param)


@pytest.fixture(params=[*THEMES, *(f"forced {colors}" for colors in FORCED)])
def themed(open_panel: Callable[..., Panel], request: pytest.FixtureRequest) -> Panel:
    """A tall panel in one of the themes, or in forced colors, without a kernel yet."""
    theme = request.param
    if theme in THEMES:
        return dressed(open_panel(480, 1500), theme)
    return in_forced(open_panel, theme.removeprefix("forced "))


def contrast(panel: Panel) -> JSHandle:
    """The functions of `contrast.js`, in the page."""
    return panel.page.evaluate_handle(CONTRAST)


def faint(panel: Panel) -> str:
    """Text that can hardly be read, a line each; fails where there is no text at all."""
    panel.frame()
    result = contrast(panel).evaluate("contrast => contrast.texts()")
    assert result["count"] > 3
    return "\n".join(result["found"])


def test_the_contrast_of_black_on_white_is_21_and_of_grey_less(panel: Panel) -> None:
    """The measure itself, on what is known."""
    panel.page.evaluate(
        """document.body.innerHTML = `<p style="background: white; color: black"><b>one</b>
             <i style="color: rgb(119 119 119)">two</i> <u style="opacity: 0.5">three</u>
             <s style="background: rgb(0 0 0 / 20%)">four</s></p>`"""
    )
    result = contrast(panel).evaluate("contrast => contrast.texts()")
    assert result["count"] == 4
    # Values of the WCAG's own formula.
    assert result["found"] == ["i “two” 4.48", "u “three” 3.98"]
    ratio = contrast(panel).evaluate("c => c.of(document.querySelector('b'), 'color')")
    assert ratio == pytest.approx(21)


def test_all_text_of_the_views_can_be_read(themed: Panel) -> None:
    themed.show(notes=["Queries of the second layer were recomputed."])
    assert faint(themed) == ""
    # A heavy weight tints its token, the row of a key and the numbers of the neuron view.
    themed.thumb(1, 2).click()
    themed.find("token", 4).click()
    themed.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="4"]')
    themed.find("head-box").nth(5).click()
    assert faint(themed) == ""
    for button in themed.find("help").all():
        button.click()
    themed.page.locator(".attnlab-model-filter summary").click()
    assert faint(themed) == ""


def test_all_text_of_a_matrix_can_be_read(themed: Panel) -> None:
    themed.show(PAIR)
    themed.page.get_by_text("matrix", exact=True).click()
    themed.page.wait_for_selector('[data-testid="attnlab-matrix"][data-exact=true]')
    themed.find("matrix-canvas").hover(position={"x": 60, "y": 60})
    themed.find("figure-head").click()
    assert faint(themed) == ""


def test_all_text_beside_plain_tokens_can_be_read(themed: Panel) -> None:
    """Padding, special tokens left out, hidden keys, a pin, another batch item, an old picture."""
    themed.show(PAIR, batch=[FOX], nan=4, sites=[{"method": "replay"}, {"kind": "decoder"}])
    themed.find("hide-special").click()
    themed.find("token", 4).click()
    themed.find("pin").click()
    assert faint(themed) == ""
    themed.page.evaluate("lab.kernel.busy('cell-2')")
    assert faint(themed) == ""
    themed.page.evaluate("lab.kernel.die('The kernel died.')")
    assert faint(themed) == ""


def test_all_text_of_stale_tokens_can_be_read(themed: Panel) -> None:
    themed.show(FOX, generated=6, stale=True)
    themed.find("token", 4).click()
    themed.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="4"]')
    assert faint(themed) == ""
    themed.page.get_by_text("matrix", exact=True).click()
    themed.page.wait_for_selector('[data-testid="attnlab-matrix"][data-exact=true]')
    assert faint(themed) == ""


def test_all_text_without_a_view_can_be_read(themed: Panel) -> None:
    assert faint(themed) == ""
    themed.attach()
    themed.page.evaluate("lab.kernel.fail('cell-2', 'No model ran.', 'It is compiled.', 'pip x')")
    assert faint(themed) == ""


GRAPHICS = [
    (".attnlab-dot", "borderTopColor", None),
    (".attnlab-fold", "borderTopColor", "::before"),
    (".attnlab-token[data-mark]", "outlineColor", None),
    (".attnlab-thumb[data-mark=focus]", "outlineColor", None),
    (".attnlab-bar-fill", "backgroundColor", None),
    (".attnlab-toggle[aria-pressed=true]", "borderTopColor", None),
    (".attnlab-icon-button", "color", None),
]


def test_graphics_that_mean_something_stand_out(themed: Panel) -> None:
    """At least 3 : 1 from their background, as level AA asks of graphics and controls."""
    themed.show()
    themed.find("token", 3).click()
    themed.find("words").click()
    themed.find("head-box").first.wait_for()
    measure = contrast(themed)

    def ratios() -> Iterator[tuple[str, float]]:
        for selector, *where in GRAPHICS:
            script = "(c, [selector, ...where]) => c.of(document.querySelector(selector), ...where)"
            yield selector, measure.evaluate(script, [selector, *where])
        for head in range(12):
            script = "(c, selector) => c.of(document.querySelector(selector), 'borderBottomColor')"
            box = f'.attnlab-head-box[data-head="{head}"]'
            yield f"head {head}", measure.evaluate(script, box)
        between = "(c, pair) => c.between(...pair.map(name => `var(--attnlab-${name})`))"
        for pair in (
            ("accent", "background"),
            ("mark", "background"),
            ("bad", "background"),
            ("ramp-high", "ramp-low"),
            ("positive", "zero"),
            ("negative", "zero"),
        ):
            yield " on ".join(pair), measure.evaluate(between, pair)

    assert "\n".join(f"{what}: {ratio:.2f}" for what, ratio in ratios() if ratio < 3) == ""


def backgrounds(panel: Panel, one: str, other: str) -> float:
    """How far the backgrounds of two elements stand apart."""
    script = "(c, pair) => c.backgrounds(...pair.map(selector => document.querySelector(selector)))"
    ratio: float = contrast(panel).evaluate(script, [one, other])
    return ratio


def edge(panel: Panel, selector: str, part: str) -> tuple[str, float, float]:
    """The style of an edge, its width in pixels, and how far it stands out."""
    script = """(c, [selector, part]) => {
      const element = document.querySelector(selector);
      const style = getComputedStyle(element);
      const width = parseFloat(style[`${part}Width`]);
      return [style[`${part}Style`], width, c.of(element, `${part}Color`)];
    }"""
    return tuple(contrast(panel).evaluate(script, [selector, part]))


def test_selected_controls_are_filled_with_forced_colors(forced: Panel) -> None:
    forced.show()
    forced.find("head-box").nth(5).click()
    forced.find("words").click()
    forced.find("pin").click()
    forced.frame()
    for chosen, other in (
        ('.attnlab-head-box[data-head="5"]', '.attnlab-head-box[data-head="6"]'),
        ("[data-testid=attnlab-words]", "[data-testid=attnlab-hide-special]"),
        (".attnlab-head-mode input:checked + span", ".attnlab-head-mode :not(:checked) + span"),
        ("[data-testid=attnlab-pin]", "[data-testid=attnlab-try]"),
    ):
        assert backgrounds(forced, chosen, other) >= 3, chosen


def test_selected_items_are_framed_with_forced_colors(forced: Panel) -> None:
    forced.show()
    forced.thumb(1, 2).click()
    forced.thumb(1, 3).click(modifiers=["Shift"])
    forced.find("token", 3).click()
    forced.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="3"]')
    forced.find("head-key", 5).click()
    forced.frame()
    for selector, part, style in (
        (".attnlab-thumb[data-mark=focus]", "outline", "solid"),
        (".attnlab-thumb[data-mark=set]", "outline", "solid"),
        ('.attnlab-token[data-mark="query"]', "outline", "solid"),
        ('.attnlab-token[data-mark="key"]', "outline", "dashed"),
        ('.attnlab-queries [data-mark="current"] .attnlab-row-text', "outline", "solid"),
        ('.attnlab-keys [data-mark="same"] .attnlab-row-text', "borderLeft", "solid"),
        ('.attnlab-queries [data-mark="same"] .attnlab-row-text', "borderRight", "solid"),
        (".attnlab-neuron-row[data-query] .attnlab-neuron-token", "borderLeft", "solid"),
        (".attnlab-neuron-row[data-current] .attnlab-neuron-token", "outline", "solid"),
    ):
        found, width, ratio = edge(forced, selector, part)
        assert (found, width >= 1, ratio >= 3) == (style, True, True), selector
    # A key that nobody points at has no edge: it is there, in the color of the background.
    assert edge(forced, ".attnlab-keys .attnlab-row:not([data-mark]) span", "borderLeft")[2] == 1


def test_gradients_and_borders_stay_visible_with_forced_colors(forced: Panel) -> None:
    forced.show(nan=4)
    forced.find("token", 4).click()
    forced.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="4"]')
    read = "(selector) => getComputedStyle(document.querySelector(selector)).backgroundImage"
    for selector in (".attnlab-neuron-ramp", ".attnlab-token[data-nan]"):
        assert "gradient" in forced.page.evaluate(read, selector), selector
    splitter = (
        "c => c.of(document.querySelector('.attnlab-splitter'), 'backgroundColor', '::after')"
    )
    assert contrast(forced).evaluate(splitter) >= 3
    arrow = "getComputedStyle(document.querySelector('.attnlab-fold'), '::before')"
    clear = forced.page.evaluate(f"{arrow}.borderLeftColor")
    assert clear == "rgba(0, 0, 0, 0)"


def test_canvases_draw_in_the_forced_colors_and_not_in_the_themes(forced: Panel) -> None:
    forced.show()
    measure = contrast(forced)
    for one, other in (
        ("background", "Canvas"),
        ("ramp-low", "Canvas"),
        ("ramp-high", "CanvasText"),
        ("zero", "Canvas"),
        ("positive", "CanvasText"),
        ("negative", "Highlight"),
        ("mark", "Highlight"),
    ):
        script = "(c, [variable, color]) => c.between(`var(--attnlab-${variable})`, color)"
        assert measure.evaluate(script, [one, other]) == 1, one
