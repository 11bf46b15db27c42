"""One head as its matrix: the colours are its weights, at any zoom."""

from __future__ import annotations

import math

import pytest

from tests.web.panel import FOX, Panel, Pixels

N = len(FOX)
LONG = [f"w{i}" for i in range(1200)]
TILE = 256
TWINS = 2
"""Neighbours in the colour table may have one colour."""


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
    """Colour → weight in 255ths, by the palette's own table."""
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


def test_every_cell_has_the_colour_of_its_weight(panel: Panel) -> None:
    panel.show()
    matrix(panel)
    weights = panel.weights(0, 0)
    for shown, weight in zip(drawn(panel, N, N), weights, strict=True):
        assert shown == pytest.approx(255 * weight, abs=TWINS)


def test_in_the_dark_theme_the_colours_are_others_and_mean_the_same(panel: Panel) -> None:
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


def test_queries_and_keys_of_different_lengths_have_their_own_sides(panel: Panel) -> None:
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


def test_a_click_keeps_the_pair_and_arrow_keys_move_from_it(panel: Panel) -> None:
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


def test_a_drag_pans_and_keeps_nothing(panel: Panel) -> None:
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
    colours = {
        pixels.at(top + y, left + x)[:3] for y in range(int(side) - 4) for x in range(int(side) - 4)
    }
    assert len(colours) > 1, "more than one plain colour"
    assert not colours <= set(table)


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
