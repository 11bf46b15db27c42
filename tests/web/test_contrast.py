"""What is written and drawn stands out from its ground, in every theme (WCAG 2.2, level AA)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import JSHandle

from tests.web.panel import FOX, Panel

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
THEMES = ["light", "dark", "dark-high-contrast"]
PAIR = ["[CLS]", "the", "cat", "[SEP]", "a", "play", "##ing", "dog", "[SEP]", "[PAD]", "[PAD]"]


@pytest.fixture(params=THEMES)
def themed(open_panel: Callable[..., Panel], request: pytest.FixtureRequest) -> Panel:
    """A tall panel in one of JupyterLab's themes, without a kernel yet."""
    panel = open_panel(480, 1500)
    if request.param != "light":  # as the page begins
        panel.page.evaluate("name => lab.theme(name)", request.param)
        panel.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name", arg=request.param
        )
    return panel


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
    themed.show(PAIR, batch=[FOX], nan=4, sites=[{"tier": "replayed"}, {"kind": "decoder"}])
    themed.find("hide-special").click()
    themed.find("token", 4).click()
    themed.find("pin").click()
    assert faint(themed) == ""
    themed.page.evaluate("lab.kernel.busy('cell-2')")
    assert faint(themed) == ""
    themed.page.evaluate("lab.kernel.die('The kernel died.')")
    assert faint(themed) == ""


def test_all_text_without_a_picture_can_be_read(themed: Panel) -> None:
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
    """At least 3 : 1 from their ground, as level AA asks of graphics and controls."""
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
        for pair in (
            ("accent", "paper"),
            ("mark", "paper"),
            ("bad", "paper"),
            ("ramp-high", "ramp-low"),
            ("positive", "zero"),
            ("negative", "zero"),
        ):
            yield " on ".join(pair), measure.evaluate("(c, pair) => c.between(...pair)", pair)

    assert "\n".join(f"{what}: {ratio:.2f}" for what, ratio in ratios() if ratio < 3) == ""
