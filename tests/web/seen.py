"""What each view of a panel shows, read back and compared with what is selected."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from tests.web.panel import Panel

FIRST = ["[CLS]", "the", "un", "##likely", "fox", "[SEP]", "it", "was", "not", "happy", "[SEP]"]
SECOND = ["[CLS]", "a", "dog", "or", "fox", "[SEP]", "that", "was", "no", "surprise", "[SEP]"]
TEXTS = [FIRST, SECOND]
N, BOUNDARY = len(FIRST), 6

START: dict[str, Any] = {
    "item": 0,
    "site": 1,
    "head": 7,
    "heads": [7],
    "query": 4,
    "key": 7,
    "dimension": None,
    "pairs": "all",
}


@dataclass
class Want:
    """What is selected and hovered, and what that makes of the views."""

    selected: dict[str, Any]
    hover: dict[str, int] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return self.selected[name]

    @property
    def shown_query(self) -> int:
        return self.hover.get("query", self.query)

    @property
    def shown_key(self) -> int | None:
        return self.hover.get("key", self.key)

    @property
    def queries(self) -> list[int]:
        """Queries that the filter by sentence leaves."""
        return sentence(self.pairs[0] if self.pairs != "all" else "*")

    @property
    def keys(self) -> list[int]:
        return sentence(self.pairs[1] if self.pairs != "all" else "*")

    @property
    def words(self) -> list[str]:
        return [word.removeprefix("##") for word in TEXTS[self.item]]

    def json(self) -> str:
        """The selection as the panel tells it."""
        return json.dumps({name: self.selected[name] for name in START}, separators=(",", ":"))


def sentence(letter: str) -> list[int]:
    """Tokens of a sentence, or all."""
    return [i for i in range(N) if letter not in "ab" or (i < BOUNDARY) == (letter == "a")]


@dataclass(frozen=True)
class Token:
    """A token as a view has it."""

    index: int
    text: str
    mark: str
    selected: bool
    current: bool
    outside: bool
    tint: float | None


def tokens(panel: Panel, name: str) -> list[Token]:
    """Tokens of a view, in order."""
    found = panel.find(name).evaluate_all(
        """all => all.map(e => ({
          index: Number(e.dataset.index),
          text: (e.querySelector('bdi') ?? e).innerText,
          mark: e.dataset.mark ?? '',
          selected: e.ariaSelected === 'true',
          current: 'current' in e.dataset,
          outside: 'outside' in e.dataset,
          tint: e.dataset.tinted ? Number(e.style.getPropertyValue('--attnlab-weight')) : null
        }))"""
    )
    return [Token(**token) for token in found]


def of(tokens: list[Token], **parts: Any) -> list[int]:
    """Indices of the tokens that have these parts."""
    return [
        token.index
        for token in tokens
        if all(getattr(token, name) == value for name, value in parts.items())
    ]


def only(index: int | None, among: list[int] | range = range(N)) -> list[int]:
    return [] if index is None or index not in among else [index]


def ramp(panel: Panel) -> dict[tuple[int, ...], int]:
    """Color → weight in 255ths, by the palette's own table."""
    words = panel.page.evaluate("lab.ramp()")
    return {(w & 255, w >> 8 & 255, w >> 16 & 255): i for i, w in reversed(list(enumerate(words)))}


def strip_shows(panel: Panel, want: Want) -> None:
    chips = tokens(panel, "token")
    assert [chip.text for chip in chips] == want.words
    assert of(chips, mark="query") == only(want.shown_query)
    assert of(chips, mark="key") == only(want.shown_key)
    assert of(chips, selected=True) == sorted({*only(want.query), *only(want.key)})
    weights = panel.weights(want.site, want.head, want.item)
    query, key = want.shown_query, want.shown_key
    answers: dict[int, float] = {}
    if query in want.queries:
        answers = {k: weights[query * N + k] for k in want.keys}
    elif key in want.keys:
        answers = {q: weights[q * N + key] for q in want.queries}
    tints = {chip.index: chip.tint for chip in chips if chip.tint is not None}
    assert tints == pytest.approx(answers, abs=0.0006)
    outside = [i for i in range(N) if i not in want.queries and i not in want.keys]
    assert of(chips, outside=True) == outside


def model_shows(panel: Panel, want: Want) -> None:
    marks = panel.page.locator('[data-testid="attnlab-thumb"][data-mark]').evaluate_all(
        "all => all.map(({ dataset: d }) => [d.mark, Number(d.site), Number(d.head)])"
    )
    others = [["set", want.site, head] for head in want.heads if head != want.head]
    assert sorted(marks) == sorted([["focus", want.site, want.head], *others])
    side, top, left, row, column, x = panel.thumb(want.site, want.head).evaluate(
        """e => {
          const [query, key] = ['::before', '::after'].map(part => getComputedStyle(e, part));
          const drawn = ({ backgroundColor }) => backgroundColor !== 'rgba(0, 0, 0, 0)';
          return [e.clientWidth, parseFloat(query.top), parseFloat(key.left),
            drawn(query), drawn(key), e.offsetLeft];
        }"""
    )
    assert (row, column) == (True, want.shown_key is not None)
    assert top == pytest.approx(want.shown_query * side / N, abs=1)
    if want.shown_key is not None:
        assert left == pytest.approx(want.shown_key * side / N, abs=1)
    middles = [int((i + 0.5) * side / N) for i in range(N)]
    picture = panel.layer(want.site)
    spots = [picture.at(y, x + at) for y, at in product(middles, middles)]
    table, weights = ramp(panel), panel.weights(want.site, want.head, want.item)
    for (q, k), (*color, opacity) in zip(product(range(N), range(N)), spots, strict=True):
        assert (opacity > 0) == (q in want.queries and k in want.keys)
        if opacity:
            assert table[tuple(color)] == pytest.approx(255 * weights[q * N + k], abs=3)


def head_shows(panel: Panel, want: Want) -> None:
    """What the head view says above its lines or its matrix."""
    layer, head, pairs, drawn, said, title = panel.page.evaluate(
        """() => {
          const get = name => document.querySelector(`[data-testid="attnlab-${name}"]`);
          const boxes = document.querySelectorAll('.attnlab-head-box[aria-pressed="true"]');
          return [...['layer-picker', 'head-picker', 'pairs'].map(name => get(name).value),
            [...boxes].map(e => Number(e.dataset.head)), get('readout').innerText,
            get('readout').title];
        }"""
    )
    assert (layer, head, pairs) == (str(want.site), str(want.head), want.pairs)
    assert drawn == want.heads
    query, key = want.shown_query, want.shown_key
    if query in want.queries and key in want.keys:
        weight = panel.weights(want.site, want.head, want.item)[query * N + key]
        assert float(said.split()[-1]) == pytest.approx(weight, rel=0.06)
        lines = [line.removeprefix("head ").split(": ") for line in title.splitlines()]
        several = want.heads if len(want.heads) > 1 else []
        each = {h: panel.weights(want.site, h, want.item)[query * N + key] for h in several}
        assert {int(h): float(number) for h, number in lines} == pytest.approx(each, rel=0.06)


def lines_show(panel: Panel, want: Want) -> None:
    panel.exact()
    head_shows(panel, want)
    query, key = want.shown_query, want.shown_key
    sides = {"query": (want.queries, query, want.query), "key": (want.keys, key, want.key)}
    for side, (among, now, selected) in sides.items():
        rows = tokens(panel, f"head-{side}")
        assert [(row.index, row.text) for row in rows] == [(i, want.words[i]) for i in among]
        assert of(rows, mark="current") == only(now, among)
        assert of(rows, selected=True) == only(selected, among)
    if query not in want.queries:
        assert panel.printed() == {}
        return
    weights = panel.weights(want.site, want.head, want.item)
    assert panel.printed() == {k: weights[query * N + k] for k in want.keys}
    # Of the curves that stand out, the left ends are at the query.
    lane = 6 * len(want.heads) if len(want.heads) > 1 else 0
    ends = [(row * 18 + 9, lane + 2) for row in range(len(want.queries))]
    spots = panel.spots(".attnlab-curves-highlighted", ends)
    inked = zip(want.queries, spots, strict=True)
    assert [q for q, (*_, opacity) in inked if opacity] == [query]


def matrix_shows(panel: Panel, want: Want) -> None:
    panel.page.wait_for_selector("[data-testid=attnlab-matrix][data-exact=true]")
    panel.frame()
    head_shows(panel, want)
    query, key = want.shown_query, want.shown_key
    rows, columns = want.queries, want.keys
    sides = {"query": (rows, query, want.query), "key": (columns, key, want.key)}
    for side, (among, now, selected) in sides.items():
        labels = tokens(panel, f"matrix-{side}")
        assert [(label.index, label.text) for label in labels] == [
            (i, want.words[i]) for i in among
        ]
        assert of(labels, mark="current") == only(now, among)
        assert of(labels, mark="selected") == [i for i in only(selected, among) if i != now]
    weights = panel.weights(want.site, want.head, want.item)
    value = panel.find("matrix-value").inner_text().strip()
    if query in rows and key in columns:
        assert float(value) == pytest.approx(weights[query * N + key], rel=0.06)
    else:
        assert value == ""
    tops = panel.find("matrix-query").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().top)"
    )
    cell = (tops[-1] - tops[0]) / (len(tops) - 1)
    places = product(range(len(rows)), range(len(columns)))
    middles = [(int((i + 0.5) * cell), int((j + 0.5) * cell)) for i, j in places]
    image, table = panel.spots("[data-testid=attnlab-matrix-image]", middles), ramp(panel)
    for (q, k), (*color, _) in zip(product(rows, columns), image, strict=True):
        assert table[tuple(color)] == pytest.approx(255 * weights[q * N + k], abs=3)
    for across, among, now, selected in (
        (False, rows, query, want.query),
        (True, columns, key, want.key),
    ):
        lined = banded(panel, cell, among, across=across)
        assert lined == {*only(now, among), *only(selected, among)}


def banded(panel: Panel, cell: float, among: list[int], *, across: bool) -> set[int]:
    """Tokens whose row, or column, has a line on either side, as the marks of a matrix have."""
    around = list(product((-1, 0), range(-6, 7)))
    edges = [
        (max(0, round(edge * cell) + d), int(cell / 2) + m)
        for edge in range(len(among) + 1)
        for d, m in around
    ]
    places = [(x, y) if across else (y, x) for y, x in edges]
    spots = panel.spots("[data-testid=attnlab-matrix-marks]", places)
    lined = [
        any(opacity for *_, opacity in spots[i : i + len(around)])
        for i in range(0, len(spots), len(around))
    ]
    return {token for i, token in enumerate(among) if lined[i] and lined[i + 1]}


def neuron_shows(panel: Panel, want: Want) -> None:
    query, key = want.shown_query, want.shown_key
    panel.page.wait_for_selector(f'[data-testid="attnlab-neuron"][data-query="{query}"]')
    panel.frame()
    rows = tokens(panel, "neuron-row")
    assert [row.text for row in rows] == want.words
    assert of(rows, current=True) == only(key)
    assert of(rows, selected=True) == only(want.key)
    assert of(rows, outside=True) == [k for k in range(N) if k not in want.keys]
    named, values, titles, bands = panel.page.evaluate(
        """() => {
          const all = css => [...document.querySelectorAll(css)];
          return [document.querySelector('[data-testid="attnlab-neuron-query"]').innerText,
            all('.attnlab-neuron-row[data-index] [data-cell="weight"]')
              .map(e => Number(e.dataset.value)),
            all('.attnlab-neuron-titles [role="columnheader"]').map(e => e.textContent),
            all('.attnlab-neuron-dimension[data-selected]').length];
        }"""
    )
    assert named == want.words[query]
    weights = panel.weights(want.site, want.head, want.item)
    assert values == list(weights[query * N : (query + 1) * N])
    columns = [] if want.dimension is None else [f"k[{want.dimension}]", f"q×k[{want.dimension}]"]
    assert [title for title in titles if "[" in title] == columns
    assert bands == (0 if want.dimension is None else 3), "in the query, the keys and the products"


def python_hears(panel: Panel, want: Want) -> None:
    panel.page.wait_for_function(
        """want => {
          const report = lab.kernel.log.filter(e => e.method === 'selection/didChange').at(-1);
          return JSON.stringify(report?.params.selection) === want;
        }""",
        arg=want.json(),
    )


def all_show(panel: Panel, want: Want, look: str, *, both: bool = True) -> None:
    """Read all views, the head view in this look and, unless the pointer is in it, the other."""
    panel.page.wait_for_function("item => lab.state.shown.value.item === item", arg=want.item)
    panel.frame()
    looks = {"lines": lines_show, "matrix": matrix_shows}
    looks[look](panel, want)
    strip_shows(panel, want)
    model_shows(panel, want)
    neuron_shows(panel, want)
    python_hears(panel, want)
    if both:
        (other,) = {*looks} - {look}
        panel.page.evaluate("look => (lab.state.display.head.value = look)", other)
        panel.frame()
        looks[other](panel, want)
