"""The docs site builds without a warning and loads nothing from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
LOADING = {"src", "srcset", "poster", "data"}
"""Attributes whose address a browser loads; of `href`, only that of a `link` element."""
EXTERNAL = re.compile(r"^\s*(https?:)?//")


class Loaded(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            value
            for name, value in attrs
            if value and (name in LOADING or (tag, name) == ("link", "href"))
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; its notebooks have no outputs, which other tests make."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, str(DOCS), str(target)],
        cwd=ROOT,
        env=os.environ | {"ATTNLAB_DOCS_OUTPUTS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return target


def test_every_source_is_a_page(site: Path) -> None:
    sources = [*DOCS.glob("*.md"), *(DOCS / "tutorials").glob("*.*")]
    assert len(sources) > 20
    missing = [
        source.relative_to(DOCS)
        for source in sources
        if not (site / source.relative_to(DOCS).with_suffix(".html")).exists()
    ]
    assert missing == []


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    found: dict[str, list[str]] = {}
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses, page
        found[page.name] = [address for address in loaded.addresses if EXTERNAL.match(address)]
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_no_style_loads_anything_from_another_host(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    assert styles
    loading = re.compile(r"""(?:url\(|@import\s+)\s*["']?\s*((?:https?:)?//[^"')\s]+)""")
    found = {path.name: loading.findall(path.read_text(encoding="utf-8")) for path in styles}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_cells_that_check_results_are_not_on_the_pages(site: Path) -> None:
    for page in (site / "tutorials").glob("*.html"):
        assert ">assert<" not in page.read_text(encoding="utf-8"), page.name


def test_the_reference_describes_every_public_name(site: Path) -> None:
    import attnlab

    page = (site / "api.html").read_text(encoding="utf-8")
    public = [name for name in attnlab.__all__ if not name.startswith("_")]
    assert [name for name in public if f"attnlab.{name}" not in page] == []
