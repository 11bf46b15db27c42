"""Links: each part of the selection, set in each view and from Python, is seen in all others.

A row of `WAYS` sets one part in one place; then every view is read, in what it draws and says:
the text strip, the model view, the head view as lines and as a matrix, the neuron view, and
what the panel has reported to Python.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.web.pages import opened
from tests.web.panel import Panel
from tests.web.seen import FIRST, SECOND, START, Want, all_show, of, python_hears, tokens

WIDTH = 32

# --- where each part is set ---------------------------------------------------------------


def away(panel: Panel) -> None:
    """Take the pointer and the keyboard off all views."""
    panel.page.mouse.move(2, 1498)
    panel.page.evaluate("document.activeElement.blur()")


def click(panel: Panel, name: str, index: int) -> None:
    panel.find(name, index).click(position={"x": 12, "y": 9})


def keys(panel: Panel, selector: str, *pressed: str) -> None:
    """Press keys on an element."""
    panel.page.locator(selector).focus()
    for key in pressed:
        panel.page.keyboard.press(key)


def cell(panel: Panel, query: int, key: int) -> Any:
    """Where a cell of the whole matrix is on its canvas."""
    box = panel.find("matrix-canvas").bounding_box()
    top, left = (panel.find(f"matrix-{side}", i) for side, i in (("query", query), ("key", key)))
    row, column = top.bounding_box(), left.bounding_box()
    assert box
    assert row
    assert column
    return {
        "x": column["x"] + column["width"] / 2 - box["x"],
        "y": row["y"] + row["height"] / 2 - box["y"],
    }


def dimension(panel: Panel, at: int, key: int) -> None:
    """Click on a dimension in the strip of a key."""
    strip = panel.page.locator(f'.attnlab-neuron-row[data-index="{key}"] [data-strip="k"]')
    box = strip.bounding_box()
    assert box
    strip.click(position={"x": (at + 0.5) * box["width"] / WIDTH, "y": box["height"] / 2})


@dataclass
class Way:
    """Sets a part of the selection in one place."""

    part: str
    where: str
    does: Callable[[Panel], Any]
    sets: dict[str, Any]
    look: str = "lines"

    def __str__(self) -> str:
        return f"{self.part}-{self.where}".replace(" ", "_")


NODE = '[data-testid="attnlab-%s"]'
TOKENS, QUERIES, KEYS = ".attnlab-tokens", ".attnlab-queries", ".attnlab-keys"
MATRIX, NEURON = NODE % "matrix", NODE % "neuron"

WAYS = [
    Way("focus", "thumbnail pointer", lambda p: p.thumb(2, 3).click(),
        {"site": 2, "head": 3, "heads": [3]}),
    Way("focus", "thumbnail keys",
        lambda p: keys(p, '[data-site="1"][data-head="7"]', "ArrowDown", "ArrowLeft"),
        {"site": 2, "head": 6, "heads": [6]}),
    Way("layer", "head view picker",
        lambda p: p.find("layer-picker").select_option(label="3"), {"site": 3}),
    Way("layer", "head view picker keys",
        lambda p: keys(p, NODE % "layer-picker", "ArrowDown"), {"site": 2}),
    Way("head", "head view picker",
        lambda p: p.find("head-picker").select_option(label="2"), {"head": 2, "heads": [2]}),
    Way("head", "matrix picker",
        lambda p: p.find("head-picker").select_option(label="2"),
        {"head": 2, "heads": [2]}, "matrix"),
    Way("focus", "Python", lambda p: p.select(site=2, head=3, heads=[3]),
        {"site": 2, "head": 3, "heads": [3]}),

    Way("heads", "boxes pointer", lambda p: p.page.locator(".attnlab-head-box").nth(3).click(),
        {"head": 3, "heads": [3, 7]}),
    Way("heads", "boxes keys",
        lambda p: keys(p, '.attnlab-head-box[tabindex="0"]', "ArrowLeft", "Enter"),
        {"head": 6, "heads": [6, 7]}),
    Way("heads", "boxes over the matrix",
        lambda p: p.page.locator(".attnlab-head-box").nth(3).click(),
        {"head": 3, "heads": [3, 7]}, "matrix"),
    Way("heads", "thumbnail Shift and pointer",
        lambda p: p.thumb(1, 3).click(modifiers=["Shift"]), {"head": 3, "heads": [3, 7]}),
    Way("heads", "thumbnail Shift and keys",
        lambda p: keys(p, '[data-site="1"][data-head="7"]', "Shift+ArrowLeft", "Shift+Enter"),
        {"head": 6, "heads": [6, 7]}),
    Way("heads", "Python", lambda p: p.select(heads=[2, 3, 7]), {"heads": [2, 3, 7]}),

    Way("query", "strip pointer", lambda p: p.find("token", 8).click(), {"query": 8}),
    Way("query", "strip keys", lambda p: keys(p, TOKENS, "ArrowRight", "Enter"), {"query": 5}),
    Way("query", "lines pointer", lambda p: click(p, "head-query", 8), {"query": 8}),
    Way("query", "lines keys", lambda p: keys(p, QUERIES, "ArrowDown", "Enter"), {"query": 5}),
    Way("query", "matrix pointer",
        lambda p: p.find("matrix-canvas").click(position=cell(p, 8, 7)), {"query": 8}, "matrix"),
    Way("query", "matrix keys",
        lambda p: keys(p, MATRIX, "ArrowDown", "Enter"), {"query": 5}, "matrix"),
    Way("query", "Python", lambda p: p.select(query=8), {"query": 8}),

    Way("key", "lines pointer", lambda p: click(p, "head-key", 9), {"key": 9}),
    Way("key", "lines keys", lambda p: keys(p, KEYS, "ArrowUp", "Enter"), {"key": 6}),
    Way("key", "matrix pointer",
        lambda p: p.find("matrix-canvas").click(position=cell(p, 4, 2)), {"key": 2}, "matrix"),
    Way("key", "matrix keys",
        lambda p: keys(p, MATRIX, "ArrowLeft", "Enter"), {"key": 6}, "matrix"),
    Way("key", "neuron view pointer", lambda p: click(p, "neuron-row", 9), {"key": 9}),
    Way("key", "neuron view keys", lambda p: keys(p, NEURON, "ArrowDown", "Enter"), {"key": 8}),
    Way("key", "Python", lambda p: p.select(key=9), {"key": 9}),
    Way("key", "nowhere any more", lambda p: click(p, "head-key", 7), {"key": None}),

    Way("dimension", "neuron view pointer", lambda p: dimension(p, 9, 2), {"dimension": 9}),
    Way("dimension", "neuron view keys",
        lambda p: keys(p, NEURON, "ArrowRight", "ArrowRight", "Enter"), {"dimension": 1}),
    Way("dimension", "Python", lambda p: p.select(dimension=9), {"dimension": 9}),

    Way("pairs", "lines", lambda p: p.find("pairs").select_option("ab"), {"pairs": "ab"}),
    Way("pairs", "lines keys", lambda p: keys(p, NODE % "pairs", "ArrowDown"), {"pairs": "aa"}),
    Way("pairs", "matrix",
        lambda p: p.find("pairs").select_option("bb"), {"pairs": "bb"}, "matrix"),
    Way("pairs", "Python", lambda p: p.select(pairs="ba"), {"pairs": "ba"}),

    Way("item", "header pointer",
        lambda p: p.page.get_by_role("button", name="Next batch item").click(), {"item": 1}),
    Way("item", "header keys",
        lambda p: keys(p, '[role="spinbutton"]', "ArrowUp"), {"item": 1}),
    Way("item", "Python", lambda p: p.select(item=1), {"item": 1}),
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(browser: Browser, folder: Path) -> Iterator[tuple[Panel, list[str]]]:
    """A page that shows two items of a batch, each of two sentences, and what it complains of."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 900, "height": 1500})
    panel = opened(context, f"file://{folder}/page.html", errors)
    panel.show(FIRST, batch=[SECOND], layers=4, heads=8)
    yield panel, errors
    context.close()


@pytest.fixture
def panel(shown: tuple[Panel, list[str]]) -> Iterator[Panel]:
    """A panel that has a head and a pair of tokens selected, and nothing under the pointer."""
    panel, errors = shown
    away(panel)
    panel.page.evaluate(
        """selection => {
          lab.state.selection.hover.value = {};
          const display = { head: 'lines', hideSpecial: false, words: false };
          lab.state.restore({ selection, display });
        }""",
        START,
    )
    panel.page.wait_for_function("lab.state.shown.value.item === 0")
    panel.exact()
    yield panel
    assert errors == []


def show_as(panel: Panel, look: str) -> None:
    panel.page.evaluate("look => (lab.state.display.head.value = look)", look)
    if look == "matrix":
        panel.page.wait_for_selector("[data-testid=attnlab-matrix][data-exact=true]")
    panel.frame()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_selection_in_one_view_is_shown_in_all(panel: Panel, way: Way) -> None:
    show_as(panel, way.look)
    way.does(panel)
    away(panel)
    all_show(panel, Want(START | way.sets), way.look)


HOVERS = [
    Way("query", "strip pointer", lambda p: p.find("token", 8).hover(), {"query": 8}),
    Way("query", "strip keys", lambda p: keys(p, TOKENS, "ArrowRight"), {"query": 5}),
    Way("query", "lines pointer", lambda p: p.find("head-query", 8).hover(), {"query": 8}),
    Way("query", "lines keys", lambda p: keys(p, QUERIES, "ArrowDown"), {"query": 5}),
    Way("key", "lines pointer", lambda p: p.find("head-key", 2).hover(), {"key": 2}),
    Way("key", "lines keys", lambda p: keys(p, KEYS, "ArrowDown"), {"key": 8}),
    Way("pair", "matrix pointer",
        lambda p: p.find("matrix-canvas").hover(position=cell(p, 8, 2)),
        {"query": 8, "key": 2}, "matrix"),
    Way("pair", "matrix keys", lambda p: keys(p, MATRIX, "ArrowDown", "ArrowLeft"),
        {"query": 5, "key": 6}, "matrix"),
    Way("key", "neuron view pointer",
        lambda p: p.find("neuron-row", 2).hover(position={"x": 12, "y": 9}), {"key": 2}),
    Way("key", "neuron view keys", lambda p: keys(p, NEURON, "ArrowDown"), {"key": 8}),
]  # fmt: skip


@pytest.mark.parametrize("way", HOVERS, ids=str)
def test_a_hovered_token_is_marked_in_all_views_and_not_sent_to_python(
    panel: Panel, way: Way
) -> None:
    show_as(panel, way.look)
    way.does(panel)
    elsewhere = way.where.startswith(("strip", "neuron"))
    all_show(panel, Want(START, way.sets), way.look, both=elsewhere)


def test_the_text_is_tinted_by_the_weights_that_the_head_view_shows(panel: Panel) -> None:
    panel.find("hide-special").click()
    panel.find("words").click()
    away(panel)
    panel.frame()
    printed = panel.printed()
    assert sum(printed.values()) == pytest.approx(1), "renormalized over the tokens that are shown"
    chips = tokens(panel, "token")
    assert of(chips, outside=True) == [0, 5, 10]
    pieces = {3: 2}  # “likely” belongs to the word that “un” begins
    tints = {chip.index: chip.tint for chip in chips if chip.tint is not None}
    assert tints == pytest.approx(
        {i: printed[pieces.get(i, i)] for i in (1, 2, 3, 4, 6, 7, 8, 9)}, abs=0.0006
    )


# --- two texts ----------------------------------------------------------------------------

SOURCE, TARGET = ["a", "b", "c", "d"], ["x", "y", "z"]
SITES = [
    *({"stack": "encoder.#", "rows": 1, "columns": 1, "layer": layer} for layer in (0, 1)),
    {"kind": "decoder", "stack": "decoder.#", "rows": 0, "columns": 0, "layer": 0},
    {"kind": "cross", "stack": "decoder.#.cross", "rows": 0, "columns": 1, "layer": 0},
]
SIDES = [(SOURCE, SOURCE), (SOURCE, SOURCE), (TARGET, TARGET), (TARGET, SOURCE)]
CROSS = {"site": 3, "head": 1, "heads": [1], "query": 0, "key": 2}


def strip_keys(panel: Panel) -> Any:
    """The strip of the keys' text."""
    return panel.page.locator('.attnlab-tokens[data-side="key"]')


TWO = [
    Way("query", "strip of the queries",
        lambda p: p.page.locator(TOKENS).first.locator('[data-index="1"]').click(), {"query": 1}),
    Way("query", "Python", lambda p: p.select(query=2), {"query": 2}),
    Way("key", "strip of the keys",
        lambda p: strip_keys(p).locator('[data-index="3"]').click(), {"key": 3}),
    Way("key", "strip of the keys keys",
        lambda p: keys(p, f'{TOKENS}[data-side="key"]', "ArrowLeft", "Enter"), {"key": 1}),
    Way("site", "stack picker",
        lambda p: p.find("stack").select_option(label="Encoder"), {"site": 0}),
    Way("site", "stack picker keys", lambda p: keys(p, NODE % "stack", "ArrowUp"), {"site": 2}),
    Way("site", "thumbnail pointer",
        lambda p: p.thumb(1, 3).click(), {"site": 1, "head": 3, "heads": [3]}),
    Way("site", "Python",
        lambda p: p.select(site=2, head=0, heads=[0]), {"site": 2, "head": 0, "heads": [0]}),
]  # fmt: skip


@pytest.mark.parametrize("way", TWO, ids=str)
def test_two_texts_are_shown_on_both_sides_in_all_views(tall_panel: Panel, way: Way) -> None:
    panel = tall_panel
    panel.show(TARGET, keyWords=SOURCE, sites=SITES, heads=4)
    panel.select(**CROSS)
    panel.exact()
    way.does(panel)
    away(panel)
    want = Want(START | CROSS | way.sets)
    queries, texts = SIDES[want.site]
    if queries is TARGET and texts is TARGET:
        want.selected["key"] = min(want.key, len(TARGET) - 1)
    python_hears(panel, want)
    panel.exact()

    strips = panel.page.locator(TOKENS)
    assert [strip.all_inner_texts() for strip in (
        strips.nth(i).locator(NODE % "token") for i in range(strips.count())
    )] == ([queries] if queries is texts else [queries, texts])  # fmt: skip
    row = panel.weights(want.site, want.head)[want.query * len(texts) :][: len(texts)]
    tint = f'[data-index="{want.key}"]'
    shown_value = strips.last.locator(tint).evaluate(
        "e => e.style.getPropertyValue('--attnlab-weight')"
    )
    assert float(shown_value) == pytest.approx(row[want.key], abs=0.0006)
    assert strips.first.locator('[data-mark="query"], [data-mark="both"]').count() == 1
    assert strips.last.locator('[data-mark="key"], [data-mark="both"]').count() == 1

    framed = panel.page.locator('.attnlab-thumb[data-mark="focus"]')
    assert framed.evaluate_all("all => all.map(e => [+e.dataset.site, +e.dataset.head])") == [
        [want.site, want.head]
    ]
    for site, thread in enumerate(SIDES):
        ticks = panel.thumb(site, 0).evaluate(
            """e => ['::before', '::after'].map(part =>
              getComputedStyle(e, part).backgroundColor !== 'rgba(0, 0, 0, 0)')"""
        )
        assert ticks == [thread[0] is queries, thread[1] is texts]

    assert panel.find("layer-picker").input_value() == str(want.site)
    assert panel.find("head-query").locator("bdi").all_inner_texts() == queries
    assert panel.find("head-key").locator("bdi").all_inner_texts() == texts
    assert panel.printed() == dict(enumerate(row))
    assert of(tokens(panel, "head-query"), selected=True) == [want.query]
    assert of(tokens(panel, "head-key"), selected=True) == [want.key]

    panel.page.wait_for_selector(f'{NEURON}[data-query="{want.query}"]:not([aria-busy="true"])')
    assert panel.find("neuron-row").locator("bdi").all_inner_texts() == texts
    weights = panel.page.locator('.attnlab-neuron-row [data-cell="weight"]')
    assert weights.evaluate_all("all => all.map(e => Number(e.dataset.value))") == [*row]

    show_as(panel, "matrix")
    assert panel.find("matrix-query").all_inner_texts() == queries
    assert panel.find("matrix-key").all_inner_texts() == texts
    value = panel.find("matrix-value").inner_text()
    assert float(value) == pytest.approx(row[want.key], rel=0.06)


# --- Python itself ------------------------------------------------------------------------


def test_assignments_are_shown_in_all_views_and_user_actions_are_observed(
    serve: Callable[..., tuple[Panel, Any]],
) -> None:
    """`attnlab.selection` on attnlab's own server, with a tiny model."""
    torch = pytest.importorskip("torch")
    from transformers import BertConfig, BertModel

    from attnlab.server.selection.active import Selection

    torch.manual_seed(0)
    shape: dict[str, Any] = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32}
    model = BertModel(BertConfig(**shape, intermediate_size=32, vocab_size=50)).eval()
    panel, kernel = serve()
    trace = kernel.run(lambda: model(torch.arange(1, 13).view(2, 6)))
    panel.exact()
    selection = Selection()
    selection.attach(kernel.endpoint)
    heard: queue.Queue[Any] = queue.Queue()
    selection.observe(lambda change: heard.put(change.new), names="key")

    selection.item = 1
    selection.site, selection.head = 2, 3
    selection.heads = [1, 3]
    selection.query, selection.key, selection.dimension = 4, 1, 5
    panel.page.wait_for_function(
        """() => JSON.stringify(lab.state.selection) === JSON.stringify({ item: 1, site: 2,
          head: 3, heads: [1, 3], query: 4, key: 1, dimension: 5, pairs: 'all' })"""
    )
    panel.page.wait_for_function("lab.state.shown.value.item === 1")
    panel.frame()
    panel.exact()
    row = trace.head(2, 3, item=1)[4]
    assert list(panel.printed().values()) == [float(weight) for weight in row]
    assert panel.find("item").inner_text() == "2/2"
    assert of(tokens(panel, "token"), mark="query") == [4]
    assert panel.thumb(2, 3).get_attribute("data-mark") == "focus"
    assert panel.thumb(2, 1).get_attribute("data-mark") == "set"
    panel.page.wait_for_selector(f'{NEURON}[data-query="4"]:not([aria-busy="true"])')
    assert of(tokens(panel, "neuron-row"), selected=True) == [1]
    assert "k[5]" in (panel.page.locator(".attnlab-neuron-titles").text_content() or "")

    click(panel, "head-key", 3)
    assert [heard.get(timeout=10), heard.get(timeout=10)] == [1, 3]
    assert (selection.item, selection.query, selection.key) == (1, 4, 3)
