"""The panel follows the cell's text, says how far it is, and tries other texts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.panel import FOX, Panel


@pytest.fixture
def live(panel: Panel) -> Panel:
    """Show a tagged cell whose picture is of its text."""
    panel.show(cell="cell-2")
    panel.page.evaluate("lab.kernel.source('cell-2', 'a\\nb')")
    panel.page.evaluate("lab.state.session.documents.follow('cell-2', 'a\\nb', true); 0")
    return panel


def edit(panel: Panel, text: str) -> None:
    script = "text => lab.state.session.documents.document('cell-2').edit(text)"
    panel.page.evaluate(script, text)


def kind(panel: Panel, wanted: str) -> None:
    panel.page.wait_for_selector(f'[data-testid="attnlab-status"][data-kind="{wanted}"]')


def test_an_edited_text_is_computing_until_it_is_drawn_and_then_live(live: Panel) -> None:
    kind(live, "live")
    live.page.evaluate("lab.kernel.held.add('textDocument/didChange'); 0")
    edit(live, "a\nbc")
    kind(live, "computing")
    assert live.page.locator(".attnlab-body[data-stale]").count() == 1
    live.page.evaluate("lab.kernel.source('cell-2', 'a\\nbc')")
    kind(live, "live")
    assert "ms" in live.find("status").inner_text()
    assert live.page.locator(".attnlab-body[data-stale]").count() == 0


def test_a_text_that_needs_a_run_shows_the_reason_and_the_line(live: Panel) -> None:
    why = "the text comes from a loop"
    live.page.evaluate("why => { lab.kernel.refused = { at: 2, why } }", why)
    edit(live, "a\nbc")
    kind(live, "stale")
    notice = live.page.locator(".attnlab-notice").inner_text()
    assert f"Line 2: {why}" in notice
    live.find("try-link").click()
    live.find("try-box").wait_for()


def test_a_model_that_has_changed_since_makes_the_views_stale(live: Panel) -> None:
    live.page.evaluate("lab.kernel.source('cell-2', 'a\\nb', true)")
    kind(live, "stale")
    assert "model has changed" in live.page.locator(".attnlab-notice").inner_text()


def test_another_text_is_drawn_as_it_is_typed_and_escape_goes_back(live: Panel) -> None:
    live.find("try").press("Enter")
    box = live.page.get_by_label("Trial text")
    assert box.input_value() == " ".join(FOX)
    box.fill("a red hen")
    kind(live, "tried")
    assert live.find("token").all_inner_texts() == ["a", "red", "hen"]
    box.press("Escape")
    kind(live, "live")
    assert live.find("token").all_inner_texts() == FOX


def test_a_trial_text_that_fails_shows_the_reason_and_marks_the_views(live: Panel) -> None:
    live.find("try").click()
    box = live.page.get_by_label("Trial text")
    box.fill("a red hen")
    kind(live, "tried")
    box.fill("")
    assert "no tokens" in live.find("try-error").inner_text()
    kind(live, "stale")
    assert live.page.locator(".attnlab-body[data-stale]").count() == 1


def test_a_call_that_cannot_be_made_again_says_why(live: Panel) -> None:
    live.page.evaluate("lab.kernel.untried = 'The model is in training mode.'; 0")
    live.find("try").click()
    expect(live.find("try-box")).to_contain_text("training mode")


def test_a_slow_trial_text_shows_its_progress_until_it_is_drawn(
    live: Panel,
) -> None:
    live.find("try").click()
    box = live.page.get_by_label("Trial text")
    box.fill("a red hen")
    kind(live, "tried")
    live.page.evaluate("lab.kernel.held.add('trace/trial'); 0")
    box.fill("a red hen runs")
    kind(live, "computing")
    working = live.find("try-box").get_by_test_id("attnlab-working")
    assert working.count() == 0
    live.page.evaluate("lab.kernel.progress(1, 4)")
    working.wait_for()
    assert "25%" in working.inner_text()
    live.page.evaluate("lab.kernel.release()")
    kind(live, "tried")
    assert working.count() == 0
