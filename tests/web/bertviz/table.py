"""The table of what BertViz lets a person do, and what its rows read from the page."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.web.panel import FOX, Panel, Pixels

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
