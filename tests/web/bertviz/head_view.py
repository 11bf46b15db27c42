"""What BertViz's ``head_view`` lets a person do."""

from __future__ import annotations

import pytest

from tests.web.bertviz.table import (
    BOUNDARY,
    ENCODER_DECODER,
    PAIR,
    PAIRS,
    SOURCE,
    TARGET,
    N,
    P,
    box,
    indices,
    of_query,
    pressed,
    row,
    sentence,
)
from tests.web.panel import FOX, Panel


@row("head", "the layer menu", "the layer picker")
def _(panel: Panel) -> None:
    """Its weights are those of the layer."""
    panel.show()
    panel.find("layer-picker").select_option(label="4")
    panel.exact()
    panel.find("head-query", 2).hover()
    assert panel.printed() == of_query(panel, 4, 0, 2)


@row("head", "the attention menu of two sentences", "the picker of sentences")
def _(panel: Panel) -> None:
    """Rows and weights are a slice, not renormalized."""
    panel.show(PAIR)
    assert panel.find("pairs").locator("option").count() == len(PAIRS)
    weights = panel.weights(0, 0)
    for pairs, (left, right) in PAIRS.items():
        panel.find("pairs").select_option(pairs)
        queries, keys = sentence(left), sentence(right)
        assert indices(panel, "head-query") == queries
        assert indices(panel, "head-key") == keys
        panel.find("head-query", queries[2]).hover()
        assert panel.printed() == {k: weights[queries[2] * P + k] for k in keys}


@row("head", "the attention menu Encoder, Decoder, Cross", "the stack picker")
def _(panel: Panel) -> None:
    """Each side has its own text."""
    panel.show(TARGET, keyWords=SOURCE, sites=ENCODER_DECODER, heads=4)
    stack = panel.find("stack")
    sides = {
        "Encoder": (SOURCE, SOURCE, 0),
        "Decoder": (TARGET, TARGET, 2),
        "Cross-attention": (TARGET, SOURCE, 3),
    }
    assert stack.locator("option").all_inner_texts() == [*sides]
    for name, (queries, keys, site) in sides.items():
        stack.select_option(label=name)
        panel.exact()
        assert panel.find("head-query").locator("bdi").all_inner_texts() == queries
        assert panel.find("head-key").locator("bdi").all_inner_texts() == keys
        panel.find("head-query", 1).hover()
        weights = panel.weights(site, 0)
        assert panel.printed() == {k: weights[len(keys) + k] for k in range(len(keys))}


@row("head", "hover over a token on the left", "the same")
def _(panel: Panel) -> None:
    """It is marked, only its lines stand out, and its weights stand at the keys."""
    panel.show()
    panel.find("head-query", 4).hover()
    panel.frame()
    assert panel.find("head-query", 4).get_attribute("data-mark") == "current"
    row = of_query(panel, 0, 0, 4)
    assert panel.printed() == row
    lines = panel.pixels(".attnlab-curves-highlighted")
    starts = [q for q in range(N) if lines.at(q * 18 + 9, 1)[3] > 0]
    assert starts == [4]
    ends = {k: lines.at(k * 18 + 9, lines.width - 2)[3] for k in range(N)}
    assert ends[max(row, key=row.__getitem__)] == max(ends.values()) > 0


@row("head", "strips of all heads beside the tokens opposite", "the same")
def _(panel: Panel) -> None:
    """A strip for each head that is drawn, as strong as its weight."""
    panel.show()
    box(panel, 5).click()
    panel.find("head-query", 4).hover()
    panel.frame()
    lines = panel.pixels(".attnlab-curves-highlighted")
    lane = 12  # six pixels a head
    for i, head in enumerate((0, 5)):
        x = round(lines.width - lane + 2 + (i + 0.5) * (lane - 2) / 2)
        for key, weight in of_query(panel, 0, head, 4).items():
            assert lines.at(key * 18 + 5, x)[3] / 255 == pytest.approx(weight**0.65, abs=0.02)


@row("head", "hover over a token on the right", "the same")
def _(panel: Panel) -> None:
    """Only the lines to it stand out, and the weights stand at the queries."""
    panel.show()
    panel.find("head-key", 3).hover()
    panel.frame()
    weights = panel.weights(0, 0)
    column = {q: weights[q * N + 3] for q in range(N)}
    said = panel.find("query-weight").evaluate_all("all => all.map(e => Number(e.dataset.value))")
    assert said == [*column.values()]
    lines = panel.pixels(".attnlab-curves-highlighted")
    assert [k for k in range(N) if lines.at(k * 18 + 9, lines.width - 2)[3]] == [3]


@row("head", "leaving the tokens", "the same")
def _(panel: Panel) -> None:
    """All lines are back, and no weight is said."""
    panel.show()
    panel.find("head-query", 4).hover()
    assert panel.find("weight").count() == N
    panel.page.mouse.move(2, 1498)
    panel.frame()
    assert panel.find("weight").count() == 0
    assert panel.page.locator(".attnlab-row[data-mark]").count() == 0
    assert panel.page.locator(".attnlab-curves[data-highlighted]").count() == 0
    lines = panel.pixels(".attnlab-curves-all")
    assert all(lines.at(q * 18 + 9, 1)[3] for q in range(N))


@row("head", "lines as opaque as their weight", "the same, and as wide")
def _(panel: Panel) -> None:
    """Of the lines that leave a query, the heavier is the stronger at its key."""
    panel.show()
    query, row = max(
        ((q, of_query(panel, 0, 0, q)) for q in range(N)), key=lambda of: max(of[1].values())
    )
    panel.find("head-query", query).hover()
    panel.frame()
    lines = panel.pixels(".attnlab-curves-highlighted")
    # Over the three rows of pixels at a key's middle: a heavier line is wider as well.
    ink = {
        k: sum(lines.at(k * 18 + 9 + d, lines.width - 2)[3] for d in (-2, -1, 0, 1, 2)) for k in row
    }
    heavy = sorted(row, key=row.__getitem__)
    assert ink[heavy[-1]] > 2 * ink[heavy[0]]
    assert ink[heavy[-1]] == max(ink.values())


@row("head", "a click on a head's box", "the same")
def _(panel: Panel) -> None:
    """The head is drawn or no longer; the last one stays."""
    panel.show()
    box(panel, 3).click()
    assert pressed(panel) == [0, 3]
    box(panel, 0).click()
    assert pressed(panel) == [3]
    box(panel, 3).click()
    assert pressed(panel) == [3]


@row("head", "a double click on a head's box", "the same")
def _(panel: Panel) -> None:
    """It alone is drawn; again, all are."""
    panel.show()
    box(panel, 2).click()
    box(panel, 7).dblclick()
    assert pressed(panel) == [7]
    panel.exact()
    panel.find("head-query", 4).hover()
    assert panel.printed() == of_query(panel, 0, 7, 4)
    box(panel, 7).dblclick()
    assert pressed(panel) == list(range(12))


@row("head", "the color of a head, pale where it is not drawn", "the same, any number of heads")
def _(panel: Panel) -> None:
    """Its lines have its box's color; the box is filled where it is drawn."""
    panel.show()
    box(panel, 0).dblclick()
    background = "e => getComputedStyle(e).backgroundColor"
    edge = "e => getComputedStyle(e).borderBottomColor"
    named = [box(panel, head).evaluate(edge) for head in range(12)]
    assert len(set(named)) == 12
    filled = box(panel, 1).evaluate(background)
    box(panel, 1).click()
    assert box(panel, 1).evaluate(background) != filled
    assert box(panel, 1).evaluate(edge) == named[1]


@row("head", "layer= and heads= of head_view()", "attnlab.selection from Python")
def _(panel: Panel) -> None:
    """The layer and the heads are there."""
    panel.show()
    panel.select(site=3, head=5, heads=[2, 5])
    panel.exact()
    assert panel.find("layer-picker").input_value() == "3"
    assert pressed(panel) == [2, 5]
    panel.find("head-query", 6).hover()
    assert panel.printed() == of_query(panel, 3, 5, 6)


@row("head", "include_layers=, so that less is sent", "not needed: only what is seen is sent")
def _(panel: Panel) -> None:
    """All layers are in the picker, and choosing one fetches that one head."""
    panel.show()
    layers = panel.find("layer-picker").locator("option").all_inner_texts()
    assert layers == list("012345")
    before = panel.requests("trace/head")
    panel.find("layer-picker").select_option(label="4")
    panel.exact()
    script = "lab.kernel.log.filter(e => e.method === 'trace/head').map(e => e.params)"
    fetched = panel.page.evaluate(script)[before:]
    assert [(params["site"], params["head"]) for params in fetched] == [(4, 0)]


@row("head", "sentence_b_start=", "found by itself, from the special tokens")
def _(panel: Panel) -> None:
    """A text of two sentences has the picker, and another has none."""
    panel.show(PAIR)
    panel.find("pairs").select_option("bb")
    assert indices(panel, "head-key") == list(range(BOUNDARY, P))
    panel.run(FOX)
    panel.page.wait_for_function("lab.state.sides.value.keys.length === 10")
    panel.find("pairs").wait_for(state="detached")
    assert indices(panel, "head-key") == list(range(N))


@row("head", "prettify_tokens=", "always; the tooltip has the vocabulary's own piece")
def _(panel: Panel) -> None:
    """A piece is shown as the text that it stands for."""
    panel.show(PAIR)
    piece = panel.find("head-key", 3)
    assert piece.locator("bdi").inner_text() == "likely"
    assert "##likely" in (piece.get_attribute("title") or "")
