"""The panel's views in a real browser, on a kernel that is the page's own script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.web.panel import Panel

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"


def bundle(into: Path) -> None:
    """Bundle the views with the fake kernel, and the styles with JupyterLab's own themes."""
    esbuild = [str(ROOT / "node_modules/.bin/esbuild"), "--bundle", "--log-level=warning"]
    jsx = ["--format=iife", "--jsx=automatic", "--jsx-import-source=preact"]
    for words in (
        [*esbuild, str(HERE / "fake.ts"), *jsx, f"--outfile={into / 'page.js'}"],
        [*esbuild, str(ROOT / "style/index.css"), f"--outfile={into / 'panel.css'}"],
    ):
        subprocess.run(words, check=True, cwd=ROOT)
    shutil.copy(HERE / "page.html", into)
    for theme in ("light", "dark"):
        shutil.copy(THEMES / f"theme-{theme}-extension/index.css", into / f"{theme}.css")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page, built once."""
    into = tmp_path_factory.mktemp("web")
    bundle(into)
    return into


@pytest.fixture
def open_panel(browser: Browser, folder: Path) -> Iterator[Callable[..., Panel]]:
    """Open panels of a given width; an error or a warning of a script fails the test."""
    contexts = []
    errors: list[str] = []

    def open_(width: int = 480, height: int = 900, **context: object) -> Panel:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        contexts.append(made)
        page: Page = made.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda said: errors.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.goto(f"file://{folder}/page.html")
        return Panel(page)

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def panel(open_panel: Callable[..., Panel]) -> Panel:
    """A panel 480 pixels wide, without a kernel yet."""
    return open_panel()
