"""A page and kernels that tests share; each test has a notebook of its own."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.shared_kernels import SharedKernels
from tests.lab.waiting import evaluate

LAB = "lab/tree"
VIEWPORT: ViewportSize = {"width": 1400, "height": 1000}

CLOSE_ALL = """() => {
  const { shell } = window.jupyterapp;
  for (const widget of [...shell.widgets('main')]) {
    widget.dispose();
  }
  shell.collapseRight();
}"""

LOADED = "performance.timeOrigin"


def page_on(context: BrowserContext, server: Server, name: str, app: str = LAB) -> Lab:
    """Return a new page for a notebook; `Lab.open` opens it."""
    return Lab(context.new_page(), server.url, name, app=workspace(name) if app == LAB else app)


def workspace(name: str) -> str:
    """The path of a notebook's own workspace, which restores no tab of another test."""
    return f"lab/workspaces/{Path(name).stem}/tree"


class SharedPage:
    """A page of JupyterLab, and kernels that have imported their packages.

    Nothing of a test is left for the next one: a notebook of another name has its own cells,
    panels, selection and documents. What does not belong to a notebook is reset: the tabs, the
    sidebar and the names in the kernel. A page that a test has loaded again is left for another
    one: after all else JupyterLab opens the notebook of the page's address, at a moment that
    cannot be waited for, so a notebook that was closed would come back beside the next one.
    """

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser = browser
        self._server = server
        self._kernels = SharedKernels(server)
        self._page: Page | None = None
        self._loaded = 0.0

    def open(self, name: str, kernel: str = "python3") -> Lab:
        """Open a new notebook with the shared kernel of its kind, and end all other kernels."""
        self.lend(name, kernel)
        return self._show(name)

    def open_fresh(self, name: str) -> Lab:
        """Open a new notebook, whose kernel is its own; all but the shared kernels end."""
        self._clear()
        self._server.shut_down_kernels()
        return self._show(name)

    def lend(self, name: str, kernel: str = "python3") -> None:
        """Give the shared kernel to a notebook that another page will open."""
        self._clear()
        self._kernels.lend(name, kernel)

    def discard(self) -> None:
        """Close the page and end the kernels; the next test gets new ones."""
        self._close()
        self._kernels.discard()

    def _clear(self) -> None:
        """Close all tabs, or the page if a test has loaded it again."""
        if self._page is None:
            return
        if float(self._page.evaluate(LOADED)) != self._loaded:
            self._close()
            return
        evaluate(self._page, CLOSE_ALL, what="Closing the tabs")
        # Else what is drawn under the pointer would be pointed at.
        self._page.mouse.move(0, 0)

    def _show(self, name: str) -> Lab:
        if self._page is None:
            context = self._browser.new_context(viewport=VIEWPORT)
            lab = page_on(context, self._server, name).open()
            self._page = lab.page
            self._loaded = float(lab.page.evaluate(LOADED))
            return lab
        lab = Lab(self._page, self._server.url, name, app=workspace(name))
        lab.do("docmanager:open", {"path": name})
        return lab.is_usable()

    def _close(self) -> None:
        if self._page is not None:
            self._page.context.close()
            self._page = None
