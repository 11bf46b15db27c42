"""The panel's views in a real browser, on a kernel that is the page's own script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.web.page import bundle
from tests.web.pages import Opened, Pages, opened
from tests.web.panel import Panel

if TYPE_CHECKING:
    from tests.web.served import Kernel


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page, built once."""
    into = tmp_path_factory.mktemp("web")
    bundle(into)
    return into


@pytest.fixture(scope="session")
def pages(browser: Browser, folder: Path) -> Iterator[Pages]:
    """Pages that tests use one after the other."""
    pages = Pages(browser, f"file://{folder}/page.html")
    yield pages
    pages.close()


@pytest.fixture
def open_panel(pages: Pages) -> Iterator[Callable[..., Panel]]:
    """Open panels of a given width; an error or a warning of a script fails the test.

    A test that changes more of a page than a new load resets asks for it with ``keep=False``.
    """
    used: list[Opened] = []
    closed: list[Opened] = []

    def open_(width: int = 480, height: int = 900, *, keep: bool = True, **options: Any) -> Panel:
        taken = pages.take(width, height, **options)
        (used if keep else closed).append(taken)
        return taken.panel

    yield open_
    errors = [error for taken in (*used, *closed) for error in taken.errors]
    for taken in used:
        pages.put_back(taken)
    for taken in closed:
        taken.panel.page.context.close()
    assert errors == []


@pytest.fixture
def panel(open_panel: Callable[..., Panel]) -> Panel:
    """A panel 480 pixels wide, without a kernel yet."""
    return open_panel()


@pytest.fixture
def tall_panel(open_panel: Callable[..., Panel]) -> Panel:
    """A panel in which all views are in sight at once."""
    return open_panel(900, 1500)


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page whose kernel is Python's own server, built once."""
    into = tmp_path_factory.mktemp("served")
    bundle(into, "served.ts")
    return into


@pytest.fixture
def serve(browser: Browser, served_folder: Path) -> Iterator[Callable[..., tuple[Panel, Kernel]]]:
    """Open panels on separate kernels, which run real models in the test's process."""
    from tests.web.served import Kernel  # imports torch

    opened_ones: list[tuple[BrowserContext, Kernel]] = []
    errors: list[str] = []

    def serve_(width: int = 900, height: int = 1500) -> tuple[Panel, Kernel]:
        kernel = Kernel(served_folder)
        context = browser.new_context(viewport={"width": width, "height": height})
        opened_ones.append((context, kernel))
        panel = opened(context, kernel.address, errors)
        panel.page.wait_for_function("lab.state.session.phase.value === 'attached'")
        return panel, kernel

    yield serve_
    for context, kernel in opened_ones:
        context.close()
        kernel.close()
    assert errors == []
