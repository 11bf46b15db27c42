"""One selection: at once, without a request, by keys alone, with nothing moving.

That each part is seen in all views, wherever it is set, is in `test_links.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.panel import FOX, Panel, box_of

N = len(FOX)
AT = "getComputedStyle(e, '::before')"


@pytest.mark.parametrize("where", ["token", "head-query"])
def test_a_hovered_token_is_marked_everywhere_without_asking_the_kernel(
    panel: Panel, where: str
) -> None:
    panel.show()
    panel.frame()
    before = panel.requests()
    panel.find(where, 4).hover()
    panel.frame()
    assert panel.find("token", 4).get_attribute("data-mark") == "query"
    assert panel.find("head-query", 4).get_attribute("data-mark") == "current"
    assert panel.find("head-key", 4).get_attribute("data-mark") == "same"
    assert panel.find("weight").count() == N
    thumb = panel.thumb(5, 11)
    side = float(thumb.evaluate("e => e.clientWidth"))
    assert float(thumb.evaluate(f"e => parseFloat({AT}.top)")) == pytest.approx(4 * side / N, abs=1)
    assert panel.requests() == before


def test_a_hover_is_drawn_within_a_frame(panel: Panel) -> None:
    panel.show()
    marked = panel.page.evaluate(
        """() => new Promise(done => {
          lab.state.selection.hover.value = { query: 6 };
          requestAnimationFrame(() => setTimeout(() => done(
            document.querySelectorAll('[data-index="6"][data-mark]').length)));
        })"""
    )
    assert marked == 3


@pytest.mark.parametrize("look", ["lines", "matrix"])
@pytest.mark.parametrize("width", [320, 480, 900])
def test_nothing_moves_under_the_pointer(
    open_panel: Callable[..., Panel], width: int, look: str
) -> None:
    panel = open_panel(width)
    panel.show(["a", "an uncommonly long token", "another one that is as long", "b"])
    panel.page.evaluate("look => (lab.state.display.head.value = look)", look)
    places = """() => ['.attnlab-strip', '.attnlab-model', '.attnlab-head', '.attnlab-matrix']
        .map(name => JSON.stringify(document.querySelector(name)?.getBoundingClientRect()))"""
    panel.frame()
    before = panel.page.evaluate(places)
    panel.page.evaluate("lab.state.selection.hover.value = { query: 1, key: 2 }")
    panel.frame()
    assert panel.page.evaluate(places) == before


def test_a_click_selects_a_token_and_escape_clears_it(panel: Panel) -> None:
    panel.show()
    panel.find("token", 4).click()
    panel.page.mouse.move(5, 880)
    assert panel.find("head-query", 4).get_attribute("aria-selected") == "true"
    assert panel.find("weight").count() == N
    panel.find("head-key", 2).click()
    panel.page.mouse.move(5, 880)
    said = panel.find("live").inner_text()
    assert said.startswith("fox attends to quick: ")
    weight = panel.weights(0, 0)[4 * N + 2]
    assert float(said.rsplit(" ", 1)[1]) == pytest.approx(weight, rel=0.05)
    panel.page.keyboard.press("Escape")
    focus = panel.focus()
    assert (focus["site"], focus["head"], focus["query"], focus["key"]) == (0, 0, None, None)
    assert panel.find("weight").count() == 0


def test_arrow_keys_walk_through_the_heads(panel: Panel) -> None:
    panel.show()
    panel.thumb(0, 0).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowLeft"):
        panel.page.keyboard.press(key)
    focus = panel.focus()
    assert (focus["site"], focus["head"], focus["heads"]) == (1, 10, [10])
    assert panel.page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "layer 1, head 10"
    )
    panel.page.keyboard.press("Control+End")
    assert panel.focus()["site"] == 5
    tabbable = panel.page.locator("[data-testid=attnlab-thumb][tabindex='0']")
    assert tabbable.count() == 1


def test_the_keyboard_does_with_tokens_what_the_pointer_does(panel: Panel) -> None:
    panel.show()
    panel.page.locator(".attnlab-tokens").focus()
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("ArrowRight")
    assert panel.find("token", 1).get_attribute("data-mark") == "query"
    active = panel.page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
    assert panel.find("token", 1).get_attribute("id") == active
    panel.page.keyboard.press("Enter")
    assert panel.focus()["query"] == 1
    panel.page.locator(".attnlab-keys").focus()
    panel.page.keyboard.press("End")
    panel.page.keyboard.press("Enter")
    assert panel.focus()["key"] == N - 1
    panel.page.keyboard.press("Escape")
    assert panel.focus()["query"] is None


def test_everything_that_can_be_used_is_reached_by_tab(panel: Panel) -> None:
    panel.show()
    panel.find("token", 2).click()
    panel.page.wait_for_selector(".attnlab-neuron-part canvas")
    usable = panel.page.evaluate(
        """() => [...document.querySelectorAll(
          `#panel :is(button:enabled, select, summary, [tabindex="0"],
            input:not([type=radio]:not(:checked)))`)]
          .filter(e => e.tabIndex >= 0 && e.checkVisibility())
          .map((e, i) => (e.dataset.stop = i))"""
    )
    panel.page.locator("[data-stop='0']").focus()
    seen = []
    for _ in usable:
        seen.append(panel.page.evaluate("Number(document.activeElement.dataset.stop)"))
        panel.page.keyboard.press("Tab")
    assert seen == usable


def test_the_bar_between_the_views_moves_by_keys_and_by_the_pointer(panel: Panel) -> None:
    panel.show()
    part = panel.page.locator(".attnlab-model-part")
    first = box_of(part)["height"]
    bar = panel.page.get_by_role("separator", name="Height of the model view")
    bar.focus()
    panel.page.keyboard.press("ArrowUp")
    assert box_of(part)["height"] == pytest.approx(first - 24, abs=1)
    box = box_of(bar)
    panel.page.mouse.move(box["x"] + 50, box["y"] + 3)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + 50, box["y"] + 43)
    panel.page.mouse.up()
    assert box_of(part)["height"] == pytest.approx(first + 16, abs=1.5)
    bar.dblclick()
    assert box_of(part)["height"] == pytest.approx(first, abs=1)


LONG = [f"w{i}" for i in range(300)]


def in_view(panel: Panel, name: str, index: int) -> bool:
    """Whether an element is in the page and not scrolled out of its view."""
    found = panel.find(name, index)
    return found.count() == 1 and found.evaluate(
        """e => {
          const row = e.getBoundingClientRect();
          const box = e.closest('[data-testid=attnlab-matrix],.attnlab-scroller,.attnlab-tokens')
            .getBoundingClientRect();
          return row.top >= box.top - 1 && row.bottom <= box.bottom + 1;
        }"""
    )


def select(panel: Panel, **part: int) -> None:
    panel.page.evaluate("part => Object.entries(part).forEach(([side, i]) => "
                        "lab.state.selection.toggle(side, i))", part)  # fmt: skip
    panel.frame()


def test_a_token_that_is_selected_elsewhere_is_scrolled_into_view(panel: Panel) -> None:
    panel.show(LONG, layers=1, heads=1)
    assert not in_view(panel, "head-query", 250)
    select(panel, query=250)
    assert in_view(panel, "head-query", 250)
    assert in_view(panel, "token", 250)
    select(panel, key=40)
    panel.page.wait_for_selector('[data-testid="attnlab-neuron-row"][data-index="40"]')
    assert in_view(panel, "head-key", 40)
    assert in_view(panel, "token", 40)
    assert in_view(panel, "neuron-row", 40)


def test_a_new_version_leaves_the_views_where_they_are(panel: Panel) -> None:
    panel.show(LONG, layers=1, heads=1)
    select(panel, query=250)
    scroller = panel.page.locator(".attnlab-head")
    scroller.evaluate("e => e.scrollTo(0, 0)")
    panel.frame()
    panel.run([*LONG[:100], "new", *LONG[100:]], layers=1, heads=1)
    panel.page.wait_for_function("lab.state.sides.value.queries.length === 301")
    panel.frame()
    assert panel.focus()["query"] == 251
    assert scroller.evaluate("e => e.scrollTop") == 0
