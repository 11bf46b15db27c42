"""The model view: how thumbnails are drawn, in which order, which, and how large."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.web.panel import FOX, Panel, box_of

N = len(FOX)


def scores(panel: Panel, of: str, layers: int = 6, heads: int = 12) -> dict[str, float]:
    """Score all heads from the fake kernel's weights, by "layer.head"."""
    found = {}
    for site in range(layers):
        for head in range(heads):
            weights = panel.weights(site, head)
            rows = [weights[q * N : (q + 1) * N] for q in range(N)]
            found[f"{site}.{head}"] = {
                "entropy": -sum(a * math.log(a) for row in rows for a in row if a > 0) / N,
                "previous_token": sum(rows[q][q - 1] for q in range(1, N)) / (N - 1),
            }[of]
    return found


def shown(panel: Panel) -> list[tuple[str, float]]:
    """Labels and scores under the thumbnails, in order."""
    texts = panel.find("thumb-label").all_inner_texts()
    return [(name, float(score.replace("−", "-"))) for name, score in map(str.split, texts)]


def test_lines_run_from_a_query_on_the_left_to_its_key_on_the_right(panel: Panel) -> None:
    panel.show(layers=1)
    panel.find("model-lines").click()
    panel.frame()
    assert panel.find("model-lines").get_attribute("aria-pressed") == "true"
    picture = panel.layer(0)
    side = picture.height
    for head in range(12):
        weights = panel.weights(0, head)
        at = max(range(N * N), key=lambda i: weights[i])
        left = head * (side + 4)
        background = max(picture.light(y, left + x) for y in range(side) for x in (0, side - 1))
        for x, token in ((0, at // N), (side - 1, at % N)):
            y = round((token + 0.5) * side / N - 0.5)
            darkest = min(picture.light(y + d, left + x) for d in (-1, 0, 1) if 0 <= y + d < side)
            assert darkest < background - 150


@pytest.mark.parametrize("score", ["entropy", "previous_token"])
def test_heads_are_sorted_by_a_score_that_is_printed(panel: Panel, score: str) -> None:
    panel.show()
    panel.find("model-sort").select_option(score)
    panel.find("thumb-label").first.wait_for()
    true = scores(panel, score)
    names = [name for name, _ in shown(panel)]
    assert sorted(names) == sorted(true)
    assert [true[name] for name in names] == sorted(true.values(), reverse=True)
    assert all(number == pytest.approx(true[name], abs=0.006) for name, number in shown(panel))
    panel.find("model-direction").click()
    names = [name for name, _ in shown(panel)]
    assert [true[name] for name in names] == sorted(true.values())


def test_scores_are_requested_only_when_they_are_used(panel: Panel) -> None:
    panel.show()
    assert panel.requests("trace/scores") == 0
    panel.find("model-color").select_option("entropy")
    panel.find("thumb-bar").first.wait_for()
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    assert panel.requests("trace/scores") == 1


def test_a_bar_is_as_long_as_the_score_and_its_number_is_read_out(panel: Panel) -> None:
    panel.show()
    panel.find("model-color").select_option("entropy")
    panel.find("thumb-bar").first.wait_for()
    true = list(scores(panel, "entropy").values())
    ratios = panel.find("thumb-bar").evaluate_all(
        "all => all.map(e => e.firstChild.getBoundingClientRect().width / e.clientWidth)"
    )
    for ratio, score in zip(ratios, true, strict=True):
        assert ratio == pytest.approx(score / max(true), abs=0.02)
    label = panel.thumb(0, 0).get_attribute("aria-label")
    assert label == f"layer 0, head 0, entropy {true[0]:.2f}"


def test_refused_scores_show_the_reason_and_the_heads_stay(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate(
        """const ask = lab.kernel.request.bind(lab.kernel);
        lab.kernel.request = (method, ...rest) => method === 'trace/scores'
          ? Promise.reject(new Error('This trace has no scores.')) : ask(method, ...rest);
        0"""
    )
    panel.find("model-sort").select_option("entropy")
    said = panel.find("scores-failed")
    said.wait_for()
    assert "This trace has no scores." in said.inner_text()
    assert panel.find("thumb").count() == 72


def test_filters_by_layer_and_minimum_score_hide_heads(panel: Panel) -> None:
    panel.show()
    panel.find("model-filter").click()
    panel.find("model-layers").fill("1-2, 5")
    assert panel.find("layer").all_inner_texts() == ["1", "2", "5"]
    panel.page.keyboard.press("Escape")
    panel.find("model-sort").select_option("previous_token")
    panel.find("model-filter").click()
    panel.find("model-least").fill("0.5")
    panel.page.wait_for_function(
        "document.querySelectorAll('[data-testid=attnlab-thumb]').length < 36"
    )
    true = scores(panel, "previous_token")
    kept = {name for name, score in true.items() if name[0] in "125" and score >= 0.5}
    assert kept
    assert {name for name, _ in shown(panel)} == kept


def test_filters_by_head_and_score_range_hide_heads(panel: Panel) -> None:
    panel.show()
    panel.find("model-filter").click()
    panel.find("model-heads").fill("0-1, 7")
    thumbs = panel.find("thumb").evaluate_all("all => all.map(e => Number(e.dataset.head))")
    assert thumbs == [0, 1, 7] * 6
    assert panel.page.locator(".attnlab-columns span").all_inner_texts() == ["0", "1", "7"]
    panel.page.keyboard.press("Escape")
    panel.thumb(2, 1).click()
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("ArrowDown")
    assert (panel.focus()["site"], panel.focus()["head"]) == (3, 7)
    panel.find("model-sort").select_option("previous_token")
    panel.find("model-filter").click()
    true = scores(panel, "previous_token")
    mine = sorted(score for name, score in true.items() if name.split(".")[1] in ("0", "1", "7"))
    least, most = mine[3] + 1e-6, mine[-3] - 1e-6
    panel.find("model-least").fill(f"{least:.9f}")
    panel.find("model-most").fill(f"{most:.9f}")
    panel.page.wait_for_function(
        f"document.querySelectorAll('[data-testid=attnlab-thumb]').length === {len(mine) - 7}"
    )
    assert sorted(true[name] for name, _ in shown(panel)) == mine[4:-3]
    panel.find("model-layers").fill("77")
    panel.page.get_by_text("No heads match the filter.").wait_for()
    panel.page.get_by_role("button", name="Show all").click()
    assert panel.find("thumb").count() == 72


def test_the_filter_and_the_order_are_kept_over_a_reload(open_panel: Callable[..., Panel]) -> None:
    panel = open_panel()
    panel.show()
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    panel.find("model-direction").click()
    panel.find("model-filter").click()
    panel.find("model-layers").fill("1-2")
    panel.find("model-least").fill("1.50")
    before = shown(panel)
    saved = panel.page.evaluate("JSON.stringify(lab.state)")

    again = open_panel()
    again.page.evaluate("saved => lab.state.restore(JSON.parse(saved))", saved)
    again.show()
    again.find("thumb-label").first.wait_for()
    assert shown(again) == before
    assert {name[0] for name, _ in before} <= {"1", "2"}
    again.find("model-filter").click()
    assert again.find("model-layers").input_value() == "1-2"
    assert again.find("model-least").input_value() == "1.5"
    assert again.page.get_by_label("Smallest first").count() == 1


def test_shift_and_a_click_or_enter_draw_heads_together(panel: Panel) -> None:
    panel.show()
    panel.thumb(2, 3).click()
    panel.thumb(2, 6).click(modifiers=["Shift"])
    assert panel.page.evaluate("lab.state.selection.heads.value") == [3, 6]
    assert panel.thumb(2, 6).get_attribute("data-mark") == "focus"
    assert panel.thumb(2, 3).get_attribute("data-mark") == "set"
    panel.page.keyboard.press("Shift+ArrowRight")
    panel.page.keyboard.press("Shift+Enter")
    assert panel.page.evaluate("lab.state.selection.heads.value") == [3, 6, 7]
    panel.page.keyboard.press("Shift+Space")
    assert panel.page.evaluate("lab.state.selection.heads.value") == [3, 6]


def test_arrow_keys_follow_the_order_of_the_score(panel: Panel) -> None:
    panel.show()
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    names = [name for name, _ in shown(panel)]
    site, head = map(int, names[0].split("."))
    panel.thumb(site, head).click()
    panel.page.keyboard.press("ArrowRight")
    focus = panel.focus()
    assert f"{focus['site']}.{focus['head']}" == names[1]
    panel.page.keyboard.press("Control+End")
    focus = panel.focus()
    assert f"{focus['site']}.{focus['head']}" == names[-1]


@pytest.mark.parametrize("width", [320, 480])
def test_a_hovered_head_is_shown_larger_beside_the_pointer(
    open_panel: Callable[..., Panel], width: int
) -> None:
    panel = open_panel(width)
    panel.show()
    panel.thumb(1, 5).hover()
    card = panel.find("preview")
    card.wait_for()
    assert "layer 1, head 5" in card.inner_text()
    assert "≈ weights of 10 × 10 tokens" in card.inner_text()
    box, thumb = card.bounding_box(), panel.thumb(1, 5).bounding_box()
    assert box is not None
    assert thumb is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    beside = box["x"] >= thumb["x"] + thumb["width"] or box["x"] + box["width"] <= thumb["x"]
    over = box["y"] >= thumb["y"] + thumb["height"] or box["y"] + box["height"] <= thumb["y"]
    assert beside or over
    panel.page.keyboard.press("Escape")
    card.wait_for(state="detached")


@pytest.mark.parametrize(("tokens", "kind"), [(10, "head"), (600, "topk")])
def test_a_hovered_head_is_loaded_before_the_click(panel: Panel, tokens: int, kind: str) -> None:
    panel.show([f"w{i}" for i in range(tokens)], layers=2, heads=6)
    before = panel.requests(f"trace/{kind}")
    panel.thumb(1, 5).hover()
    panel.find("preview").wait_for()
    assert panel.requests(f"trace/{kind}") == before + 1
    panel.page.wait_for_function(
        """kind => lab.state.payloads.has({kind, trace: lab.state.trace.value.id, item: 0,
        site: 1, head: 5})""",
        arg=kind,
    )
    panel.thumb(1, 5).click()
    panel.exact()
    assert panel.requests(f"trace/{kind}") == before + 1


def test_buttons_and_the_wheel_zoom_the_thumbnails(panel: Panel) -> None:
    panel.show()
    side = panel.thumb(0, 0).evaluate("e => e.clientWidth")
    panel.page.get_by_label("Larger thumbnails").click()
    assert panel.thumb(0, 0).evaluate("e => e.clientWidth") == pytest.approx(1.5 * side, abs=1)
    panel.thumb(0, 0).hover()
    panel.page.keyboard.down("Control")
    panel.page.mouse.wheel(0, -2000)
    panel.page.keyboard.up("Control")
    panel.page.wait_for_function("lab.state.display.zoom.value === 4")
    assert panel.thumb(0, 0).evaluate("e => e.clientWidth") == pytest.approx(4 * side, abs=2)


def turn(panel: Panel, pixels: float) -> None:
    """Turn the wheel, and wait until the thumbnails are laid out in another size."""
    zoom = panel.page.evaluate("lab.state.display.zoom.value")
    panel.page.mouse.wheel(0, pixels)
    panel.page.wait_for_function(
        """zoom => lab.state.display.zoom.value !== zoom
          && !document.querySelector('.attnlab-model[data-zooming]')""",
        arg=zoom,
    )
    panel.frame()


def test_the_wheel_keeps_the_point_under_the_pointer_where_it_is(panel: Panel) -> None:
    panel.show(layers=24, heads=16)
    thumb = panel.thumb(9, 11)
    thumb.scroll_into_view_if_needed()
    box = thumb.bounding_box()
    assert box is not None
    x, y = round(box["x"] + 0.75 * box["width"]), round(box["y"] + 0.25 * box["height"])
    across, down = (x - box["x"]) / box["width"], (y - box["y"]) / box["height"]
    panel.page.mouse.move(x, y)
    panel.page.keyboard.down("Control")

    def off(now: Any) -> tuple[float, float]:
        return x - now["x"] - across * now["width"], y - now["y"] - down * now["height"]

    # Noted by the page, since a slow machine lets the wheel rest before it is looked at.
    panel.page.evaluate(
        """() => {
          const model = document.querySelector('.attnlab-model');
          lab.turning = [];
          new MutationObserver(() => {
            if ('zooming' in model.dataset) {
              const thumb = model.querySelector('[data-site="9"][data-head="11"]');
              lab.turning.push(thumb.getBoundingClientRect().toJSON());
            }
          }).observe(model, { attributeFilter: ['data-zooming'] });
        }"""
    )
    for pixels in [-120] * 5 + [50] * 7:
        panel.page.mouse.wheel(0, pixels / 2)
        turn(panel, pixels / 2)
        turning = panel.page.evaluate("lab.turning.splice(0)")
        assert turning
        for now in [*turning, thumb.bounding_box()]:
            assert off(now) == pytest.approx((0, 0), abs=1.5)
    assert thumb.evaluate("e => e.clientWidth") > 1.5 * box["width"]
    panel.page.keyboard.up("Control")
    panel.page.mouse.move(x + 30, y + 20)  # into another thumbnail, or between two
    at = "([x, y]) => document.elementFromPoint(x, y)?.getAttribute('aria-label')"
    there = panel.page.evaluate(at, [x + 60, y + 60])
    panel.page.mouse.move(x + 60, y + 60)
    panel.page.keyboard.down("Control")
    turn(panel, -200)
    assert panel.page.evaluate(at, [x + 60, y + 60]) == there


def test_when_sorted_the_wheel_keeps_the_head_at_its_height(panel: Panel) -> None:
    panel.show(layers=24, heads=12)
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    thumb = panel.find("thumb").nth(150)
    name = thumb.get_attribute("aria-label")
    thumb.scroll_into_view_if_needed()
    before = box_of(thumb)
    thumb.hover(position={"x": 10, "y": before["height"] / 2})
    panel.page.keyboard.down("Control")
    for _ in range(4):
        turn(panel, -100)
        after = box_of(panel.page.get_by_label(name or "", exact=True))
        middle = after["y"] + after["height"] / 2
        assert middle == pytest.approx(before["y"] + before["height"] / 2, abs=1.5)
    assert after["height"] > 2 * before["height"]


ENCODER_DECODER = [
    {"kind": "encoder", "stack": "encoder.#", "layer": 0, "rows": 1, "columns": 1},
    {"kind": "decoder", "stack": "decoder.#.self", "layer": 0, "rows": 0, "columns": 0},
    {"kind": "cross", "stack": "decoder.#.cross", "layer": 0, "rows": 0, "columns": 1},
]
TICKS = """e => ['::before', '::after'].map(part => {
  const style = getComputedStyle(e, part);
  const drawn = style.backgroundColor !== 'rgba(0, 0, 0, 0)';
  return drawn ? parseFloat(part === '::before' ? style.top : style.left) / e.clientWidth : null;
})"""


def test_sorted_thumbnails_have_ticks_at_the_hovered_token_of_their_axes(
    panel: Panel,
) -> None:
    target, source = ["<s>", "ein", "Hund", "</s>"], ["a", "dog", "ran", "off", "</s>"]
    panel.show(target, keyWords=source, sites=ENCODER_DECODER, heads=2)
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    panel.thumb(2, 0).click()
    panel.exact()
    panel.page.evaluate("lab.state.selection.hover.value = { query: 2, key: 3 }")
    panel.frame()
    row, column = pytest.approx(2 / 4, abs=0.03), pytest.approx(3 / 5, abs=0.03)
    assert panel.thumb(2, 1).evaluate(TICKS) == [row, column]
    assert panel.thumb(1, 0).evaluate(TICKS) == [row, None]
    assert panel.thumb(0, 0).evaluate(TICKS) == [None, column]
    panel.page.evaluate("lab.state.selection.hover.value = {}")
    panel.frame()
    assert panel.thumb(2, 1).evaluate(TICKS) == [None, None]


def test_a_key_hovered_beside_thumbnails_of_lines_is_marked_at_their_right(panel: Panel) -> None:
    panel.show(layers=1)
    panel.find("model-lines").click()
    panel.page.evaluate("lab.state.selection.hover.value = { key: 3 }")
    panel.frame()
    top, right, height, side = panel.thumb(0, 2).evaluate(
        """e => { const style = getComputedStyle(e, '::after');
        return [style.top, style.right, style.height].map(parseFloat).concat(e.clientWidth); }"""
    )
    assert (top, right) == (pytest.approx(3 * side / N, abs=0.1), 0)
    assert height == pytest.approx(max(2, side / N), abs=0.1)


def test_only_heads_near_the_view_are_in_the_page(panel: Panel) -> None:
    panel.show(layers=64, heads=64)
    grid = panel.page.get_by_role("grid", name="Layers and heads")
    assert grid.get_attribute("aria-rowcount") == "65"
    assert grid.get_attribute("aria-colcount") == "65"
    panel.page.wait_for_function(
        "document.querySelectorAll('[data-testid=attnlab-thumb]').length < 64 * 64"
    )
    panel.thumb(0, 0).focus()
    panel.page.keyboard.press("Control+End")
    panel.page.wait_for_function("document.activeElement.dataset.site === '63'")
    assert panel.focus()["site"] == 63
    assert panel.thumb(63, 63).evaluate("e => e.closest('[role=row]').ariaRowIndex") == "65"
    assert panel.thumb(0, 0).count() == 0
    panel.find("model-sort").select_option("entropy")
    panel.find("thumb-label").first.wait_for()
    assert panel.find("thumb").count() < 1200
    grid.evaluate("e => e.scrollTo(0, 0)")
    panel.frame()
    panel.find("thumb").nth(5).hover()
    panel.find("preview").wait_for()
    assert panel.find("thumb").count() < 1200
    touched = panel.page.evaluate(
        """async () => {
          const grid = document.querySelector('.attnlab-model');
          const touched = new Set();
          const observer = new MutationObserver(all => all.forEach(e => touched.add(e.target)));
          observer.observe(grid, { subtree: true, attributes: true, childList: true });
          lab.state.selection.hover.value = { query: 4 };
          await new Promise(requestAnimationFrame);
          observer.disconnect();
          return [...touched].map(e => e === grid);
        }"""
    )
    assert touched == [True], "ticks of a hovered token need no work for each thumbnail"
