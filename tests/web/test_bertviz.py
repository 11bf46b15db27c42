"""Everything that BertViz 1.4.1 lets a person do, driven in attnlab.

`TABLE` has a row for each handler and menu of BertViz's `head_view.js`, `model_view.js` and
`neuron_view.js`, and for each argument of `head_view()`, `model_view()` and `show()` that says
what is seen first (one that several views have stands once, unless they differ): the view, what
a person does in BertViz, what they do here; the row's test says what is then seen. Three
differences run through it. The views are one panel, so that a thing is done once for all of
them. What BertViz wants as an argument before it draws is here chosen while looking, by a
control or from Python through `attnlab.selection`. And attention is recorded rather than passed
in, so that the arguments `attention`, `tokens`, `encoder_attention`, `decoder_attention`,
`cross_attention`, `encoder_tokens`, `decoder_tokens`, `model`, `model_type`, `tokenizer`,
`sentence_a` and `sentence_b` are the tagged cell's own. Out of a browser's reach is only
`html_action='return'`, which hands HTML to Python.
"""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.web.panel import FOX, Panel, Pixels, box_of

N = len(FOX)
WIDTH = 32

#: Two sentences as BERT's tokenizer marks them, with a word of two pieces in the first.
PAIR = ["[CLS]", "the", "un", "##likely", "fox", "[SEP]", "it", "was", "not", "happy", "[SEP]"]
P, BOUNDARY = len(PAIR), 6
PAIRS = {"all": ("*", "*"), "aa": ("a", "a"), "bb": ("b", "b"), "ab": ("a", "b"), "ba": ("b", "a")}

SOURCE, TARGET = ["a", "b", "c", "d"], ["x", "y"]
ENCODER_DECODER = [
    *({"stack": "encoder.#", "rows": 1, "columns": 1, "layer": layer} for layer in (0, 1)),
    {"kind": "decoder", "stack": "decoder.#", "rows": 0, "columns": 0, "layer": 0},
    {"kind": "cross", "stack": "decoder.#.cross", "rows": 0, "columns": 1, "layer": 0},
]


@dataclass(frozen=True)
class Row:
    """One thing that BertViz can do."""

    view: str
    in_bertviz: str
    here: str
    seen: str
    drive: Callable[[Panel], None]

    def __str__(self) -> str:
        return f"{self.view}: {self.in_bertviz}".replace(" ", "_")


TABLE: list[Row] = []


def row(view: str, in_bertviz: str, here: str) -> Callable[[Callable[[Panel], None]], None]:
    """Add what follows to the table; its docstring says what is seen."""
    return lambda drive: TABLE.append(Row(view, in_bertviz, here, drive.__doc__ or "", drive))


def sentence(letter: str) -> list[int]:
    """Tokens of a sentence, or all."""
    return [i for i in range(P) if letter == "*" or (i < BOUNDARY) == (letter == "a")]


def indices(panel: Panel, name: str) -> list[int]:
    """Tokens of the rows that a view has in the page."""
    return panel.find(name).evaluate_all("all => all.map(e => Number(e.dataset.index))")


def pressed(panel: Panel) -> list[int]:
    """Heads drawn, by their boxes."""
    boxes = panel.page.locator('[data-testid="attnlab-head-box"][aria-pressed="true"]')
    return boxes.evaluate_all("all => all.map(e => Number(e.dataset.head))")


def box(panel: Panel, head: int) -> Any:
    """The colored box of a head."""
    return panel.page.locator(f'[data-testid="attnlab-head-box"][data-head="{head}"]')


def of_query(panel: Panel, site: int, head: int, query: int, keys: int = N) -> dict[int, float]:
    """Key → the kernel's weight."""
    weights = panel.weights(site, head)
    return {key: weights[query * keys + key] for key in range(keys)}


def apart(panel: Panel, query: int) -> None:
    """Wait until the neuron view shows a query."""
    panel.page.wait_for_selector(f'[data-testid="attnlab-neuron"][data-query="{query}"]')


def column(panel: Panel, name: str) -> dict[int, float]:
    """Key → number, of a column of the neuron view."""
    cells = panel.page.locator(f'.attnlab-neuron-row[data-index] [data-cell="{name}"]')
    script = "all => all.map(e => [e.closest('[data-index]').dataset.index, e.dataset.value])"
    return {int(key): float(value) for key, value in cells.evaluate_all(script)}


def vectors(panel: Panel, script: str) -> array[float]:
    return array("f", base64.b64decode(panel.page.evaluate(f"lab.base64({script})")))


def background(picture: Pixels) -> tuple[int, ...]:
    """Brightest color of a picture, which is its background in the light and not in the dark."""
    spots = {picture.at(y, x)[:3] for y in range(0, picture.height, 5) for x in range(0, 60, 3)}
    return max(spots, key=sum)


def thumbnail(panel: Panel, site: int, head: int) -> Callable[[float, float], tuple[int, ...]]:
    """Color of a thumbnail at a share of its height and of its width."""
    picture = panel.layer(site)
    left, side = panel.thumb(site, head).evaluate("e => [e.offsetLeft, e.clientWidth]")
    return lambda down, across: picture.at(
        min(int(down * side), picture.height - 1), left + min(int(across * side), side - 1)
    )


# --- head_view ----------------------------------------------------------------------------


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


# --- model_view ---------------------------------------------------------------------------


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


# --- neuron_view --------------------------------------------------------------------------


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


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_feature_of_bertviz_has_a_counterpart(tall_panel: Panel, row: Row) -> None:
    row.drive(tall_panel)


def test_each_row_of_the_table_is_unique_and_complete() -> None:
    assert len({str(row) for row in TABLE}) == len(TABLE)
    assert all(row.in_bertviz and row.here and row.seen for row in TABLE)
