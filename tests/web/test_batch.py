"""A batch has several items: one is shown, padding is greyed, and each is within reach."""

from __future__ import annotations

from tests.web.panel import FOX, Panel

BATCH = [
    ["[CLS]", "a", "lazy", "dog", "sleeps", "[SEP]", *["[PAD]"] * 4],
    ["[CLS]", "it", "rains", "and", "rains", "all", "day", "long", ".", "[SEP]"],
]
N = len(FOX)


def shown(panel: Panel, item: int) -> None:
    """Wait until the panel shows an item, from exact weights."""
    panel.page.wait_for_function("item => lab.state.shown.value.item === item", arg=item)
    panel.frame()
    panel.exact()


def test_a_single_text_has_no_picker(panel: Panel) -> None:
    panel.show()
    assert panel.find("item").count() == 0


def test_the_pointer_selects_an_item_that_every_view_shows(panel: Panel) -> None:
    panel.show(batch=BATCH)
    assert panel.find("item").inner_text() == "1/3"
    previous = panel.page.get_by_role("button", name="Previous batch item")
    assert previous.is_disabled()
    panel.page.get_by_role("button", name="Next batch item").click()
    panel.page.get_by_role("button", name="Next batch item").click()
    shown(panel, 2)
    assert panel.page.get_by_role("button", name="Next batch item").is_disabled()
    assert panel.find("token").all_inner_texts() == BATCH[1]
    assert panel.find("head-key").locator("bdi").all_inner_texts() == BATCH[1]
    panel.find("head-query", 4).hover()
    weights = panel.weights(0, 0, item=2)
    assert panel.printed() == {k: weights[4 * N + k] for k in range(N)}
    assert panel.printed() != {k: panel.weights(0, 0)[4 * N + k] for k in range(N)}
    previous.click()
    shown(panel, 1)
    assert panel.find("token", 2).inner_text() == "lazy"


def test_the_thumbnails_are_of_the_chosen_item(panel: Panel) -> None:
    panel.show(batch=BATCH)
    panel.frame()
    first = panel.layer(0).data
    panel.page.get_by_role("button", name="Next batch item").click()
    shown(panel, 1)
    panel.page.wait_for_function("lab.state.thumbnails.value.state === 'ready'")
    panel.frame()
    assert panel.layer(0).data != first


def test_the_keyboard_selects_an_item_and_a_screen_reader_announces_it(panel: Panel) -> None:
    panel.show(batch=BATCH)
    picker = panel.page.get_by_role("spinbutton", name="Batch item")
    assert picker.get_attribute("aria-valuetext") == "item 1 of 3"
    panel.page.locator(".attnlab-pin").focus()
    panel.page.keyboard.press("Tab")
    panel.page.keyboard.press("ArrowUp")
    shown(panel, 1)
    assert picker.get_attribute("aria-valuetext") == "item 2 of 3"
    panel.page.keyboard.press("End")
    shown(panel, 2)
    panel.page.keyboard.press("Home")
    shown(panel, 0)
    assert panel.find("token").all_inner_texts() == FOX


def test_an_item_is_named_by_the_beginning_of_its_text(panel: Panel) -> None:
    panel.show(batch=[["word"] * 60])
    panel.page.get_by_role("button", name="Next batch item").click()
    shown(panel, 1)
    title = panel.page.locator(".attnlab-item-picker").get_attribute("title") or ""
    assert title.startswith("word word")
    assert title.endswith("…")


def test_a_rerun_keeps_the_item_and_pushes_it(panel: Panel) -> None:
    panel.show(batch=BATCH)
    panel.page.get_by_role("button", name="Next batch item").click()
    shown(panel, 1)
    panel.find("head-query", 2).click()
    panel.page.wait_for_function(
        "lab.kernel.subscription.item === 1 && lab.kernel.subscription.query === 2"
    )
    asked = panel.requests("trace/")
    changed = [["[CLS]", "one", "lazy", "cat", "sleeps", "[SEP]", *["[PAD]"] * 4]]
    panel.run(FOX, batch=changed)
    panel.page.wait_for_function("lab.state.trace.value.id === 't2.0'")
    panel.exact()
    assert panel.find("item").inner_text() == "2/2"
    assert panel.find("token").all_inner_texts() == changed[0]
    assert panel.find("token", 2).get_attribute("aria-selected") == "true"
    panel.frame()
    assert panel.requests("trace/") == asked


def test_a_rerun_without_the_item_shows_the_first(panel: Panel) -> None:
    panel.show(batch=BATCH)
    panel.page.get_by_role("button", name="Next batch item").click()
    shown(panel, 1)
    panel.run(["alone"])
    shown(panel, 0)
    assert panel.find("token").all_inner_texts() == ["alone"]


def test_the_old_item_stays_until_the_new_one_arrives(panel: Panel) -> None:
    panel.show(batch=BATCH)
    panel.page.evaluate("lab.kernel.held.add('trace/item')")
    panel.page.get_by_role("button", name="Next batch item").click()
    panel.frame()
    assert panel.find("token").all_inner_texts() == FOX
    assert panel.page.locator(".attnlab-item-picker[data-busy]").count() == 1
    panel.page.evaluate("lab.kernel.release()")
    shown(panel, 1)
    assert panel.page.locator("[data-busy]").count() == 0


def test_an_item_of_a_dropped_trace_is_refused_with_the_reason(panel: Panel) -> None:
    panel.show(batch=BATCH)
    panel.page.evaluate("lab.kernel.traces = []")
    panel.page.get_by_role("button", name="Next batch item").click()
    panel.find("failure").wait_for()
    assert panel.find("failure").inner_text() == "This trace is gone: the cell has run again."
    assert panel.find("item").inner_text() == "1/3"
    assert panel.find("token").all_inner_texts() == FOX


def test_padding_is_gray_and_labeled(panel: Panel) -> None:
    panel.show(BATCH[0])
    for where in ("token", "head-query", "head-key"):
        plain, grey = panel.find(where, 2), panel.find(where, 8)
        assert "padding" in (grey.get_attribute("title") or "")
        assert "padding" in (grey.get_attribute("aria-label") or "")
        assert "padding" not in (plain.get_attribute("title") or "")
        style = """e => {
          const style = getComputedStyle(e.querySelector('.attnlab-row-text') ?? e);
          return [style.color, style.fontStyle];
        }"""
        (color, slant), (greyed, slanted) = plain.evaluate(style), grey.evaluate(style)
        assert greyed != color
        assert (slant, slanted) == ("normal", "italic")  # not by color alone


def test_no_curve_begins_at_padding_until_it_is_hovered(panel: Panel) -> None:
    panel.show(BATCH[0])
    panel.frame()
    begun = ".attnlab-curves-all"
    picture = panel.pixels(begun)
    starts = [picture.at(q * 18 + 9, 1)[3] for q in range(N)]
    assert all(starts[:6])
    assert not any(starts[6:])
    panel.find("head-query", 7).hover()
    panel.frame()
    asked = panel.pixels(".attnlab-curves-highlighted")
    assert asked.at(7 * 18 + 9, 1)[3] > 60
