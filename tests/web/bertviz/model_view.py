"""What BertViz's ``model_view`` lets a person do."""

from __future__ import annotations

import pytest

from tests.web.bertviz.table import (
    ENCODER_DECODER,
    PAIR,
    SOURCE,
    TARGET,
    N,
    P,
    background,
    of_query,
    row,
    sentence,
    thumbnail,
)
from tests.web.panel import Panel


@row("model", "all heads as lines", "Lines")
def _(panel: Panel) -> None:
    """From a query at the left to its heaviest key at the right, dark as it is heavy."""
    panel.show()
    panel.find("model-lines").click()
    panel.frame()
    for site, head in ((0, 0), (5, 11)):
        at, weights = thumbnail(panel, site, head), panel.weights(site, head)
        best = max(range(N * N), key=lambda i: weights[i])
        light = max(sum(at(y / 40, 0)[:3]) for y in range(40))
        for across, token in ((0.0, best // N), (1.0, best % N)):
            middle = (token + 0.5) / N
            assert min(sum(at(middle + d / 60, across)[:3]) for d in (-1, 0, 1)) < light - 120


@row("model", "a color for each layer", "Color: layers")
def _(panel: Panel) -> None:
    """Layers have colors that differ, heads of one layer have one."""
    panel.show()
    panel.find("model-color").select_option("layer")
    panel.frame()

    def strongest(site: int, head: int) -> tuple[int, ...]:
        weights = panel.weights(site, head)
        best = max(range(N * N), key=lambda i: weights[i])
        return thumbnail(panel, site, head)((best // N + 0.5) / N, (best % N + 0.5) / N)[:3]

    # Where two heads' heaviest weights are as heavy, their colors are as strong.
    hues = [max(range(3), key=strongest(site, 0).__getitem__) for site in range(6)]
    assert len(set(hues)) > 1
    assert len({strongest(site, 0) for site in range(6)}) == 6


@row("model", "numbers of layers and heads along the sides", "the same")
def _(panel: Panel) -> None:
    """A layer has the model's own number, and so has a head."""
    panel.show(sites=[{"layer": 3}, {"layer": 5}], heads=4)
    assert panel.find("layer").all_inner_texts() == ["3", "5"]
    assert panel.page.locator(".attnlab-columns span").all_inner_texts() == list("0123")
    assert panel.thumb(1, 2).get_attribute("aria-label") == "layer 5, head 2"


@row("model", "a click on a thumbnail", "the same; hovering shows it larger at once")
def _(panel: Panel) -> None:
    """It is framed, and its detail is the head view, with its name and exact weights."""
    panel.show()
    panel.thumb(3, 7).hover()
    panel.find("preview").wait_for()
    assert "layer 3, head 7" in panel.find("preview").inner_text()
    panel.thumb(3, 7).click()
    panel.exact()
    assert panel.thumb(3, 7).get_attribute("data-mark") == "focus"
    assert panel.page.locator(".attnlab-thumb[data-mark]").count() == 1
    title = panel.page.locator(".attnlab-head-title").text_content() or ""
    assert "layer 3, head 7" in title
    panel.find("head-query", 4).hover()
    assert panel.printed() == of_query(panel, 3, 7, 4)


@row("model", "a click on another thumbnail", "the same")
def _(panel: Panel) -> None:
    """The detail is that head's, and the frame is on it alone."""
    panel.show()
    panel.thumb(3, 7).click()
    panel.thumb(1, 2).click()
    panel.exact()
    framed = panel.page.locator(".attnlab-thumb[data-mark]")
    assert framed.evaluate_all("all => all.map(e => e.ariaLabel)") == ["layer 1, head 2"]
    panel.find("head-query", 4).hover()
    assert panel.printed() == of_query(panel, 1, 2, 4)


@row("model", "a second click on a thumbnail closes its detail", "fold the head view")
def _(panel: Panel) -> None:
    """The detail is gone, and the thumbnails have the room."""
    panel.show()
    panel.thumb(3, 7).click()
    assert panel.page.locator(".attnlab-head").count() == 1
    panel.page.locator('[data-testid="attnlab-fold"][data-part="head"]').click()
    assert panel.page.locator(".attnlab-head").count() == 0
    assert panel.thumb(3, 7).is_visible()
    panel.page.locator('[data-testid="attnlab-fold"][data-part="head"]').click()
    panel.exact()
    assert panel.focus()["head"] == 7


@row("model", "hover over a token of the detail", "the same, and all thumbnails mark it")
def _(panel: Panel) -> None:
    """Its lines stand out, and a tick is on each thumbnail."""
    panel.show()
    panel.thumb(3, 7).click()
    panel.exact()
    panel.find("head-query", 6).hover()
    panel.frame()
    assert panel.printed() == of_query(panel, 3, 7, 6)
    lines = panel.pixels(".attnlab-curves-highlighted")
    assert [q for q in range(N) if lines.at(q * 18 + 9, 1)[3] > 0] == [6]
    for site, head in ((0, 0), (5, 11)):
        top, side = panel.thumb(site, head).evaluate(
            "e => [parseFloat(getComputedStyle(e, '::before').top), e.clientWidth]"
        )
        assert top == pytest.approx(6 * side / N, abs=1)


@row("model", "the pointer over a thumbnail is a hand", "the same")
def _(panel: Panel) -> None:
    """What can be clicked says so."""
    panel.show()
    assert panel.thumb(2, 2).evaluate("e => getComputedStyle(e).cursor") == "pointer"


@row("model", "the attention menu of two sentences", "the picker of sentences")
def _(panel: Panel) -> None:
    """Of each thumbnail only those pairs are drawn, as a matrix and as lines."""
    panel.show(PAIR)
    panel.find("pairs").select_option("ab")
    panel.frame()
    for site, head in ((0, 0), (5, 11)):
        at = thumbnail(panel, site, head)
        drawn = {
            (q, k) for q in range(P) for k in range(P) if at((q + 0.5) / P, (k + 0.5) / P)[3] > 0
        }
        assert drawn == {(q, k) for q in sentence("a") for k in sentence("b")}
    panel.find("model-lines").click()
    panel.frame()
    at = thumbnail(panel, 0, 0)
    light = max(sum(at(y / 40, 0)[:3]) for y in range(40))
    ends = {"left": 0.0, "right": 1.0}
    inked = {
        name: [i for i in range(P) if sum(at((i + 0.5) / P, across)[:3]) < light - 6]
        for name, across in ends.items()
    }
    assert inked["left"]
    assert inked["right"]
    assert set(inked["left"]) <= set(sentence("a"))
    assert set(inked["right"]) <= set(sentence("b"))


@row("model", "the attention menu Encoder, Decoder, Cross", "all of them, one under the other")
def _(panel: Panel) -> None:
    """Each stack has its title, and a head of any is a click away."""
    panel.show(TARGET, keyWords=SOURCE, sites=ENCODER_DECODER, heads=4)
    assert panel.page.locator(".attnlab-group h3").count() == 3
    panel.thumb(3, 2).click()
    panel.exact()
    assert panel.find("stack").locator("option:checked").inner_text() == "Cross-attention"
    assert panel.find("head-key").locator("bdi").all_inner_texts() == SOURCE


@row("model", "include_layers=", "Filter: layers")
def _(panel: Panel) -> None:
    """Only those layers are there, with their own numbers and weights."""
    panel.show()
    panel.find("model-filter").click()
    panel.find("model-layers").fill("1-2, 5")
    assert panel.find("layer").all_inner_texts() == ["1", "2", "5"]
    panel.page.keyboard.press("Escape")
    panel.thumb(5, 4).click()
    panel.exact()
    panel.find("head-query", 2).hover()
    assert panel.printed() == of_query(panel, 5, 4, 2)


@row("model", "include_heads=", "Filter: heads")
def _(panel: Panel) -> None:
    """Only those heads are there, with their own numbers and weights."""
    panel.show()
    panel.find("model-filter").click()
    panel.find("model-heads").fill("2, 7-8")
    panel.page.keyboard.press("Escape")
    thumbs = panel.find("thumb").evaluate_all("all => all.map(e => Number(e.dataset.head))")
    assert thumbs == [2, 7, 8] * 6
    panel.thumb(5, 7).click()
    panel.exact()
    panel.find("head-query", 2).hover()
    assert panel.printed() == of_query(panel, 5, 7, 2)


@row("model", "display_mode=", "JupyterLab's theme, at any time")
def _(panel: Panel) -> None:
    """The light theme is dark on light, the dark theme light on dark; a weight keeps its place."""
    panel.show()
    panel.frame()
    light = background(panel.layer(0))
    panel.page.evaluate("lab.theme('dark')")
    panel.page.wait_for_function("document.body.dataset.jpThemeName === 'dark'")
    panel.frame()
    at, weights = thumbnail(panel, 2, 4), panel.weights(2, 4)
    best, least = (f(range(N * N), key=lambda i: weights[i]) for f in (max, min))
    strong, weak = (at((i // N + 0.5) / N, (i % N + 0.5) / N)[:3] for i in (best, least))
    assert sum(weak) < 200 < 600 < sum(light)
    assert sum(strong) > sum(weak) + 150
