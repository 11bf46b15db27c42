"""The page that tests share shows the notebook of the next test, and no other."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.lab.quickstart import caret, editor, run_sentence
from tests.lab.shared import SharedPage

OPEN = """() => [...window.jupyterapp.shell.widgets('main')]
  .flatMap(widget => widget.context ? [widget.context.path] : [])"""


def test_a_page_that_is_still_loading_again_is_left_for_another_one(
    shared_page: SharedPage, notebook: Callable[..., str]
) -> None:
    page = shared_page.open(notebook())
    page.page.reload(wait_until="commit")
    page.page.wait_for_function("() => window.jupyterapp?.restored")
    name = notebook()
    page = run_sentence(shared_page.open(name))
    caret(page, "fox")
    expect(editor(page).locator(".attnlab-in-cell-query")).to_have_text("fox")
    page.page.wait_for_load_state("networkidle")
    assert page.page.evaluate(OPEN) == [name]
