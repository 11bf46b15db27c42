"""Pages of a panel that tests use one after the other, each loaded again for the next test."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.web.panel import Panel

TIMEOUT = 10_000
"""Milliseconds that a page may take to show something."""

LOAD = 30_000
"""Milliseconds that a page may take to load."""


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


@dataclass
class Opened:
    """A panel in a page of its own, and the errors and warnings of its scripts."""

    panel: Panel
    kind: tuple[Any, ...]
    errors: list[str] = field(default_factory=list)


class Pages:
    """Pages by their size and options. Making one takes four times as long as loading it."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self._idle: defaultdict[tuple[Any, ...], list[Opened]] = defaultdict(list)

    def take(self, width: int, height: int, **options: Any) -> Opened:
        """Load a page that no test uses, or make one."""
        kind = (width, height, *sorted(options.items()))
        if not self._idle[kind]:
            return self._made(kind, **options)
        page = self._idle[kind].pop()
        page.panel.page.set_viewport_size({"width": width, "height": height})
        page.panel.page.set_default_timeout(TIMEOUT)
        page.panel.page.bring_to_front()
        page.errors.clear()
        page.panel.page.goto(self._address)
        return page

    def put_back(self, opened: Opened) -> None:
        """Leave a page to other tests."""
        page = opened.panel.page
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.evaluate("localStorage.clear()")
        page.mouse.move(0, 0)
        page.keyboard.up("Control")
        # Not a reload, which would fill in what was typed, and scroll to where it was.
        page.goto("about:blank")
        self._idle[opened.kind].append(opened)

    def close(self) -> None:
        """Close all pages that no test uses."""
        for pages in self._idle.values():
            for opened in pages:
                opened.panel.page.context.close()
        self._idle.clear()

    def _made(self, kind: tuple[Any, ...], **options: Any) -> Opened:
        width, height, *_ = kind
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_navigation_timeout(LOAD)
        errors: list[str] = []
        return Opened(opened(context, self._address, errors), kind, errors)
