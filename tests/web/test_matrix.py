"""One head as its matrix: the colors are its weights, at any zoom."""

from __future__ import annotations

import math

import pytest

from tests.web.panel import FOX, Panel, Pixels

N = len(FOX)
LONG = [f"w{i}" for i in range(1200)]
TILE = 256
TWINS = 2
"""Neighbours in the color table may have one color."""


def matrix(panel: Panel) -> None:
    """Show the focused head as its matrix, and wait until it is drawn as well as it can be."""
    panel.page.get_by_role("radio", name="matrix").check(force=True)
    ready(panel)


def ready(panel: Panel) -> None:
    panel.page.wait_for_selector("[data-testid=attnlab-matrix][data-exact=true]")
    panel.frame()


def lens(panel: Panel) -> float:
    """Side of a weight on screen, in CSS pixels: how far its tokens stand apart."""
    tops = panel.find("matrix-query").evaluate_all(
        "all => all.map(e => [Number(e.dataset.index), e.getBoundingClientRect().top])"
    )
    (first, top), *_, (last, bottom) = tops
    return (bottom - top) / (last - first)


def image(panel: Panel) -> Pixels:
    return panel.pixels("[data-testid=attnlab-matrix-image]")


def steps(panel: Panel) -> dict[tuple[int, ...], int]:
    """Color → weight in 255ths, by the palette's own table."""
    words = panel.page.evaluate("lab.ramp()")
    return {(w & 255, w >> 8 & 255, w >> 16 & 255): i for i, w in reversed(list(enumerate(words)))}


def drawn(panel: Panel, rows: int, columns: int) -> list[int]:
    """The weight that each cell of a matrix that fits shows, in 255ths."""
    pixels, table, side = image(panel), steps(panel), lens(panel)
    return [
        table[pixels.at(int((q + 0.5) * side), int((k + 0.5) * side))[:3]]
        for q in range(rows)
        for k in range(columns)
    ]


def test_every_cell_has_the_color_of_its_weight(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    weights = panel.weights(0, 0)
    for shown, weight in zip(drawn(panel, N, N), weights, strict=True):
        assert shown == pytest.approx(255 * weight, abs=TWINS)


def test_the_dark_theme_has_other_colors_with_the_same_meaning(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    light = image(panel).at(3, 3)
    panel.page.evaluate("lab.theme('dark')")
    panel.page.wait_for_function("document.body.dataset.jpThemeName === 'dark'")
    panel.frame()
    assert image(panel).at(3, 3) != light
    weights = panel.weights(0, 0)
    for shown, weight in zip(drawn(panel, N, N), weights, strict=True):
        assert shown == pytest.approx(255 * weight, abs=TWINS)


def test_queries_and_keys_of_different_lengths_have_separate_sides(panel: Panel) -> None:
    panel.show(["a", "b", "c"], keyWords=["v", "w", "x", "y", "z"], layers=1, heads=2)
    matrix(panel)
    assert panel.find("matrix-query").all_inner_texts() == ["a", "b", "c"]
    assert panel.find("matrix-key").all_inner_texts() == ["v", "w", "x", "y", "z"]
    weights = panel.weights(0, 0)
    for shown, weight in zip(drawn(panel, 3, 5), weights, strict=True):
        assert shown == pytest.approx(255 * weight, abs=TWINS)


def test_pointing_at_a_cell_names_its_pair_and_prints_its_weight(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    asked = panel.requests("trace/")
    side = lens(panel)
    cells = panel.find("matrix-canvas")
    cells.hover(position={"x": 6.5 * side, "y": 4.5 * side})
    hover = panel.page.evaluate("lab.state.selection.hover.value")
    assert hover == {"query": 4, "key": 6}
    weight = panel.weights(0, 0)[4 * N + 6]
    assert float(panel.find("matrix-value").inner_text()) == pytest.approx(weight, rel=0.02)
    label = panel.find("matrix-cell").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("query fox, key over, weight ")
    assert panel.requests("trace/") == asked


def test_a_click_selects_the_pair_and_arrow_keys_move_from_it(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    side = lens(panel)
    panel.find("matrix-canvas").click(position={"x": 2.5 * side, "y": 5.5 * side})
    assert (panel.focus()["query"], panel.focus()["key"]) == (5, 2)
    panel.page.mouse.move(5, 890)
    panel.find("matrix").focus()
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("ArrowUp")
    panel.page.keyboard.press("Enter")
    assert (panel.focus()["query"], panel.focus()["key"]) == (4, 3)
    panel.page.keyboard.press("Escape")
    assert (panel.focus()["query"], panel.focus()["key"]) == (None, None)


def test_with_a_query_alone_no_pair_is_named(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    panel.find("token", 2).click()
    panel.page.mouse.move(5, 890)
    assert panel.find("matrix-value").inner_text().strip() == ""


def test_a_drag_pans_and_selects_nothing(panel: Panel) -> None:
    panel.show([f"w{i}" for i in range(60)], layers=1, heads=1)
    matrix(panel)
    for _ in range(8):
        panel.find("matrix-in").click()
    box = panel.find("matrix-canvas").bounding_box()
    assert box is not None
    scroller = panel.find("matrix")
    x, y = scroller.evaluate("e => [e.scrollLeft, e.scrollTop]")
    panel.page.mouse.move(box["x"] + 120, box["y"] + 120)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + 40, box["y"] + 60, steps=4)
    panel.page.mouse.up()
    moved = scroller.evaluate("e => [e.scrollLeft, e.scrollTop]")
    assert moved == pytest.approx([x + 80, y + 60], abs=2)
    assert panel.focus()["query"] is None


def tiles(panel: Panel) -> set[tuple[int, int, int]]:
    """Level and place of every tile that was asked for."""
    asked = panel.page.evaluate(
        """lab.kernel.log.filter(e => e.method === 'trace/tile')
           .map(({ params }) => [params.level, params.y, params.x])"""
    )
    return {(level, y, x) for level, y, x in asked}


def long_matrix(panel: Panel) -> None:
    panel.attach()
    panel.run(LONG, layers=1, heads=1)
    panel.page.wait_for_selector(".attnlab-head-part")
    matrix(panel)


def test_a_long_head_asks_for_the_tiles_in_view_alone(panel: Panel) -> None:
    long_matrix(panel)
    assert panel.requests("trace/head") == 0
    (level,) = {level for level, _, _ in tiles(panel)}
    across = math.ceil(len(LONG) / (TILE * 2**level))
    assert level > 0, "more weights than pixels"
    assert tiles(panel) == {(level, y, x) for y in range(across) for x in range(across)}
    for _ in range(8):
        panel.find("matrix-in").click()
    ready(panel)
    finest = [place for place in tiles(panel) if place[0] == 0]
    pixels = image(panel)
    most = (2 + pixels.width // TILE) * (2 + pixels.height // TILE)
    assert 0 < len(finest) <= most < math.ceil(len(LONG) / TILE) ** 2


def test_where_weights_share_a_pixel_it_shows_the_largest(panel: Panel) -> None:
    long_matrix(panel)
    weights, pixels, table = panel.weights(0, 0), image(panel), steps(panel)
    total = len(LONG)
    (level,) = {level for level, _, _ in tiles(panel)}
    side = 2**level
    cell = min(pixels.width, pixels.height) / total
    for y in range(1, int(total * cell) - 1, 29):
        for x in range(1, int(total * cell) - 1, 31):
            top, left = (int((at + 0.5) / cell / side) * side for at in (y, x))
            block = [
                weights[q * total + k]
                for q in range(top, min(top + side, total))
                for k in range(left, min(left + side, total))
            ]
            assert table[pixels.at(y, x)[:3]] == pytest.approx(255 * max(block), abs=TWINS)


def test_a_weight_that_is_not_a_number_is_hatched(panel: Panel) -> None:
    panel.show(nan=3)
    matrix(panel)
    pixels, table, side = image(panel), steps(panel), lens(panel)
    top, left = int(3 * side) + 2, int(2 * side) + 2
    colors = {
        pixels.at(top + y, left + x)[:3] for y in range(int(side) - 4) for x in range(int(side) - 4)
    }
    assert len(colors) > 1, "more than one plain color"
    assert not colors <= set(table)


def test_padding_queries_of_a_long_head_are_hatched_at_any_zoom(panel: Panel) -> None:
    panel.page.evaluate("['topk', 'row'].map(kind => lab.kernel.held.add(`trace/${kind}`)); 0")
    panel.attach()
    panel.run(LONG, layers=1, heads=1, padded=1101)
    panel.page.wait_for_selector(".attnlab-head-part")
    matrix(panel)
    (level,) = {level for level, _, _ in tiles(panel)}
    side = 2**level
    assert 1101 % side != 0, "a pixel shows padding and others"
    first = math.ceil(1101 / side) * side
    pixels, table = image(panel), steps(panel)
    cell = min(pixels.width, pixels.height) / len(LONG)

    def colors(queries: range) -> set[tuple[int, ...]]:
        rows = range(math.ceil(queries.start * cell), int(queries.stop * cell))
        return {pixels.at(y, x)[:3] for y in rows for x in range(10, int(1000 * cell))}

    assert colors(range(first - 60, first)) <= set(table)
    hatched = colors(range(first, len(LONG)))
    assert len(hatched) > 1
    assert not hatched <= set(table)

    cells = panel.find("matrix-canvas")
    cells.hover(position={"x": 20, "y": (first + 50) * cell})
    assert panel.find("matrix-value").inner_text() == f"NaN, all of {side} × {side}"
    panel.page.evaluate("lab.kernel.release()")
    panel.page.wait_for_function(
        "document.querySelector('[data-testid=attnlab-matrix-value]').innerText === 'NaN'"
    )


def test_a_long_head_explains_that_it_is_shown_by_tokens(panel: Panel) -> None:
    long_matrix(panel)
    said = panel.find("matrix-tokens")
    assert said.count() == 0
    panel.page.evaluate("lab.state.display.words.value = true; 0")
    panel.run(["[CLS]", *LONG[:600], "##s"], layers=1, heads=1)
    said.wait_for()
    assert said.inner_text() == "all tokens: more than 512 × 512 weights"
    grid = panel.find("matrix")
    assert grid.get_attribute("aria-rowcount") == "602"


WHOLE_TEXT = 4096


def test_the_wheel_keeps_its_point_from_a_whole_long_text_to_one_weight_and_back(
    panel: Panel,
) -> None:
    panel.page.evaluate("lab.kernel.held.add('trace/row'); 0")
    panel.page.set_default_timeout(60_000)  # the fake kernel needs seconds for 17 million weights
    panel.attach()
    panel.run([f"w{i}" for i in range(WHOLE_TEXT)], layers=1, heads=1)
    panel.page.wait_for_selector(".attnlab-head-part")
    matrix(panel)
    box = panel.find("matrix-canvas").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])

    def point(aside: int) -> None:
        x, y = round(box["x"] + 0.31 * side), round(box["y"] + 0.62 * side)
        panel.page.mouse.move(x + aside, y)
        panel.frame()

    def pair() -> tuple[int, int]:
        hover = panel.page.evaluate("lab.state.selection.hover.value")
        return hover["query"], hover["key"]

    def shown() -> tuple[float, bool, int]:
        """Weight under the pointer, whether it is exact, and over how many weights a side."""
        shown_value = panel.find("matrix-value").inner_text()
        number, _, block = shown_value.partition(", largest of ")
        exact = not shown_value.startswith("≈")
        return float(number.lstrip("≈")), exact, int(block.split()[0]) if block else 1

    def true(block: int) -> float:
        return panel.page.evaluate(
            """([query, key, side, total]) => {
              const weights = lab.weights(0, 0, 0);
              const [top, left] = [query, key].map(at => Math.floor(at / side) * side);
              let largest = 0;
              for (let q = top; q < top + side; q++) {
                largest = Math.max(largest, ...weights.subarray(q * total + left,
                  q * total + left + side));
              }
              return largest;
            }""",
            [*pair(), block, WHOLE_TEXT],
        )

    point(0)
    start = pair()
    weight, exact, block = shown()
    assert not exact
    assert block >= WHOLE_TEXT / side
    assert weight == pytest.approx(true(block), abs=0.006)

    panel.page.keyboard.down("Control")
    panel.page.evaluate("lab.kernel.held.add('trace/tile'); 0")
    for _ in range(20):
        panel.page.mouse.wheel(0, -60)
        panel.frame()
    panel.page.wait_for_function(
        "document.querySelector('[data-testid=attnlab-matrix-scale]').innerText.startsWith('24 ')"
    )
    panel.frame()
    assert lens(panel) == 24
    point(1)
    # It was one pixel of many weights.
    assert pair() == pytest.approx(start, abs=0.5 * WHOLE_TEXT / side)
    assert not shown()[1], "from a coarser tile, until that of the single weights is here"
    panel.page.evaluate("lab.kernel.release()")
    ready(panel)
    weight, exact, block = shown()
    assert (exact, block) == (True, 1)
    assert weight == pytest.approx(true(1), rel=0.02)

    for _ in range(20):
        panel.page.mouse.wheel(0, 60)
        panel.frame()
    panel.page.wait_for_selector('[data-testid="attnlab-matrix-fit"][aria-pressed="true"]')
    point(0)
    assert pair() == pytest.approx(start, abs=1 + WHOLE_TEXT / side)


def test_a_query_selected_elsewhere_is_marked_and_the_keys_zoom(panel: Panel) -> None:
    panel.show([f"w{i}" for i in range(60)], layers=1, heads=1)
    matrix(panel)
    marks = "[data-testid=attnlab-matrix-marks]"
    assert not any(panel.pixels(marks).data)
    panel.find("token", 2).click()
    panel.page.mouse.move(5, 890)
    panel.frame()
    assert any(panel.pixels(marks).data)
    fitting = panel.find("matrix-scale").inner_text()
    panel.find("matrix").focus()
    panel.page.keyboard.press("+")
    assert panel.find("matrix-scale").inner_text() != fitting
    panel.page.keyboard.press("0")
    assert panel.find("matrix-scale").inner_text() == fitting


def test_a_long_head_zoomed_in_shows_single_weights(panel: Panel) -> None:
    long_matrix(panel)
    while panel.find("matrix-query").count() < 4 or lens(panel) < 8:
        panel.find("matrix-in").click()
    panel.find("matrix").evaluate("e => e.scrollTo(0, 0)")
    ready(panel)
    weights, pixels, table = panel.weights(0, 0), image(panel), steps(panel)
    side = lens(panel)
    for query, key in [(0, 0), (3, 2), (5, 7), (9, 9)]:
        shown = table[pixels.at(int((query + 0.5) * side), int((key + 0.5) * side))[:3]]
        assert shown == pytest.approx(255 * weights[query * len(LONG) + key], abs=1)
