"""Files that the docs name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    page for page in [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")] if page.name != "models.md"
)
PATH = re.compile(r"`((?:attnlab|bench|canary|docs|examples|src|tests)/[\w./-]+\.(?:md|py|tsx?))`")
WITH_PATHS = [page for page in PAGES if PATH.search(page.read_text(encoding="utf-8"))]


def test_pages_name_files() -> None:
    assert {"architecture.md", "extend.md", "CONTRIBUTING.md"} <= {page.name for page in WITH_PATHS}


@pytest.mark.parametrize("page", WITH_PATHS, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = set(PATH.findall(page.read_text(encoding="utf-8")))
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []
