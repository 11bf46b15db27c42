"""A page and a kernel that several tests share; each test has a notebook of its own."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
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

FORGET = """async () => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  await kernel.requestExecute({ code: '%reset -f', silent: true, store_history: false }).done;
}"""


def page_on(context: BrowserContext, server: Server, name: str, app: str = LAB) -> Lab:
    """Return a new page for a notebook; `Lab.open` opens it."""
    return Lab(context.new_page(), server.url, name, app=workspace(name) if app == LAB else app)


def workspace(name: str) -> str:
    """The path of a notebook's own workspace, which restores no tab of another test."""
    return f"lab/workspaces/{Path(name).stem}/tree"


class SharedPage:
    """A page of JupyterLab and a kernel that has imported its packages.

    Nothing of a test is left for the next one: a notebook of another name has its own cells,
    panels, selection and documents. What does not belong to a notebook is reset: the tabs, the
    sidebar and the names in the kernel. A page that a test has loaded again is left for another
    one: after all else JupyterLab opens the notebook of the page's address, at a moment that
    cannot be waited for, so a notebook that was closed would come back beside the next one.
    """

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser = browser
        self._server = server
        self._lab: Lab | None = None
        self._session = ""
        self._loaded = 0.0

    def open(self, name: str) -> Lab:
        """Open a new notebook, and end the sessions of all others."""
        if self._lab is None:
            self._lab = self._begin(name)
            self._loaded = float(self._lab.page.evaluate(LOADED))
        else:
            try:
                self._lab = self._turn_to(name, self._lab.page)
                self._loaded = float(self._lab.page.evaluate(LOADED))
            except Exception:
                self.discard()
                raise
        return self._lab

    def _begin(self, name: str) -> Lab:
        lab = self._new_page(name)
        self._session = str(lab.notebook("panel.sessionContext.session.id"))
        self._server.kept.add(self._session)
        return lab

    def _new_page(self, name: str) -> Lab:
        context = self._browser.new_context(viewport=VIEWPORT)
        return page_on(context, self._server, name).open()

    def _turn_to(self, name: str, page: Page) -> Lab:
        loaded_again = float(page.evaluate(LOADED)) != self._loaded
        if loaded_again:
            page.context.close()
        else:
            evaluate(page, CLOSE_ALL, what="Closing the tabs")
            # Else what is drawn under the pointer would be pointed at.
            page.mouse.move(0, 0)
        # JupyterLab connects a notebook to the session of its name.
        self._server.ask(f"sessions/{self._session}", "PATCH", {"path": name, "name": name})
        self._server.shut_down_kernels()
        if loaded_again:
            lab = self._new_page(name)
        else:
            lab = Lab(page, self._server.url, name, app=workspace(name))
            lab.do("docmanager:open", {"path": name})
            lab.is_usable()
        evaluate(lab.page, FORGET, what="Deleting the names in the kernel")
        return lab

    def discard(self) -> None:
        """Close the page and end the kernel; the next test gets new ones."""
        if self._lab is not None:
            self._lab.page.context.close()
            self._lab = None
            self._server.kept.discard(self._session)
            self._server.shut_down_kernels()
