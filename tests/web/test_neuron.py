"""The neuron view: one query taken apart, in the kernel's own numbers."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Callable
from itertools import product
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Position

from tests.web.panel import FOX, Panel

N = len(FOX)
WIDTH = 32
STEPS = ["q·k", "scale", "bias", "mask"]


def take_apart(panel: Panel, site: int, head: int, query: int) -> None:
    """Show a head, select a query, and wait for its numbers."""
    panel.thumb(site, head).click()
    panel.find("head-query", query).click()
    came(panel, query)


def came(panel: Panel, query: int) -> None:
    panel.page.wait_for_selector(f'[data-testid="attnlab-neuron"][data-query="{query}"]')


def column(panel: Panel, name: str) -> dict[int, float]:
    """Key → number, of one column."""
    cells = panel.page.locator(f'.attnlab-neuron-row[data-index] [data-cell="{name}"]')
    script = "all => all.map(e => [e.closest('[data-index]').dataset.index, e.dataset.value])"
    return {int(key): float(value) for key, value in cells.evaluate_all(script)}


def vectors(panel: Panel, script: str) -> array[float]:
    return array("f", base64.b64decode(panel.page.evaluate(f"lab.base64({script})")))


def strip(panel: Panel, key: int, name: str = "product") -> Locator:
    return panel.page.locator(f'.attnlab-neuron-row[data-index="{key}"] [data-strip="{name}"]')


def at(panel: Panel, place: int, key: int, name: str = "product") -> Position:
    """Where in a strip of `WIDTH` dimensions the one at `place` stands."""
    box = strip(panel, key, name).bounding_box()
    assert box
    return {"x": (place + 0.5) * box["width"] / WIDTH, "y": box["height"] / 2}


def readout(panel: Panel) -> str:
    return panel.find("neuron-readout").inner_text()


@pytest.mark.parametrize(
    ("shape", "query"),
    [({}, 4), ({"mass": 0.8}, 4), ({"sites": [{"kind": "decoder"}] * 2}, 6)],
)
def test_the_terms_lead_to_the_weights_of_the_head_view(
    panel: Panel, shape: dict[str, Any], query: int
) -> None:
    panel.show(**shape)
    take_apart(panel, 1, 7, query)
    panel.exact()
    q = vectors(panel, f"lab.query(1, 7, {query})")
    k = vectors(panel, "lab.keys(1, 7)")
    dots = [sum(q[i] * k[key * WIDTH + i] for i in range(WIDTH)) for key in range(N)]
    assert column(panel, "q·k") == pytest.approx(dict(enumerate(dots)), rel=1e-5)
    scaled = {key: dot / math.sqrt(WIDTH) for key, dot in enumerate(dots)}
    assert column(panel, "scale") == pytest.approx(scaled, rel=1e-5)
    last = column(panel, STEPS[-1])
    sinks = (
        panel.find("neuron-sink")
        .locator("[data-value]")
        .evaluate_all("all => all.map(e => Number(e.dataset.value))")
    )
    total = sum(map(math.exp, last.values())) + sum(map(math.exp, sinks[:1]))
    weights = column(panel, "weight")
    assert weights == pytest.approx({key: math.exp(s) / total for key, s in last.items()}, abs=1e-6)
    assert weights == panel.printed()
    assert len(sinks) == (2 if "mass" in shape else 0)
    if sinks:
        assert sinks[1] == pytest.approx(math.exp(sinks[0]) / total, abs=1e-6)
        assert sinks[1] == pytest.approx(float(panel.find("sink").get_attribute("data-value") or 0))


def test_a_masked_key_is_labeled_as_masked(panel: Panel) -> None:
    panel.show(sites=[{"kind": "decoder"}])
    take_apart(panel, 0, 3, 2)
    said = panel.page.locator('[data-cell="mask"]').all_inner_texts()
    assert said[3:] == ["masked"] * (N - 3)
    assert "masked" not in said[:3]
    assert column(panel, "mask")[N - 1] == -math.inf


def test_a_query_that_may_attend_to_no_key_has_no_weights(panel: Panel) -> None:
    panel.show(nan=4)
    take_apart(panel, 1, 7, 4)
    weights = panel.page.locator('.attnlab-neuron-row[data-index] [data-cell="weight"]')
    assert {text.strip() for text in weights.all_inner_texts()} == {"NaN"}


@pytest.mark.parametrize("scale", [1, 2])
def test_every_block_of_a_strip_shows_the_sign_and_magnitude_of_its_number(
    open_panel: Callable[..., Panel], scale: int
) -> None:
    panel = open_panel(device_scale_factor=scale)
    panel.show()
    take_apart(panel, 1, 7, 4)
    panel.page.mouse.move(0, 0)
    panel.frame()
    picture = panel.pixels('[data-testid="attnlab-neuron-strips"]')
    strip_box = strip(panel, 0, "k").bounding_box()
    beside = strip(panel, 0, "product").bounding_box()
    assert strip_box
    assert beside
    q = vectors(panel, "lab.query(1, 7, 4)")
    k = vectors(panel, "lab.keys(1, 7)")
    left = beside["x"] - strip_box["x"]
    zero = panel.page.evaluate(
        "getComputedStyle(document.querySelector('#panel')).getPropertyValue('--attnlab-zero')"
    ).strip()
    background = tuple(bytes.fromhex(zero[1:]))
    for offset, numbers in (
        (0.0, list(k)),
        (left, [q[i % WIDTH] * number for i, number in enumerate(k)]),
    ):
        shown = []
        for key, i in product(range(N), range(WIDTH)):
            x = int((offset + (i + 0.5) * strip_box["width"] / WIDTH) * scale)
            upper, middle, lower = (
                picture.at(int((18 * key + y) * scale), x)[:3] for y in (3, 9, 15)
            )
            number = numbers[key * WIDTH + i]
            assert (lower if number > 0 else upper) == background
            assert (upper if number > 0 else lower) == middle
            red, _, blue = middle
            distance = sum(abs(a - b) for a, b in zip(middle, background, strict=True))
            assert distance < 12 or (blue > red) == (number > 0)
            shown.append((number, distance))
        for sign in (1, -1):
            one = sorted((abs(x), d) for x, d in shown if x * sign > 0)
            assert [d for _, d in one] == sorted(d for _, d in one)
            assert one[-1][1] > 150


def test_it_opens_with_a_sentence_and_an_example(panel: Panel) -> None:
    panel.show()
    panel.thumb(3, 7).click()
    panel.exact()
    assert "Click a token" in panel.find("neuron-prompt").inner_text()
    assert panel.requests("trace/neuron") == panel.requests("trace/vectors") == 0
    panel.find("neuron-example").click()
    weights = panel.weights(3, 7)
    words = range(1, N - 1)
    best = max(
        ((q, k) for q, k in product(words, words) if q != k), key=lambda p: weights[p[0] * N + p[1]]
    )
    assert (panel.focus()["query"], panel.focus()["key"]) == best
    came(panel, best[0])
    assert panel.find("neuron-query").inner_text() == FOX[best[0]]


@pytest.mark.parametrize(
    ("method", "why"), [("tap", "could not be traced"), ("returned", "returned its weights")]
)
def test_where_only_weights_are_known_the_view_gives_the_reason(
    panel: Panel, method: str, why: str
) -> None:
    panel.show(sites=[{"terms": "weights", "method": method}])
    panel.find("head-query", 2).click()
    said = panel.find("neuron-unknown").inner_text()
    assert "not its queries, keys and score terms" in said
    assert why in said
    assert panel.requests("trace/neuron") == panel.requests("trace/vectors") == 0


def test_a_refusal_is_shown_with_its_reason(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.kernel.held.add('trace/neuron')")
    panel.find("head-query", 2).click()
    panel.page.evaluate("lab.kernel.traces = []; lab.kernel.release()")
    assert "the cell has run again" in panel.find("neuron-refusal").inner_text()


# --- linking --------------------------------------------------------------------------


def test_a_hovered_key_is_marked_everywhere_without_asking_the_kernel(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 3, 7, 4)
    # The selection is reported a moment later.
    panel.page.wait_for_function("lab.kernel.log.at(-1).params.query === 4")
    before = panel.requests()
    panel.find("neuron-row", 6).hover(position={"x": 20, "y": 9})
    assert panel.find("head-key", 6).get_attribute("data-mark") == "current"
    assert panel.find("token", 6).get_attribute("data-mark") == "key"
    assert panel.find("neuron-row", 6).get_attribute("data-current") == ""
    panel.find("head-key", 2).hover()
    assert panel.find("neuron-row", 2).get_attribute("data-current") == ""
    assert panel.find("neuron-row", 6).get_attribute("data-current") is None
    assert panel.requests() == before


def test_a_click_on_a_row_selects_its_key_and_another_clears_it(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 3, 7, 4)
    row = panel.find("neuron-row", 6)
    row.click(position={"x": 20, "y": 9})
    assert panel.focus()["key"] == 6
    assert row.get_attribute("aria-selected") == "true"
    row.click(position={"x": 20, "y": 9})
    assert panel.focus()["key"] is None


def test_the_row_of_the_query_is_marked_where_it_is_also_a_key(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 3, 7, 4)
    assert panel.page.locator(".attnlab-neuron-row[data-query]").count() == 1
    assert panel.find("neuron-row", 4).get_attribute("data-query") == "true"


def test_a_hovered_query_is_requested_when_the_pointer_rests_and_marked_until_it_arrives(
    panel: Panel,
) -> None:
    panel.show()
    take_apart(panel, 3, 7, 4)
    panel.page.evaluate("lab.kernel.held.add('trace/neuron')")
    panel.find("head-query", 6).hover()
    panel.page.wait_for_function(
        "lab.kernel.log.filter(e => e.method === 'trace/neuron').length === 2"
    )
    assert panel.find("neuron-query").inner_text() == FOX[4]
    assert FOX[6] in panel.find("neuron-loading").inner_text()
    panel.page.evaluate("lab.kernel.release()")
    came(panel, 6)
    assert panel.find("neuron-query").inner_text() == FOX[6]
    assert panel.find("neuron-loading").count() == 0
    row = panel.weights(3, 7)[6 * N : 7 * N]
    assert column(panel, "weight") == dict(enumerate(row))
    panel.page.mouse.move(0, 0)
    came(panel, 4)
    assert panel.requests("trace/neuron") == 2


# --- dimensions -----------------------------------------------------------------------


def test_the_numbers_of_a_dimension_are_read_where_the_pointer_is(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 1, 7, 4)
    strip(panel, 3).hover(position=at(panel, 9, 3))
    q = vectors(panel, "lab.query(1, 7, 4)")[9]
    k = vectors(panel, "lab.keys(1, 7)")[3 * WIDTH + 9]
    numbers = readout(panel).replace("−", "-").removeprefix("dimension 9: ")
    left, result = numbers.split(" = ")
    assert [float(x) for x in left.split(" × ")] == pytest.approx([q, k], abs=0.006)
    assert float(result) == pytest.approx(q * k, abs=0.06)


def test_a_click_on_a_dimension_shows_it_over_all_keys(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 1, 7, 4)
    assert column(panel, "k") == {}
    strip(panel, 3).click(position=at(panel, 9, 3))
    assert panel.focus()["dimension"] == 9
    q = vectors(panel, "lab.query(1, 7, 4)")
    k = vectors(panel, "lab.keys(1, 7)")
    assert column(panel, "k") == {key: k[key * WIDTH + 9] for key in range(N)}
    products = {key: q[9] * k[key * WIDTH + 9] for key in range(N)}
    assert column(panel, "product") == pytest.approx(products, rel=1e-6)
    # In the query's strip, the keys' and the products'.
    assert panel.page.locator(".attnlab-neuron-dimension[data-selected]").count() == 3
    strip(panel, 0, "k").click(position=at(panel, 9, 0, "k"))
    assert panel.focus()["dimension"] is None
    assert column(panel, "k") == {}


def test_dimensions_are_sorted_by_their_contribution_to_the_selected_key(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 1, 7, 4)
    panel.find("neuron-row", 6).click(position={"x": 20, "y": 9})
    toggle = panel.find("neuron-order")
    assert toggle.get_attribute("aria-pressed") == "false"
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "true"
    q = vectors(panel, "lab.query(1, 7, 4)")
    k = vectors(panel, "lab.keys(1, 7)")
    order = sorted(range(WIDTH), key=lambda i: -q[i] * k[6 * WIDTH + i])
    for place in (0, 1, WIDTH // 2, WIDTH - 1):
        strip(panel, 6).hover(position=at(panel, place, 6))
        assert readout(panel).startswith(f"dimension {order[place]}:")
    panel.page.evaluate("lab.state.selection.key.value = null")
    heaviest = max(range(N), key=panel.weights(1, 7)[4 * N : 5 * N].__getitem__)
    first = max(range(WIDTH), key=lambda i: q[i] * k[heaviest * WIDTH + i])
    strip(panel, heaviest).hover(position=at(panel, 0, heaviest))
    assert readout(panel).startswith(f"dimension {first}:")


def test_everything_works_from_the_keyboard(panel: Panel) -> None:
    panel.show()
    take_apart(panel, 1, 7, 4)
    grid = panel.find("neuron")
    grid.focus()
    keyboard = panel.page.keyboard
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    assert panel.find("neuron-row", 1).get_attribute("data-current") == ""
    assert (grid.get_attribute("aria-activedescendant") or "").endswith("-1")
    keyboard.press("Enter")
    assert panel.focus()["key"] == 1
    for _ in range(3):
        keyboard.press("ArrowRight")
    keyboard.press("ArrowLeft")
    assert readout(panel).startswith("dimension 1:")
    assert panel.page.locator('.attnlab-neuron-part [aria-live="polite"]').inner_text() == readout(
        panel
    )
    keyboard.press("Enter")
    assert panel.focus()["dimension"] == 1
    assert panel.focus()["key"] == 1
    keyboard.press("Escape")
    assert panel.focus()["dimension"] is None
    assert panel.find("neuron-prompt").is_visible()


# --- room -----------------------------------------------------------------------------


def test_only_keys_in_view_are_in_the_page(panel: Panel) -> None:
    panel.show([f"w{i}" for i in range(600)], layers=1, heads=2)
    take_apart(panel, 0, 1, 4)
    grid = panel.find("neuron")
    assert panel.find("neuron-row").count() < 60
    grid.evaluate("box => { box.scrollTop = 400 * 18 }")
    row = panel.find("neuron-row", 402)
    row.wait_for()
    assert panel.find("neuron-row").count() < 60
    weight = float(row.locator('[data-cell="weight"]').get_attribute("data-value") or "nan")
    assert weight == panel.weights(0, 1)[4 * 600 + 402]
    canvas = panel.find("neuron-strips").bounding_box()
    view = grid.bounding_box()
    assert canvas
    assert view
    assert canvas["y"] <= view["y"] + 60
    assert canvas["y"] + canvas["height"] >= view["y"] + view["height"]
    assert canvas["height"] < 1500


def test_in_a_narrow_panel_the_tokens_stay_while_the_columns_scroll(
    open_panel: Callable[..., Panel],
) -> None:
    panel = open_panel(width=320)
    panel.show(width=128)
    take_apart(panel, 1, 7, 4)
    grid = panel.find("neuron")
    token = panel.find("neuron-row", 3).locator(".attnlab-neuron-token")
    grid.evaluate("box => { box.scrollLeft = 10_000 }")
    panel.frame()
    assert grid.evaluate("box => box.scrollLeft") > 100
    box = token.bounding_box()
    assert box
    assert box["x"] >= 0
    assert panel.page.evaluate("document.documentElement.scrollWidth") == 320
    weight = panel.find("neuron-row", 3).locator('[data-cell="weight"]').bounding_box()
    assert weight
    assert weight["x"] + weight["width"] <= 320


# --- folding --------------------------------------------------------------------------


def fold(panel: Panel, part: str) -> Locator:
    return panel.page.locator(f'[data-testid="attnlab-fold"][data-part="{part}"]')


@pytest.mark.parametrize(
    ("part", "view"), [("model", "grid"), ("head", "listbox"), ("neuron", "grid")]
)
def test_a_part_is_collapsed_and_expanded_from_the_keyboard(
    panel: Panel, part: str, view: Literal["grid", "listbox"]
) -> None:
    panel.show()
    take_apart(panel, 1, 7, 4)
    inside = panel.page.locator(f".attnlab-{part}-part").get_by_role(view)
    assert inside.count() > 0
    button = fold(panel, part)
    assert button.get_attribute("aria-expanded") == "true"
    button.focus()
    panel.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "false"
    assert inside.count() == 0
    assert button.evaluate("e => e === document.activeElement")
    panel.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert inside.count() > 0
    assert button.evaluate("e => e === document.activeElement")


def test_a_collapsed_part_requests_nothing(panel: Panel) -> None:
    panel.show()
    fold(panel, "neuron").click()
    panel.thumb(3, 7).click()
    panel.find("head-query", 4).click()
    panel.exact()
    panel.frame()
    assert panel.requests("trace/neuron") == panel.requests("trace/vectors") == 0
    fold(panel, "neuron").click()
    came(panel, 4)


def test_the_lowest_open_part_fills_the_remaining_height(panel: Panel) -> None:
    panel.show()
    for part in ("neuron", "head"):
        fold(panel, part).click()
        panel.frame()
        low = panel.page.locator(".attnlab-neuron-part").bounding_box()
        assert low
        assert low["y"] + low["height"] == pytest.approx(900, abs=1)


def test_the_bar_over_the_neuron_view_changes_its_height(panel: Panel) -> None:
    panel.show()
    bars = panel.page.get_by_role("separator")
    assert bars.count() == 2
    part = panel.page.locator(".attnlab-neuron-part")
    before = part.bounding_box()
    assert before
    bars.nth(1).focus()
    panel.page.keyboard.press("ArrowUp")
    after = part.bounding_box()
    assert after
    assert after["height"] == pytest.approx(before["height"] + 24, abs=1.5)
    panel.page.keyboard.press("Home")
    again = part.bounding_box()
    assert again
    assert again["height"] == pytest.approx(before["height"], abs=1)


def test_a_rotated_dimension_is_joined_to_its_partner_and_shows_their_period(
    panel: Panel,
) -> None:
    panel.show(rotary=True)
    take_apart(panel, 1, 7, 4)
    strip(panel, 2).hover(position=at(panel, 1, 2))
    partner = 1 + WIDTH // 2
    turn = f"rotates with {partner} (pair 2 of 12), period ≈ 62.5 tokens"
    assert panel.find("neuron-rotation").inner_text() == turn
    bracket = panel.find("neuron-bracket").bounding_box()
    strip_box = strip(panel, 2, "k").bounding_box()
    assert bracket
    assert strip_box
    side = strip_box["width"] / WIDTH
    assert bracket["x"] == pytest.approx(strip_box["x"] + 1.5 * side, abs=1)
    assert bracket["x"] + bracket["width"] == pytest.approx(
        strip_box["x"] + (partner + 0.5) * side, abs=1
    )
    # The other of the two is marked in the query's strip, the keys', and the products'.
    lefts = [
        box["x"] + partner * side - 1
        for name in ("k", "k", "product")
        if (box := strip(panel, 2, name).bounding_box())
    ]
    marked = panel.find("neuron-partner").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().left).sort((a, b) => a - b)"
    )
    assert marked == pytest.approx(lefts, abs=1)


def test_a_pair_without_known_speed_is_described_without_one(panel: Panel) -> None:
    panel.show(rotary=True)
    take_apart(panel, 1, 7, 4)
    strip(panel, 2).hover(position=at(panel, 25, 2))
    turn = f"rotates with {25 - WIDTH // 2} (pair 10 of 12)"
    assert panel.find("neuron-rotation").inner_text() == turn


def test_pairs_are_marked_only_where_they_were_detected(panel: Panel) -> None:
    panel.show(rotary=True)
    take_apart(panel, 1, 7, 4)
    strip(panel, 2).hover(position=at(panel, 15, 2))  # of the quarter that was not seen to turn
    assert "dimension 15" in readout(panel)
    assert panel.find("neuron-rotation").count() == 0
    assert panel.find("neuron-bracket").count() == 0
    assert "24 of them rotated" in (strip(panel, 2).get_attribute("aria-label") or "")
    panel.run()
    panel.exact()
    came(panel, 4)
    strip(panel, 2).hover(position=at(panel, 1, 2))
    assert "dimension 1:" in readout(panel)
    assert panel.find("neuron-rotation").count() == 0
    assert panel.find("neuron-bracket").count() == 0
    assert panel.find("neuron-partner").count() == 0
    assert "rotated" not in (strip(panel, 2).get_attribute("aria-label") or "")


def test_pairs_are_read_by_keys_and_stay_joined_when_dimensions_are_sorted(panel: Panel) -> None:
    panel.show(rotary=True)
    take_apart(panel, 1, 7, 4)
    panel.find("neuron").focus()
    panel.page.keyboard.press("ArrowRight")
    said = panel.page.locator(".attnlab-neuron-view [aria-live], [aria-live=polite]")
    assert any("rotates with 16 (pair 1 of 12)" in text for text in said.all_text_contents())
    panel.page.keyboard.press("Enter")
    panel.find("neuron-order").click()
    panel.page.mouse.move(0, 0)
    lines = panel.page.locator('[data-testid="attnlab-neuron-q"] [data-selected]').bounding_box()
    partner = panel.page.locator(
        '[data-testid="attnlab-neuron-q"] [data-testid="attnlab-neuron-partner"]'
    ).bounding_box()
    bracket = panel.find("neuron-bracket").bounding_box()
    assert lines
    assert partner
    assert bracket
    ends = sorted(box["x"] + box["width"] / 2 for box in (lines, partner))
    assert [bracket["x"], bracket["x"] + bracket["width"]] == pytest.approx(ends, abs=1)
