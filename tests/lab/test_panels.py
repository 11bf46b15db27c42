"""Several panels of one notebook: in the sidebar and in the main area, and from Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.lab.lab import Lab
from tests.lab.quickstart import CELL, FOX, SETUP, run_sentence

OpenLab = Callable[..., Lab]
Oracle = Callable[[str], list[list[list[list[float]]]]]


def two_panels(page: Lab) -> tuple[Lab, Lab]:
    """Run the sentence, and open a second panel from the sidebar's, in the main area."""
    run_sentence(page)
    page.one("open").click()
    tab = page.tab(0)
    tab.sees_tokens(11)
    return page, tab


def sees_head(panel: Lab, layer: int, head: int) -> None:
    """Wait until this head is the selected one."""
    expect(panel.one("thumb", site=layer, head=head)).to_have_attribute("aria-selected", "true")


def test_a_panel_in_the_main_area_begins_as_a_copy_and_has_its_own_selection(
    shared: Lab, oracle: Oracle
) -> None:
    page = run_sentence(shared)
    page.focus(1, 2)
    page.one("token", index=4).click()
    page.one("open").click()
    tab = page.tab(0)
    tab.sees_tokens(11)
    sees_head(tab, 1, 2)
    assert tab.weights() == pytest.approx(oracle(FOX)[1][2][4], abs=2e-6)
    tab.focus(4, 11)
    tab.one("token", index=7).click()
    sees_head(page, 1, 2)
    assert tab.weights() == pytest.approx(oracle(FOX)[4][11][7], abs=2e-6)
    assert page.weights() == pytest.approx(oracle(FOX)[1][2][4], abs=2e-6)


def test_a_third_panel_opens_from_the_second_and_closing_one_leaves_the_others(
    shared: Lab, oracle: Oracle
) -> None:
    page, tab = two_panels(shared)
    tab.focus(2, 3)
    tab.one("open").click()
    third = page.tab(1)
    third.sees_tokens(11)
    sees_head(third, 2, 3)
    page.do("application:close")
    expect(page.page.locator(".attnlab-tab")).to_have_count(1)
    tab.focus(5, 5)
    tab.one("token", index=1).click()
    assert tab.weights() == pytest.approx(oracle(FOX)[5][5][1], abs=2e-6)
    page.run(CELL)
    tab.says("live")
    sees_head(tab, 5, 5)


def test_a_panel_in_the_main_area_is_restored_after_a_reload(new_page: OpenLab) -> None:
    page, tab = two_panels(new_page().open())
    tab.focus(3, 4)
    tab.one("pin").click()
    page.focus(0, 1)
    page.stored(site=3, head=4)
    page.stored(site=0, head=1)
    page.page.reload()
    tab.sees_tokens(11)
    sees_head(tab, 3, 4)
    expect(tab.one("pin")).to_have_attribute("aria-pressed", "true")
    sees_head(page, 0, 1)
    expect(page.one("pin")).to_have_attribute("aria-pressed", "false")


def test_a_panel_closes_with_its_notebook(shared: Lab) -> None:
    page, tab = two_panels(shared)
    title = page.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text="Attention · ")
    expect(title).to_have_count(1)
    # As closing it does once JupyterLab has asked whether to save.
    page.notebook("panel.dispose()")
    expect(tab.panel).to_have_count(0)
    expect(title).to_have_count(0)


def test_notebook_7_offers_no_second_panel(new_page: OpenLab) -> None:
    page = new_page(app="notebooks").open()
    page.run(SETUP)
    page.run(CELL)
    page.show_panel()
    page.sees_tokens(11)
    expect(page.one("open")).to_have_count(0)
    assert not page.page.evaluate("jupyterapp.commands.hasCommand('attnlab:open-panel')")


def test_python_reads_and_sets_the_panel_that_was_used_last(shared: Lab, oracle: Oracle) -> None:
    page, tab = two_panels(shared)
    page.focus(1, 2)
    tab.focus(4, 11)
    tab.one("token", index=7).click()
    probe = page.add("import attnlab\nprint(attnlab.selection)")
    page.prints(probe, "Selection(layer=4, head=11, query=7)\n")
    page.one("token", index=5).click()
    page.prints(probe, "Selection(layer=1, head=2, query=5)\n")
    page.write(probe, "attnlab.selection.head = 3")
    page.run(probe)
    sees_head(page, 1, 3)
    sees_head(tab, 4, 11)
    assert page.weights() == pytest.approx(oracle(FOX)[1][3][5], abs=2e-6)
    assert tab.weights() == pytest.approx(oracle(FOX)[4][11][7], abs=2e-6)
    page.write(probe, "print(attnlab.selection)")
    page.run(probe)
    assert page.output(probe) == "Selection(layer=1, head=3, query=5)\n"
