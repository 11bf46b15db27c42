"""The panel under a Content Security Policy without `blob:`, and without anywidget's front end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.lab.jupyter import Server, jupyterlab
from tests.lab.lab import Lab
from tests.lab.shared import SharedPage

SETUP, CELL = 1, 2
POLICY = "script-src 'self' 'unsafe-eval' 'unsafe-inline'"


BLOB = """async () => {
  const url = URL.createObjectURL(new Blob(['export default 1'], { type: 'text/javascript' }));
  return await import(url).then(() => 'allowed', () => 'forbidden');
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path) -> Iterator[Server]:
    """A JupyterLab whose pages may load no script but the server's own."""
    home = tmp_path_factory.mktemp("policy")
    with jupyterlab(home, minilm_path, policy=POLICY) as running:
        yield running


@pytest.fixture(scope="module")
def worker_page(browser: Browser, server: Server) -> Iterator[SharedPage]:
    """The kernel of this server."""
    shared = SharedPage(browser, server)
    yield shared
    shared.discard()


@pytest.mark.parametrize("without", [["anywidget"], []], ids=["without anywidget", "with it"])
def test_the_panel_shows_and_follows_a_cell_without_blob_scripts_and_without_anywidget(
    new_page: Callable[..., Lab],
    server: Server,
    oracle: Callable[[str], Any],
    without: list[str],
) -> None:
    server.disable(*without)
    page = new_page()
    answers: dict[str, str] = {}
    asked: list[str] = []

    def answered(value: Response) -> None:
        answers.setdefault(value.url, value.headers.get("content-security-policy", ""))

    page.page.on("request", lambda own: asked.append(own.url))
    page.page.on("response", answered)
    page.open()
    assert page.page.evaluate("jupyterapp.hasPlugin('anywidget:plugin')") == (not without)
    page.run(SETUP)
    page.run(CELL)
    page.sees_tokens(11)
    assert answers[page.page.url.split("?")[0]] == POLICY
    assert page.page.evaluate(BLOB) == "forbidden"
    page.one("token", index=4).click()
    text = "the quick brown fox jumps over the lazy dog"
    assert page.weights() == pytest.approx(oracle(text)[0][0][4], abs=2e-6)
    source = str(page.notebook("panel.content.widgets[arg].model.sharedModel.getSource()", CELL))
    page.write(CELL, source.replace("lazy", "very lazy"))
    page.sees_tokens(12)
    expect(page.panel.locator("[data-stale]")).to_have_count(0)
    elsewhere = [url for url in asked if not url.startswith((server.url, "data:", "blob:"))]
    assert asked
    assert elsewhere == []
