"""What happens to a live cell in a real JupyterLab: rows of the table in `docs/live.md`.

`test_live.py` has the others: undo, a cell that runs, is moved, copied, deleted or loses its tag.
"""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.lab.lab import Lab
from tests.lab.quickstart import (
    CELL,
    SETUP,
    caret,
    editor,
    replace,
    stale,
    status,
)

MANY = " ".join(["word"] * 10_000)


def test_a_cell_that_was_split_is_live_again_when_it_has_run(ran: Lab) -> None:
    caret(ran, "outputs")
    ran.do("notebook:split-cell-at-cursor")
    for half in (CELL, CELL + 1):
        ran.select(half)
        expect(status(ran)).to_contain_text("stale")
    expect(stale(ran)).to_be_visible()
    ran.sees_tokens(11)
    ran.run(CELL)
    ran.run(CELL + 1)
    ran.select(CELL + 1)
    expect(status(ran)).to_contain_text("live")


def test_a_cell_that_was_merged_is_live_again_when_it_has_run(ran: Lab) -> None:
    insert = "void panel.content.model.sharedModel.insertCell(...arg)"
    ran.notebook(insert, [CELL + 1, {"cell_type": "code", "source": "after = 1"}])
    ran.select(CELL)
    ran.do("notebook:merge-cell-below")
    ran.select(CELL)
    expect(status(ran)).to_contain_text("stale")
    ran.sees_tokens(11)
    ran.run(CELL)
    expect(status(ran)).to_contain_text("live")
    expect(stale(ran)).to_have_count(0)


def test_a_paste_of_ten_thousand_words_is_refused_and_undone(ran: Lab) -> None:
    replace(ran, "lazy", MANY)
    ran.says("The text has 10010 tokens, more than the limit of 1024")
    expect(stale(ran)).to_be_visible()
    ran.sees_tokens(11)
    replace(ran, MANY, "lazy")
    expect(status(ran)).to_contain_text("live")
    expect(stale(ran)).to_have_count(0)


def test_an_interrupt_while_typing_blocks_nothing(ran: Lab) -> None:
    caret(ran, "lazy")
    ran.page.keyboard.type("very ")
    ran.do("kernelmenu:interrupt")
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=40)
    ran.sees_tokens(13)
    expect(status(ran)).to_contain_text("live")


def test_a_restart_while_typing_keeps_the_last_view_until_the_cell_runs(ran: Lab) -> None:
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=20)
    ran.sees_tokens(12)
    ran.restart()
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=20)
    ran.says("The kernel was restarted; run the cell again.")
    ran.sees_tokens(12)
    expect(stale(ran)).to_be_visible()
    ran.run(SETUP)
    ran.run(CELL)
    ran.sees_tokens(13)
    expect(status(ran)).to_contain_text("live")
    caret(ran, "lazy")
    ran.page.keyboard.type("very ", delay=20)
    ran.sees_tokens(14)


def test_the_page_edited_last_is_shown_and_the_other_one_reports_that(
    ran: Lab, lab: Callable[..., Lab]
) -> None:
    one = ran
    one.save()
    two = lab(one.name).open().show_panel()
    two.select(CELL)
    two.sees_tokens(11)
    replace(one, "lazy", "very lazy")
    for page in (one, two):
        page.sees_tokens(12)
    expect(stale(one)).to_have_count(0)
    expect(stale(two)).to_be_visible()
    replace(two, "fox", "old red fox")
    for page in (one, two):
        page.sees_tokens(13)
    expect(stale(two)).to_have_count(0)
    expect(stale(one)).to_be_visible()
    one.says("The text of the cell has changed.")
    replace(one, "dog", "cat")
    for page in (one, two):
        page.sees_tokens(12)
    expect(stale(one)).to_have_count(0)


def test_a_page_of_notebook_7_is_live_too(new_page: Callable[..., Lab]) -> None:
    page = new_page(app="notebooks").open()
    page.run(SETUP)
    page.run(CELL)
    page.show_panel()
    page.sees_tokens(11)
    page.select(CELL)
    replace(page, "lazy", "very lazy")
    page.sees_tokens(12)
    expect(stale(page)).to_have_count(0)
    page.do("notebook:enter-edit-mode")
    caret(page, "fox")
    expect(editor(page).locator(".attnlab-in-cell-query")).to_have_text("fox")
