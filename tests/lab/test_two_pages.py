"""Two pages on one kernel find its present process, whoever has restarted it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest
from jupyter_client.restarter import KernelRestarter
from playwright.sync_api import expect

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.quickstart import CELL, SETUP, replace, stale, status

STABLE = (
    KernelRestarter.stable_start_time.default_value + 2 * KernelRestarter.time_to_dead.default_value
)
"""Seconds after which Jupyter has seen a kernel as stable."""

KERNEL = "panel.sessionContext.session.kernel.id"


@pytest.fixture
def pages(ran: Lab, lab: Callable[..., Lab]) -> tuple[Lab, Lab]:
    """Open a notebook in two pages, both live on its tagged cell."""
    one = ran
    one.save()
    two = lab(one.name).open().show_panel()
    for page in (one, two):
        is_live(page, 11)
    return one, two


def is_live(page: Lab, tokens: int) -> None:
    page.select(CELL)
    page.sees_tokens(tokens)
    expect(status(page)).to_contain_text("live")
    expect(stale(page)).to_have_count(0)


def is_gone(page: Lab, why: str) -> None:
    """Wait until the panel and the status bar say that the kernel is gone."""
    page.select(CELL)
    page.says(why)
    expect(status(page)).to_contain_text("stale")
    expect(stale(page)).to_be_visible()


def run(page: Lab) -> None:
    for cell in (SETUP, CELL):
        page.run(cell, wait=False)


def test_a_page_is_live_again_whichever_page_restarts_and_runs(pages: tuple[Lab, Lab]) -> None:
    tokens = 11
    for by, other in (pages, pages[::-1]):
        by.restart()
        for page in pages:
            is_gone(page, "The kernel was restarted; run the cell again.")
        run(by)
        for page in pages:
            is_live(page, tokens)
        tokens += 1
        # Both have this text, as where they edit the notebook together.
        for page in (other, by):
            replace(page, "lazy", "very lazy")
        for page in pages:
            is_live(page, tokens)


def test_pages_are_live_again_after_a_crash_a_restart_from_outside_and_another_kernel(
    pages: tuple[Lab, Lab], server: Server
) -> None:
    one, two = pages
    probe = one.add("import os; print(os.getpid())")
    one.run(probe)
    pid = int(one.output(probe))
    # A kernel that dies before Jupyter has seen it as stable is restarted on other ports, to which
    # open pages are not connected.
    while time.time() - psutil.Process(pid).create_time() < STABLE:
        one.page.wait_for_timeout(200)
    os.kill(pid, signal.SIGKILL)
    for page in pages:
        is_gone(page, "run the cell again")
    # JupyterLab tells of a crash in a dialog.
    for page in pages:
        page.page.locator(".jp-Dialog .jp-mod-accept").click()
    run(two)
    for page in pages:
        is_live(page, 11)

    server.ask(f"kernels/{one.notebook(KERNEL)}/restart", "POST", {})
    for page in pages:
        is_gone(page, "The kernel was restarted; run the cell again.")
    run(one)
    for page in pages:
        is_live(page, 11)

    session = one.notebook("panel.sessionContext.session.id")
    former = one.notebook(KERNEL)
    server.ask(f"sessions/{session}", "PATCH", {"kernel": {"name": "python3"}})
    for page in pages:
        is_gone(page, "run the cell again")
        page.page.wait_for_function(
            "former => window.jupyterapp.shell.currentWidget.sessionContext.session"
            "?.kernel?.id !== former",
            arg=former,
        )
    run(two)
    for page in pages:
        is_live(page, 11)
