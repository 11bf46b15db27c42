"""The page that describes the protocol says what the typed source says, with real examples."""

from __future__ import annotations

import re

import pytest

from attnlab.server import messages
from docs import protocol


@pytest.fixture(scope="module")
def written() -> str:
    """Return the page as it would be written now."""
    return protocol.page()


def same_everywhere(page: str) -> str:
    """Leave out numbers that another machine rounds in another way."""
    return re.sub(r'"\d\.\d+"', '"0"', page)


def test_the_committed_page_is_what_the_source_gives(written: str) -> None:
    committed = protocol.PAGE.read_text(encoding="utf-8")
    assert same_everywhere(committed) == same_everywhere(written), "run python -m docs.protocol"


def test_every_message_has_its_fields_and_an_example(written: str) -> None:
    for method in (*messages.REQUESTS, *messages.NOTIFICATIONS, *messages.PUSHES):
        section = written.partition(f"### `{method}`\n")[2].partition("\n### ")[0]
        assert "```json" in section, method
        assert f'"method": "{method}"' in section, method


def test_every_code_has_its_meaning(written: str) -> None:
    for code in messages.ErrorCode:
        assert f"| `{code.name}` | {code.value} |" in written
