"""`make view` shows a panel with the data that it is asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.web.page import ROOT
from tests.web.pages import opened

WORDS = ["a", "</script>", "b"]
"""The second would end the script that it is written into."""


@pytest.fixture
def address() -> Iterator[str]:
    """Address of a page with a small model; ends the server by ending its input."""
    shape = ["layers=2", "heads=3", "model=a-model", f"words={json.dumps(WORDS)}"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.web", *shape, "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        said = iter(server.stdout)
        yield next(found[0] for line in said if (found := re.search(r"http://\S+", line)))


def test_the_page_shows_the_shape_that_it_is_given(address: str, browser: Browser) -> None:
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 480, "height": 900})
    panel = opened(context, address, errors)
    panel.exact()
    expect(panel.find("thumb")).to_have_count(6)
    expect(panel.page.locator(".attnlab-panel")).to_contain_text("a-model")
    expect(panel.find("token")).to_have_text(WORDS)
    context.close()
    assert errors == []
