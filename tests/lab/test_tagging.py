"""Four ways to tag a cell, and the mark that says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.lab import Lab

LOAD = 1


def by_button(page: Lab) -> None:
    button = '.jp-cell-toolbar [data-command="attnlab:toggle-tag"]'
    page.page.locator(f".jp-Cell.jp-mod-active {button}").click()


def by_palette(page: Lab) -> None:
    page.page.keyboard.press("Control+Shift+C")
    page.page.locator(".lm-CommandPalette-input").fill("watch attention")
    page.page.keyboard.press("Enter")


def by_context_menu(page: Lab) -> None:
    page.page.locator(".jp-Cell.jp-mod-active .jp-InputArea-editor").click(button="right")
    page.page.locator('.lm-Menu [data-command="attnlab:toggle-tag"]').click()


def by_shortcut(page: Lab) -> None:
    page.page.locator(".jp-Cell.jp-mod-active .jp-InputPrompt").click()
    page.page.keyboard.press("Alt+a")


@pytest.mark.parametrize("way", [by_button, by_palette, by_context_menu, by_shortcut])
def test_a_cell_is_tagged_and_untagged(shared: Lab, way: Callable[[Lab], None]) -> None:
    page = shared
    page.select(LOAD)
    cell = page.page.locator(".jp-Notebook .jp-Cell").nth(LOAD)
    way(page)
    has_tags(page, LOAD, ["attention"])
    mark = cell.locator(".jp-InputPrompt")
    assert "attention" in mark.evaluate("node => getComputedStyle(node, '::after').content")
    way(page)
    has_tags(page, LOAD, [])
    assert mark.evaluate("node => getComputedStyle(node, '::after').content") == "none"


def has_tags(page: Lab, cell: int, tags: list[str]) -> None:
    """Wait until a cell carries just these tags."""
    page.page.wait_for_function(
        """([cell, tags]) => {
          const { model } = jupyterapp.shell.currentWidget.content.widgets[cell];
          return JSON.stringify(model.getMetadata('tags') ?? []) === JSON.stringify(tags);
        }""",
        arg=[cell, tags],
    )
