"""The tagged cell is followed as it is typed, and its editor shows what its words attend to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.quickstart import CELL, SOURCE, caret, editor


def count(page: Lab) -> int:
    return int(
        page.notebook("panel.content.widgets[arg].model.sharedModel.execution_count", CELL) or 0
    )


def test_typing_shows_the_weights_of_running_the_text(ran: Lab) -> None:
    before = count(ran)
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=40)
    ran.sees_tokens(12)
    expect(ran.page.locator(".attnlab-status-item")).to_contain_text("live")
    # The token at the caret is the query already.
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("lazy")
    live = ran.weights()
    assert count(ran) == before
    ran.run(CELL)
    expect(ran.panel.locator('.attnlab-head[data-exact="true"]')).to_be_visible()
    ran.sees_tokens(12)
    assert ran.weights() == pytest.approx(live, abs=1e-5)


def test_the_token_at_the_caret_is_the_query_also_while_typing(ran: Lab) -> None:
    caret(ran, "fox")
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("fox")
    caret(ran, "lazy")
    ran.page.keyboard.type("old ", delay=40)
    ran.sees_tokens(12)
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("lazy")


def test_the_keys_of_the_word_are_painted_with_the_weights_of_the_panel(ran: Lab) -> None:
    caret(ran, "fox")
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("fox")
    row = dict(zip(ran.tokens(), ran.weights(), strict=True))
    painted = editor(ran).locator(".attnlab-in-cell-tinted", has_text="brown")
    assert float(str(painted.get_attribute("data-weight"))) == pytest.approx(row["brown"], rel=0.01)


CONTRASTS = """([theme, word, weights]) => {
  // The styles of a theme are loaded again when its setting arrives: until then nothing has colors.
  const styles = getComputedStyle(document.body);
  const element = [...document.querySelectorAll('.attnlab-in-cell-tinted')]
    .find(({ textContent }) => textContent === word);
  if (document.body.dataset.jpThemeName !== theme
      || !styles.getPropertyValue('--jp-layout-color0') || !element) {
    return null;
  }
  return weights.map(weight => {
    element.style.setProperty('--attnlab-weight', weight);
    const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const over = (...colors) => {
      for (const color of colors) {
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
      }
      const linear = [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].map(byte => byte / 255)
        .map(share => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const backgrounds = [];
    for (let e = element; e; e = e.parentElement) {
      backgrounds.unshift(getComputedStyle(e).backgroundColor);
    }
    const text = getComputedStyle(element.querySelector('span') ?? element).color;
    const [background, foreground] = [over(...backgrounds), over(...backgrounds, text)];
    return (Math.max(background, foreground) + 0.05) / (Math.min(background, foreground) + 0.05);
  });
}"""


def contrasts(page: Lab, theme: str, weights: list[float]) -> list[float]:
    """Choose a theme, and measure a painted word's contrast for each weight once it has colors.

    Both happen in one step of the page: at any time the editor draws its marks again, and the
    theme loads its styles again.
    """
    page.do("apputils:change-theme", {"theme": theme})
    measured = page.page.wait_for_function(CONTRASTS, arg=[theme, "brown", weights])
    return list(measured.json_value())


def test_a_painted_word_can_be_read_whatever_its_weight_in_every_theme(ran: Lab) -> None:
    caret(ran, "fox")
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("fox")
    expect(editor(ran).locator(".attnlab-in-cell-tinted", has_text="brown")).to_be_visible()
    try:
        for theme in ("Light", "Dark", "Dark High Contrast"):
            plain, half, full = contrasts(ran, f"JupyterLab {theme}", [0, 0.5, 1])
            assert plain > half > full >= 4.5
    finally:
        contrasts(ran, "JupyterLab Light", [0])


def test_token_boundaries_are_drawn_where_the_settings_ask_for_them(
    ran: Lab, lab: Callable[..., Lab], server: Server
) -> None:
    ran.write(CELL, str(ran.notebook(SOURCE, CELL)).replace("lazy", "tokenization"))
    ran.sees_tokens(12)
    joined = editor(ran).locator(".attnlab-in-cell-joined")
    expect(joined).to_have_count(0)
    ran.save()
    with server.setting("attnlab:live", boundaries=True):
        other = lab(ran.name).open().show_panel()
        other.sees_tokens(12)
        expect(editor(other).locator(".attnlab-in-cell-joined")).to_have_text("ization")


def test_pointing_at_a_token_in_the_panel_marks_its_word_in_the_editor(ran: Lab) -> None:
    ran.point("token", 3)
    expect(editor(ran).locator(".attnlab-in-cell-query")).to_have_text("brown")


def test_the_tooltip_at_the_caret_lists_the_tokens_of_the_word(ran: Lab) -> None:
    caret(ran, "brown")
    ran.do("attnlab:show-at-caret")
    reported = ran.page.locator(".attnlab-hover")
    expect(reported).to_contain_text("brown")
    expect(reported).to_contain_text("2829")


def test_the_tooltip_at_the_caret_gives_the_reason_if_a_word_has_no_tokens(ran: Lab) -> None:
    caret(ran, "outputs")
    ran.do("attnlab:show-at-caret")
    reported = ran.page.locator(".attnlab-hover")
    expect(reported).to_have_text("The text here is not part of the input of the model.")


def test_undoing_an_edit_is_live_at_once_though_the_kernel_is_busy(ran: Lab) -> None:
    with ran.busy():
        ran.select(CELL)
        ran.do("notebook:enter-edit-mode")
        caret(ran, "lazy")
        ran.page.keyboard.type("x")
        status = ran.page.locator(".attnlab-status-item")
        expect(status).not_to_contain_text("live")
        ran.page.keyboard.press("Backspace")
        expect(status).to_contain_text("live", timeout=2000)


def test_edits_during_a_run_are_shown_after_it(ran: Lab) -> None:
    with ran.busy():
        ran.select(CELL)
        ran.do("notebook:enter-edit-mode")
        caret(ran, "lazy")
        ran.page.keyboard.type("very ", delay=30)
        ran.sees_tokens(11)
        expect(ran.panel.locator("[data-stale]")).to_be_visible()
        # The marks in the editor lose their color, the text of the cell does not.
        old = editor(ran).locator(".attnlab-in-cell-tinted.attnlab-in-cell-stale").first
        expect(old).to_have_css("background-color", "rgba(0, 0, 0, 0)")
        expect(old).to_have_css("opacity", "1")
        expect(old).to_have_css("filter", "none")
    ran.sees_tokens(12)
    expect(ran.panel.locator("[data-stale]")).to_have_count(0)


def test_a_cell_that_is_not_live_shows_the_reason_at_its_location(ran: Lab) -> None:
    ran.write(CELL, 'for text in ["a", "b"]:\n    model(**tokenizer(text, return_tensors="pt"))')
    ran.run(CELL)
    ran.sees_tokens(3)
    ran.write(CELL, 'for text in ["a", "b c"]:\n    model(**tokenizer(text, return_tensors="pt"))')
    ran.says("Line 1: The text comes from a loop")
    expect(editor(ran).locator(".attnlab-diagnostic").first).to_be_visible()


def test_a_trial_text_is_opened_and_closed(ran: Lab) -> None:
    ran.panel.locator('[data-testid="attnlab-try"]').first.click()
    box = ran.panel.locator("textarea")
    expect(box).to_have_value("the quick brown fox jumps over the lazy dog")
    box.fill("a red cat")
    ran.sees_tokens(5)
    assert ran.tokens() == ["[CLS]", "a", "red", "cat", "[SEP]"]
    box.press("Escape")
    ran.sees_tokens(11)


def test_a_moved_cell_stays_live_and_its_copy_is_separate(ran: Lab) -> None:
    ran.do("notebook:move-cell-down")
    ran.do("notebook:copy-cell")
    ran.do("notebook:paste-cell-below")
    moved, copied = CELL + 1, CELL + 2
    ran.write(moved, str(ran.notebook(SOURCE, moved)).replace("fox", "red fox"))
    ran.sees_tokens(12)
    ran.select(copied)
    expect(ran.page.locator(".attnlab-status-item")).not_to_contain_text("live")


def test_deleting_the_cell_keeps_its_last_view(ran: Lab) -> None:
    ran.do("notebook:enter-command-mode")
    ran.do("notebook:delete-cell")
    ran.sees_tokens(11)
    expect(ran.page.locator("[class*=attnlab-in-cell]")).to_have_count(0)


def test_live_updates_can_be_switched_off_for_a_cell(ran: Lab) -> None:
    ran.do("attnlab:toggle-live")
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=40)
    expect(ran.page.locator(".attnlab-status-item")).to_contain_text("stale")
    ran.sees_tokens(11)
    ran.do("attnlab:toggle-live")
    ran.sees_tokens(12)


def test_all_marks_vanish_with_the_tag(ran: Lab) -> None:
    caret(ran, "fox")
    marks = editor(ran).locator("[class*=attnlab]")
    expect(marks.first).to_be_visible()
    ran.do("attnlab:toggle-tag")
    expect(marks).to_have_count(0)
    expect(ran.page.locator(".attnlab-status-item")).not_to_be_visible()
