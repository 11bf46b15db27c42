"""What BertViz's ``neuron_view`` lets a person do."""

from __future__ import annotations

import math

import pytest

from tests.web.bertviz.table import (
    PAIR,
    WIDTH,
    N,
    P,
    apart,
    background,
    column,
    of_query,
    row,
    sentence,
    vectors,
)
from tests.web.panel import FOX, Panel, box_of


@row("neuron", "the layer and head menus", "the pickers of the head view")
def _(panel: Panel) -> None:
    """The same query is taken apart in that head."""
    panel.show()
    panel.find("token", 4).click()
    panel.find("layer-picker").select_option(label="2")
    panel.find("head-picker").select_option(label="9")
    apart(panel, 4)
    panel.page.wait_for_function("!document.querySelector('.attnlab-neuron[aria-busy=true]')")
    panel.exact()
    assert column(panel, "weight") == of_query(panel, 2, 9, 4)


@row("neuron", "the attention menu of two sentences", "the picker of sentences")
def _(panel: Panel) -> None:
    """Keys of the other sentence are struck out; their scores take part in the softmax still."""
    panel.show(PAIR)
    panel.find("head-query", 2).click()
    apart(panel, 2)
    panel.find("pairs").select_option("ab")
    struck = panel.page.locator(".attnlab-neuron-row[data-outside]")
    assert struck.evaluate_all("all => all.map(e => Number(e.dataset.index))") == sentence("a")
    assert "not shown" in (panel.find("neuron-row", 3).get_attribute("title") or "")
    assert column(panel, "weight") == of_query(panel, 0, 0, 2, P)


@row("neuron", "hover over a token, collapsed", "hover over a token in any view")
def _(panel: Panel) -> None:
    """Each key is tinted by its weight, in the text and in the head view."""
    panel.show()
    panel.find("token", 4).hover()
    tint = "all => all.map(e => e.style.getPropertyValue('--attnlab-weight'))"
    row = of_query(panel, 0, 0, 4)
    reported = [float(value) for value in panel.find("token").evaluate_all(tint)]
    assert reported == pytest.approx([*row.values()], abs=0.0006)
    assert panel.printed() == row


@row("neuron", "leaving the tokens: No token selected", "Escape, or leaving them")
def _(panel: Panel) -> None:
    """Without a query the view says what to do."""
    panel.show()
    assert "Click a token" in panel.find("neuron-prompt").inner_text()
    panel.find("token", 4).click()
    apart(panel, 4)
    assert panel.find("neuron-prompt").count() == 0
    panel.page.keyboard.press("Escape")
    assert panel.find("neuron-prompt").is_visible()


@row("neuron", "+ expands", "a click on the token: no + has to be found")
def _(panel: Panel) -> None:
    """The query, its keys, products, scores and weights are there."""
    panel.show()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    titles = panel.page.locator(".attnlab-neuron-titles").inner_text().split("\n")
    assert [title for title in titles if title.strip()] == [
        "token", "query q, key k", "q × k", "q·k", "scale", "bias", "mask", "softmax",
    ]  # fmt: skip
    assert panel.find("neuron-row").count() == N


@row("neuron", "− collapses", "fold the neuron view")
def _(panel: Panel) -> None:
    """It is its title alone, and nothing is asked for; unfolded, it is back."""
    panel.show()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    fold = panel.page.locator('[data-testid="attnlab-fold"][data-part="neuron"]')
    fold.click()
    assert panel.find("neuron").count() == 0
    asked = panel.requests("trace/neuron")
    panel.find("head-query", 6).click()
    panel.frame()
    assert panel.requests("trace/neuron") == asked
    fold.click()
    apart(panel, 6)


@row("neuron", "hover over a token, expanded", "hover over a query in any view")
def _(panel: Panel) -> None:
    """The hovered query is taken apart; when it is left, the kept one is again."""
    panel.show()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    panel.find("head-query", 7).hover()
    apart(panel, 7)
    assert panel.find("neuron-query").inner_text() == FOX[7]
    assert column(panel, "weight") == of_query(panel, 0, 0, 7)
    panel.page.mouse.move(2, 1498)
    apart(panel, 4)


@row("neuron", "vectors in blue and orange", "the same, and above or below the middle")
def _(panel: Panel) -> None:
    """Blue is positive, orange negative, and the larger is the stronger."""
    panel.show()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    panel.page.mouse.move(2, 1498)
    panel.frame()
    picture = panel.pixels('[data-testid="attnlab-neuron-strips"]')
    strip_box = box_of(panel.page.locator('.attnlab-neuron-row [data-strip="k"]').first)
    keys = vectors(panel, "lab.keys(0, 0)")
    strengths: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
    for key in range(N):
        for i in range(WIDTH):
            number = keys[key * WIDTH + i]
            x = int((i + 0.5) * strip_box["width"] / WIDTH)
            red, _, blue = picture.at(18 * key + 9, x)[:3]
            if abs(number) > 0.5:
                assert (blue > red) == (number > 0)
            strengths[number > 0].append((abs(number), abs(blue - red)))
    for shown in strengths.values():
        shown.sort()
        weak, strong = shown[: len(shown) // 4], shown[-len(shown) // 4 :]
        assert max(d for _, d in weak) <= min(d for _, d in strong)


@row("neuron", "q × k, q · k and softmax", "the same, and every term between them")
def _(panel: Panel) -> None:
    """Products sum up to the score, and scores to the weights of the head view."""
    panel.show()
    panel.thumb(1, 7).click()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    panel.exact()
    q, k = vectors(panel, "lab.query(1, 7, 4)"), vectors(panel, "lab.keys(1, 7)")
    dots = {key: sum(q[i] * k[key * WIDTH + i] for i in range(WIDTH)) for key in range(N)}
    assert column(panel, "q·k") == pytest.approx(dots, rel=1e-5)
    scaled = {key: dot / math.sqrt(WIDTH) for key, dot in dots.items()}
    assert column(panel, "scale") == pytest.approx(scaled, rel=1e-5)
    scores = {key: math.exp(score) for key, score in column(panel, "mask").items()}
    weights = {key: score / sum(scores.values()) for key, score in scores.items()}
    assert column(panel, "weight") == pytest.approx(weights, abs=1e-6)
    assert column(panel, "weight") == panel.printed()


@row("neuron", "later keys of a causal model are blank", "they are printed as masked")
def _(panel: Panel) -> None:
    """A key after the query has no score and no weight."""
    panel.show(sites=[{"kind": "decoder"}] * 2)
    panel.find("head-query", 3).click()
    apart(panel, 3)
    said = panel.page.locator('[data-cell="mask"]').all_inner_texts()
    assert [key for key in range(N) if said[key] == "masked"] == list(range(4, N))
    assert all(column(panel, "weight")[key] == 0 for key in range(4, N))


@row("neuron", "display_mode=", "JupyterLab's theme, at any time")
def _(panel: Panel) -> None:
    """The strips have the theme's background."""
    panel.show()
    panel.find("head-query", 4).click()
    apart(panel, 4)
    panel.frame()
    light = background(panel.pixels('[data-testid="attnlab-neuron-strips"]'))
    panel.page.evaluate("lab.theme('dark')")
    panel.page.wait_for_function("document.body.dataset.jpThemeName === 'dark'")
    panel.frame()
    picture = panel.pixels('[data-testid="attnlab-neuron-strips"]')
    spots = [picture.at(y, x) for y in range(0, picture.height, 5) for x in range(0, 60, 3)]
    assert sum(light) > 600
    assert min(sum(spot[:3]) for spot in spots if spot[3]) < 200


@row("neuron", "layer= and head= of show()", "attnlab.selection from Python")
def _(panel: Panel) -> None:
    """The head is there, and its query too."""
    panel.show()
    panel.select(site=4, head=2, heads=[2], query=5)
    apart(panel, 5)
    panel.exact()
    assert column(panel, "weight") == of_query(panel, 4, 2, 5)
