"""What is drawn and printed equals the numbers that the kernel holds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import product

import pytest

from tests.web.panel import FOX, Panel

N = len(FOX)


def test_the_printed_weights_of_a_query_are_the_kernels(panel: Panel) -> None:
    panel.show()
    panel.thumb(3, 7).click()
    panel.find("head-query", 4).hover()
    panel.exact()
    weights = panel.weights(3, 7)
    assert panel.printed() == {k: weights[4 * N + k] for k in range(N)}
    shown = panel.find("weight", 3).inner_text().strip()
    assert float(shown) == pytest.approx(weights[4 * N + 3], rel=0.02)


def test_a_bar_is_as_long_as_its_weight(open_panel: Callable[..., Panel]) -> None:
    panel = open_panel(width=900)
    panel.show()
    panel.thumb(3, 7).click()
    panel.find("head-query", 4).click()
    panel.exact()
    row = panel.weights(3, 7)[4 * N : 5 * N]
    lengths = panel.page.locator(".attnlab-keys .attnlab-bar-fill").evaluate_all(
        "all => all.map(bar => bar.getBoundingClientRect().width)"
    )
    top = max(range(N), key=row.__getitem__)
    scale = lengths[top] / row[top]
    for length, weight in zip(lengths, row, strict=True):
        assert length == pytest.approx(max(1, weight * scale), abs=0.6)


@pytest.mark.parametrize("scale", [1, 2])
def test_every_pixel_of_a_thumbnail_has_the_color_of_its_weight(
    open_panel: Callable[..., Panel], scale: int
) -> None:
    panel = open_panel(device_scale_factor=scale)
    panel.show()
    panel.frame()
    picture = panel.layer(1)
    side = picture.height
    assert side % scale == 0
    pitch = side + 4 * scale
    colors: dict[int, set[tuple[int, ...]]] = defaultdict(set)
    for head in range(12):
        weights = panel.weights(1, head)
        for q, k in product(range(N), range(N)):
            y, x = (math.ceil((i + 0.5) * side / N) - 1 for i in (q, k))
            colors[round(weights[q * N + k] * 255)].add(picture.at(y, head * pitch + x))
    assert len(colors) > 20
    assert all(len(of) == 1 for of in colors.values()), "one weight has one color"
    order = [sum(next(iter(colors[value]))[:3]) for value in sorted(colors)]
    assert order == sorted(order, reverse=True), "a heavier weight is darker on a light theme"


def test_a_thin_diagonal_of_a_long_text_does_not_vanish(panel: Panel) -> None:
    words = [f"w{i}" for i in range(300)]
    panel.show(words, layers=1, heads=12)
    panel.frame()
    picture = panel.layer(0)
    side = picture.height
    heads = (head for head in range(12) if panel.weights(0, head)[50 * 300 + 49] > 0.2)
    left = next(heads) * (side + 4)
    background = max(picture.light(y, left + x) for y, x in product(range(side), range(side)))
    for y in range(1, side):
        near = range(left + max(0, y - 2), left + min(side, y + 2))
        assert min(picture.light(y, x) for x in near) < background - 150


def test_a_curve_is_drawn_where_the_weight_is(panel: Panel) -> None:
    panel.show()
    panel.find("head-query", 2).click()
    panel.frame()
    weights = panel.weights(0, 0)[2 * N : 3 * N]
    top = max(range(N), key=weights.__getitem__)
    picture = panel.pixels(".attnlab-curves-highlighted")
    ends = [picture.at(k * 18 + 9, picture.width - 2)[3] for k in range(N)]
    assert max(range(N), key=ends.__getitem__) == top
    assert ends[top] > 200
    starts = [picture.at(q * 18 + 9, 1)[3] for q in range(N)]
    assert [q for q in range(N) if starts[q] > 60] == [2]


def test_a_weight_from_a_thumbnail_is_marked_as_approximate_until_the_exact_one_arrives(
    panel: Panel,
) -> None:
    panel.show()
    panel.page.evaluate("lab.kernel.delay = -1")
    panel.thumb(2, 5).click()
    panel.find("head-query", 1).hover()
    assert panel.find("weight", 0).inner_text().startswith("≈")
    weights = panel.weights(2, 5)
    for key, value in panel.printed().items():
        assert value == pytest.approx(weights[N + key], abs=0.5 / 255 + 1e-6)


def test_a_row_of_nan_is_shown_as_nan_and_nothing_else(panel: Panel) -> None:
    panel.show(nan=3)
    panel.find("head-query", 3).hover()
    assert all(math.isnan(value) for value in panel.printed().values())
    assert panel.find("weight", 0).inner_text().strip() == "NaN"
    assert panel.find("token", 0).get_attribute("data-nan") == "true"
    assert "NaN" in panel.find("readout").inner_text()
    assert panel.find("sink").count() == 0
    panel.find("head-query", 2).hover()
    assert not any(math.isnan(value) for value in panel.printed().values())


def test_the_missing_weight_of_a_row_is_shown_as_learned_sink(panel: Panel) -> None:
    panel.show(mass=0.75)
    assert panel.find("sink").count() == 0
    panel.find("head-query", 3).hover()
    assert float(panel.find("sink").get_attribute("data-value") or 0) == pytest.approx(0.25)
    assert "0.250" in panel.find("sink").inner_text()


def test_a_row_that_sums_to_one_has_no_learned_sink(panel: Panel) -> None:
    panel.show()
    panel.find("head-query", 3).hover()
    assert panel.find("weight").count() == N
    assert panel.find("sink").count() == 0


def test_a_single_token_has_views_too(panel: Panel) -> None:
    panel.show(["hello"])
    panel.find("token", 0).hover()
    assert panel.printed() == {0: 1.0}
    assert "1 token" in panel.page.locator("header").inner_text()


def test_a_long_text_keeps_the_page_small_and_every_weight_reachable(panel: Panel) -> None:
    words = [f"word{i}" for i in range(512)]
    panel.show(words, layers=2, heads=2)
    assert panel.find("head-query").count() < 120
    assert panel.find("token").count() < 200
    panel.page.locator(".attnlab-queries").focus()
    panel.page.keyboard.press("End")
    panel.find("head-query", 511).wait_for()
    row = panel.weights(0, 0)[511 * 512 :]
    printed = panel.printed()
    assert 511 in printed
    assert 0 not in printed
    for key, value in printed.items():
        assert value == row[key]
    panel.page.locator(".attnlab-tokens").focus()
    panel.page.keyboard.press("Home")
    panel.page.keyboard.press("ArrowRight")
    panel.page.wait_for_function("document.querySelector('.attnlab-tokens').scrollTop === 0")
    assert panel.find("token", 1).get_attribute("data-mark") == "query"
