"""The panel's views in a real browser, on a kernel that is a page's own script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Path of the browser: ``ATTNLAB_CHROMIUM``, else the first one installed."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    found = os.environ.get("ATTNLAB_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.fail("no Chromium or Chrome is installed; `make test` says how to get one")
    return found


def bundle(into: Path) -> None:
    """Bundle the views with the fake kernel, and the styles with a theme of JupyterLab's."""
    esbuild = ROOT / "node_modules/.bin/esbuild"
    for entry, out, *options in [
        (HERE / "fake.ts", "page.js", "--format=iife", "--jsx=automatic"),
        (ROOT / "style/index.css", "panel.css"),
    ]:
        subprocess.run(
            [
                esbuild,
                entry,
                "--bundle",
                *options,
                *(["--jsx-import-source=preact"] if options else []),
                f"--outfile={into / out}",
                "--log-level=warning",
            ],
            check=True,
            cwd=ROOT,
        )
    shutil.copy(HERE / "page.html", into)
    for theme in ("light", "dark"):
        shutil.copy(THEMES / f"theme-{theme}-extension/index.css", into / f"{theme}.css")
    shutil.copy(into / "light.css", into / "theme.css")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page, built once."""
    folder = tmp_path_factory.mktemp("web")
    bundle(folder)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """A panel 480 pixels wide without a kernel; a script's error fails the test."""
    context = browser.new_context(viewport={"width": 480, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(f"file://{site}/page.html")
    yield page
    context.close()
    assert errors == []
