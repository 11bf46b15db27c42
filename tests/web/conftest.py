"""The panel's views in a real browser, on a kernel that is the page's own script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.web.page import bundle
from tests.web.panel import Panel

if TYPE_CHECKING:
    from tests.web.served import Kernel

TIMEOUT = 10_000
"""Milliseconds that a page may take to show something."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page, built once."""
    into = tmp_path_factory.mktemp("web")
    bundle(into)
    return into


def opened(context: BrowserContext, address: str, errors: list[str]) -> Panel:
    """Open a page, and note what its scripts complain of."""
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.goto(address)
    return Panel(page)


@pytest.fixture
def open_panel(browser: Browser, folder: Path) -> Iterator[Callable[..., Panel]]:
    """Open panels of a given width; an error or a warning of a script fails the test."""
    contexts = []
    errors: list[str] = []

    def open_(width: int = 480, height: int = 900, **context: Any) -> Panel:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        contexts.append(made)
        return opened(made, f"file://{folder}/page.html", errors)

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


Shared = Callable[[int, int], AbstractContextManager[Panel]]


@pytest.fixture(scope="session")
def shared(browser: Browser, folder: Path) -> Iterator[Shared]:
    """Pages by their size, each created once and reloaded for each test.

    Making one takes four times as long as loading it.
    """
    address = f"file://{folder}/page.html"
    pages: dict[tuple[int, int], tuple[Panel, list[str]]] = {}

    def made(width: int, height: int) -> tuple[Panel, list[str]]:
        errors: list[str] = []
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_navigation_timeout(30_000)
        return opened(context, address, errors), errors

    @contextmanager
    def shared_(width: int, height: int) -> Iterator[Panel]:
        if (width, height) not in pages:
            pages[width, height] = made(width, height)
        panel, errors = pages[width, height]
        page = panel.page
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.bring_to_front()
        page.evaluate("localStorage.clear()")
        # Not a reload, which would fill in what was typed, and scroll to where it was.
        page.goto("about:blank")
        page.mouse.move(0, 0)
        page.keyboard.up("Control")
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(TIMEOUT)
        errors.clear()
        page.goto(address)
        yield panel
        assert errors == []

    yield shared_
    for panel, _ in pages.values():
        panel.page.context.close()


@pytest.fixture
def panel(shared: Shared) -> Iterator[Panel]:
    """A panel 480 pixels wide, without a kernel yet."""
    with shared(480, 900) as panel:
        yield panel


@pytest.fixture
def tall_panel(shared: Shared) -> Iterator[Panel]:
    """A panel in which all views are in sight at once."""
    with shared(900, 1500) as panel:
        yield panel


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
