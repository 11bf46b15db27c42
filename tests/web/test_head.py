"""The head view: which heads are drawn, which tokens and weights, and how long texts are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.web.panel import FOX, Panel

N = len(FOX)

#: Two sentences as BERT's tokenizer marks them; a word of two pieces in the first.
PAIR = ["[CLS]", "the", "un", "##likely", "fox", "[SEP]", "it", "was", "not", "happy", "[SEP]"]
P = len(PAIR)
SPECIAL = [0, 5, 10]


def pressed(panel: Panel) -> list[int]:
    """Heads whose boxes are pressed."""
    boxes = panel.find("head-box").evaluate_all(
        "all => all.filter(e => e.ariaPressed === 'true').map(e => Number(e.dataset.head))"
    )
    return list(boxes)


def rows(panel: Panel, side: str) -> list[int]:
    """First token of each row of a side."""
    return panel.find(f"head-{side}").evaluate_all("all => all.map(e => Number(e.dataset.index))")


def colors(panel: Panel) -> list[str]:
    """Color of each head's box, as the page computes it."""
    return panel.find("head-box").evaluate_all(
        "all => all.map(e => getComputedStyle(e).borderBottomColor)"
    )


# --- which heads ------------------------------------------------------------------------


def test_a_click_draws_a_head_with_the_others_and_the_last_one_stays(panel: Panel) -> None:
    panel.show()
    assert pressed(panel) == [0]
    box = panel.page.locator(".attnlab-head-box")
    box.nth(3).click()
    assert pressed(panel) == [0, 3]
    box.nth(0).click()
    assert pressed(panel) == [3]
    assert panel.focus()["head"] == 3
    box.nth(3).click()
    assert pressed(panel) == [3]


def test_a_double_click_draws_a_head_alone_and_again_all_of_them(panel: Panel) -> None:
    panel.show()
    box = panel.page.locator(".attnlab-head-box")
    box.nth(2).click()
    box.nth(7).dblclick()
    assert pressed(panel) == [7]
    box.nth(7).dblclick()
    assert pressed(panel) == list(range(12))


def test_the_keyboard_does_with_the_boxes_what_the_pointer_does(panel: Panel) -> None:
    panel.show()
    panel.page.locator(".attnlab-head-box").nth(0).focus()
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("Enter")
    assert pressed(panel) == [0, 1]
    panel.page.keyboard.press("Shift+Enter")
    assert pressed(panel) == [1]
    panel.page.keyboard.press("Shift+Enter")
    assert pressed(panel) == list(range(12))


def test_the_pickers_lead_to_any_layer_and_head(panel: Panel) -> None:
    panel.show()
    panel.find("layer-picker").select_option(label="4")
    panel.find("head-picker").select_option(label="9")
    panel.exact()
    focus = panel.focus()
    assert (focus["site"], focus["head"], focus["heads"]) == (4, 9, [9])
    panel.find("head-query", 2).hover()
    assert panel.printed() == {k: panel.weights(4, 9)[2 * N + k] for k in range(N)}


def test_a_stack_is_chosen_where_there_are_several(panel: Panel) -> None:
    cross = {"kind": "cross", "stack": "decoder.#.cross", "rows": 0, "columns": 1}
    sites = [
        {"kind": "encoder", "stack": "encoder.#", "rows": 1, "columns": 1, "layer": 0},
        {"kind": "encoder", "stack": "encoder.#", "rows": 1, "columns": 1, "layer": 1},
        {"kind": "decoder", "stack": "decoder.#.self", "rows": 0, "columns": 0, "layer": 0},
        {**cross, "layer": 0},
        {**cross, "layer": 1},
    ]
    panel.show(["a", "b"], keyWords=["x", "y", "z"], sites=sites, heads=4)
    assert panel.find("stack").locator("option").all_inner_texts() == [
        "Encoder",
        "Decoder",
        "Cross-attention",
    ]
    panel.find("layer-picker").select_option(label="1")
    panel.find("stack").select_option(label="Cross-attention")
    assert panel.focus()["site"] == 4, "the same layer of the other stack"
    assert (rows(panel, "query"), rows(panel, "key")) == ([0, 1], [0, 1, 2])
    panel.find("stack").select_option(label="Decoder")
    assert panel.focus()["site"] == 2, "the nearest layer of a shallower stack"


def test_a_single_stack_has_no_picker(panel: Panel) -> None:
    panel.show()
    assert panel.find("stack").count() == 0


def test_each_head_has_its_curve_in_its_color(open_panel: Callable[..., Panel]) -> None:
    panel = open_panel(width=900)
    panel.show()
    # Heads that look at different keys of query 4, so that each curve ends alone.
    tops: dict[int, int] = {}
    for head in range(12):
        row = list(panel.weights(0, head)[4 * N : 5 * N])
        if max(row) > 0.5 and row.index(max(row)) not in tops.values():
            tops[head] = row.index(max(row))
    assert len(tops) >= 2
    for head in sorted(set(tops) ^ {0}, reverse=True):  # head 0 is drawn from the beginning
        panel.page.locator(".attnlab-head-box").nth(head).click()
    assert pressed(panel) == sorted(tops)
    panel.find("head-query", 4).click()
    panel.frame()
    picture = panel.pixels(".attnlab-curves-highlighted")
    named = colors(panel)
    lane = min(len(tops) * 6, picture.width * 0.24)
    for head, key in tops.items():
        *color, alpha = picture.at(key * 18 + 9, int(picture.width - lane - 1))
        wanted = [int(part) for part in named[head][4:-1].split(",")]
        assert alpha > 150
        assert color == pytest.approx(wanted, abs=6)


def test_beside_each_key_the_strip_of_a_head_is_as_strong_as_its_weight(
    open_panel: Callable[..., Panel],
) -> None:
    panel = open_panel(width=900)
    panel.show()
    for head in (1, 2):
        panel.page.locator(".attnlab-head-box").nth(head).click()
    panel.find("head-query", 6).click()
    panel.frame()
    picture = panel.pixels(".attnlab-curves-highlighted")
    lane = 18
    for i, head in enumerate((0, 1, 2)):
        weights = panel.weights(0, head)
        x = round(picture.width - lane + 2 + (i + 0.5) * (lane - 2) / 3)
        for key in range(N):
            alpha = picture.at(key * 18 + 5, x)[3] / 255
            assert alpha == pytest.approx(weights[6 * N + key] ** 0.65, abs=0.02)


def test_all_heads_weights_of_a_pair_are_in_its_tooltip(panel: Panel) -> None:
    panel.show()
    panel.page.locator(".attnlab-head-box").nth(5).click()
    panel.find("head-query", 3).click()
    panel.find("head-key", 2).hover()
    title = panel.find("head-key", 2).get_attribute("title") or ""
    said = dict(line[5:].split(": ") for line in title.splitlines() if line.startswith("head "))
    assert set(said) == {"0", "5"}
    for head, text in said.items():
        assert float(text) == pytest.approx(panel.weights(0, int(head))[3 * N + 2], rel=0.02)


# --- which tokens -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "queries", "keys"),
    [
        ("aa", range(6), range(6)),
        ("bb", range(6, P), range(6, P)),
        ("ab", range(6), range(6, P)),
        ("ba", range(6, P), range(6)),
    ],
)
def test_a_filter_by_sentence_is_a_slice_of_the_weights(
    panel: Panel, pairs: str, queries: range, keys: range
) -> None:
    panel.show(PAIR)
    panel.find("pairs").select_option(pairs)
    assert (rows(panel, "query"), rows(panel, "key")) == (list(queries), list(keys))
    query = queries[2]
    panel.find("head-query", query).hover()
    weights = panel.weights(0, 0)
    assert panel.printed() == {k: weights[query * P + k] for k in keys}
    assert panel.focus()["pairs"] == pairs


def test_a_single_sentence_has_no_filter(panel: Panel) -> None:
    panel.show()
    assert panel.find("pairs").count() == 0


def test_without_special_tokens_weights_are_renormalized_and_labeled(panel: Panel) -> None:
    panel.show(PAIR)
    assert panel.find("renormalized").count() == 0
    panel.find("hide-special").click()
    assert panel.find("renormalized").is_visible()
    kept = [k for k in range(P) if k not in SPECIAL]
    assert rows(panel, "query") == kept
    panel.find("head-query", 4).hover()
    weights = panel.weights(0, 0)
    total = sum(weights[4 * P + k] for k in kept)
    printed = panel.printed()
    assert sum(printed.values()) == pytest.approx(1)
    assert printed == pytest.approx({k: weights[4 * P + k] / total for k in kept}, rel=1e-5)


def test_the_pieces_of_a_word_are_one_row(panel: Panel) -> None:
    panel.show(PAIR)
    panel.find("words").click()
    assert rows(panel, "key") == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert panel.find("head-key", 2).inner_text().strip() == "unlikely"
    panel.find("head-query", 2).click()
    weights = panel.weights(0, 0)
    row = [(weights[2 * P + k] + weights[3 * P + k]) / 2 for k in range(P)]
    printed = panel.printed()
    assert printed[2] == pytest.approx(row[2] + row[3])
    assert printed[9] == pytest.approx(row[9])
    panel.find("words").click()
    assert panel.focus()["query"] == 2, "what was selected as a word is selected as its piece"


def test_a_token_hovered_elsewhere_is_marked_as_its_word(panel: Panel) -> None:
    panel.show(PAIR)
    panel.find("words").click()
    panel.find("token", 3).hover()
    assert panel.find("head-query", 2).get_attribute("data-mark") == "current"


def test_the_remainder_of_the_mass_is_one_number(panel: Panel) -> None:
    panel.show(PAIR)
    panel.find("mass").fill("70")
    panel.find("head-query", 4).hover()
    row = sorted(panel.weights(0, 0)[4 * P : 5 * P], reverse=True)
    shown = sorted(panel.printed().values(), reverse=True)
    assert shown == row[: len(shown)]
    assert sum(shown) >= 0.7 > sum(shown[:-1])
    other = panel.find("other")
    assert float(other.get_attribute("data-value") or 0) == pytest.approx(1 - sum(shown), abs=1e-5)
    assert other.inner_text().startswith(f"{P - len(shown)} other keys")


# --- long texts -------------------------------------------------------------------------

LONG = 600
WORDS = [f"w{i}" for i in range(LONG)]


def steps(panel: Panel) -> Iterator[float]:
    """Y of each row in the page."""
    yield from panel.find("head-key").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().top)"
    )


def test_a_long_head_is_never_fetched_whole(panel: Panel) -> None:
    panel.attach()
    panel.run(WORDS, layers=1, heads=4, bare=True)
    panel.exact()
    assert panel.requests("trace/head") == 0
    assert panel.requests("trace/topk") == 1
    panel.frame()
    assert panel.find("head-key").count() < 200
    assert all(b - a == 18 for a, b in pairwise(steps(panel)))


def test_the_exact_row_is_loaded_where_the_pointer_rests(panel: Panel) -> None:
    panel.show(WORDS, layers=1, heads=4)
    panel.find("head-query", 5).hover()
    row = panel.weights(0, 0)[5 * LONG : 6 * LONG]
    panel.page.wait_for_function(
        "document.querySelectorAll('[data-testid=attnlab-weight][data-exact=true]').length > 30"
    )
    assert panel.requests("trace/row") == 1
    for key, value in panel.printed().items():
        assert value == row[key]
    # The heaviest are exact at once; what is read from a thumbnail is said to be.
    panel.page.evaluate("lab.kernel.delay = -1")
    panel.find("head-query", 6).hover()
    panel.page.wait_for_function(
        "document.querySelectorAll('[data-testid=attnlab-weight][data-exact=true]').length <= 8"
    )
    weights = panel.weights(0, 0)[6 * LONG : 7 * LONG]
    heavy = sorted(range(LONG), key=weights.__getitem__, reverse=True)[:8]
    # Read in one go: the pointer that rests may draw a row again.
    script = "all => all.map(e => [Number(e.dataset.index), e.dataset.exact, e.dataset.value])"
    for key, exact, value in panel.find("weight").evaluate_all(script):
        assert (exact == "true") == (key in heavy)
        assert exact != "true" or float(value) == weights[key]


def test_a_moving_pointer_requests_no_row(panel: Panel) -> None:
    panel.show(WORDS, layers=1, heads=4)
    # In one go: a browser that is slow to be driven would rest on each.
    panel.page.evaluate(
        """for (const hovered of [{ query: 3 }, { query: 4 }, { query: 5 }, {}]) {
          lab.state.selection.hover.value = hovered;
        }"""
    )
    panel.rest()
    assert panel.requests("trace/row") == 0


def test_a_hovered_key_notes_that_only_topk_weights_are_known(panel: Panel) -> None:
    panel.show(WORDS, layers=1, heads=4)
    panel.find("head-key", 4).hover()
    said = panel.find("readout").inner_text()
    assert "top-k" in said
    weights = panel.weights(0, 0)
    for row in panel.page.locator('[data-testid="attnlab-query-weight"][data-exact=true]').all():
        query = int(row.get_attribute("data-index") or 0)
        assert float(row.get_attribute("data-value") or 0) == weights[query * LONG + 4]


def test_the_remainder_of_the_topk_weights_is_shown_as_other(panel: Panel) -> None:
    panel.show(WORDS, layers=1, heads=4)
    panel.page.evaluate("lab.kernel.delay = -1")
    panel.find("head-query", 7).hover()
    row = sorted(panel.weights(0, 0)[7 * LONG : 8 * LONG], reverse=True)
    other = panel.find("other")
    assert float(other.get_attribute("data-value") or 0) == pytest.approx(sum(row[8:]), abs=1e-4)
    assert other.get_attribute("data-keys") == str(LONG - 8)


def test_scrolling_redraws_no_curve_while_the_same_rows_are_in_the_page(panel: Panel) -> None:
    panel.show([f"w{i}" for i in range(120)], layers=1, heads=1)
    panel.page.locator(".attnlab-head[data-exact=true]").wait_for()
    panel.page.evaluate(
        """async () => {
          const { prototype } = CanvasRenderingContext2D;
          const draw = prototype.bezierCurveTo;
          lab.curves = 0;
          prototype.bezierCurveTo = function (...at) { lab.curves++; draw.apply(this, at); };
          while (lab.last !== lab.curves) {
            lab.last = lab.curves;
            await new Promise(done => setTimeout(done, 300));
          }
        }"""
    )
    for top in range(300, 1500, 60):
        curves, milliseconds = panel.page.evaluate(
            """async top => {
              const before = lab.curves, start = performance.now();
              document.querySelector('.attnlab-head').scrollTo(0, top);
              await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
              return [lab.curves - before, performance.now() - start];
            }""",
            top,
        )
        if milliseconds < 100:  # else the scroll has rested meanwhile, and curves are due
            break
    assert curves == 0
    panel.find("head-query", 30).click()
    panel.frame()
    assert panel.page.evaluate("lab.curves") > 0
