"""A person's hands and eyes in a real JupyterLab: open, type, run, look at the panel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.lab import signals
from tests.lab.waiting import evaluate

PATIENCE = 60_000  # ms; a model's first import takes seconds on a loaded machine
expect.set_options(timeout=PATIENCE)


class Lab:
    """One page on one notebook of a running JupyterLab."""

    def __init__(self, page: Page, url: str, notebook: str, *, app: str = "lab/tree") -> None:
        self.page = page
        self.where = "#attnlab-panel .attnlab-host:not([hidden])"
        self.name = notebook
        self.address = f"{url}{app}/{notebook}"
        self.workspace = notebook.removesuffix(".ipynb")
        page.set_default_timeout(PATIENCE)

    def open(self, *, idle: bool = True) -> Lab:
        """Open the notebook and wait until it can be used (and its kernel is idle)."""
        self.page.goto(self.address)
        return self.is_usable(idle=idle)

    def is_usable(self, *, idle: bool = True) -> Lab:
        """Wait until the notebook is in front and has a kernel (that is idle)."""
        self.page.wait_for_function(
            """([name, idle]) => {
              const panel = window.jupyterapp?.shell.currentWidget;
              if (!panel?.isVisible || !panel.content?.widgets?.length) return false;
              if (panel.context.path !== name) return false;
              const kernel = panel.sessionContext?.session?.kernel;
              return !!kernel && (!idle || kernel.status === 'idle');
            }""",
            arg=[self.name, idle],
        )
        return self

    def do(self, command: str, args: dict[str, Any] | None = None, *, wait: bool = True) -> None:
        """Execute one of JupyterLab's commands."""
        call = "window.jupyterapp.commands.execute(id, args)"
        evaluate(
            self.page,
            f"async ([id, args]) => {{ {'await ' if wait else 'void '}{call}; }}",
            [command, args or {}],
            what=f"The command {command}",
        )

    def notebook(self, expression: str, arg: Any = None) -> Any:
        """Evaluate with `panel`, the visible notebook, and `arg` in scope."""
        return evaluate(
            self.page,
            f"""async arg => {{
              const panel = [...window.jupyterapp.shell.widgets('main')]
                .find(widget => widget.isVisible && widget.content?.widgets);
              return await ({expression});
            }}""",
            arg,
            what=f"Evaluating {expression}",
        )

    def select(self, cell: int) -> None:
        """Make a cell the active one."""
        self.notebook(
            "panel.content.deselectAll(), void (panel.content.activeCellIndex = arg)", cell
        )

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run one cell."""
        self.select(cell)
        self.do("notebook:run-cell", wait=wait)

    def run_all(self) -> None:
        """Run all cells, from the menu's command."""
        self.do("notebook:run-all-cells")

    def write(self, cell: int, source: str) -> None:
        """Replace the source of a cell."""
        self.notebook(
            "panel.content.widgets[arg[0]].model.sharedModel.setSource(arg[1])", [cell, source]
        )

    def add(self, source: str, tags: list[str] | None = None) -> int:
        """Append a code cell and return its index."""
        return int(
            self.notebook(
                """(() => {
                  const notebook = panel.content.model.sharedModel;
                  notebook.insertCell(notebook.cells.length, {
                    cell_type: 'code', source: arg[0], metadata: arg[1] ? {tags: arg[1]} : {}
                  });
                  return notebook.cells.length - 1;
                })()""",
                [source, tags],
            )
        )

    def output(self, cell: int) -> str:
        """Text that a cell has printed."""
        return str(
            self.notebook(
                """panel.content.widgets[arg].model.sharedModel.getOutputs()
                  .map(o => Array.isArray(o.text) ? o.text.join('') : o.text ?? '').join('')""",
                cell,
            )
        )

    def save(self) -> None:
        """Save the notebook."""
        self.do("docmanager:save")

    def restart(self) -> None:
        """Restart the kernel as the menu does, and confirm."""
        self.do("kernelmenu:restart", wait=False)
        with self.seen("statusChanged", "status => status === 'restarting'"):
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp.shell.currentWidget;
              return panel.sessionContext.session?.kernel?.status === 'idle';
            }"""
        )

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the kernel busy with a cell that runs until the end."""
        cell = self.add(
            "import time\nprint('busy', flush=True)\n"
            "try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    pass"
        )
        self.run(cell, wait=False)
        # The kernel's status would also be that of another message, before the cell runs.
        self.page.wait_for_function(
            """cell => window.jupyterapp.shell.currentWidget.content.widgets[cell]
              .model.sharedModel.getOutputs().length > 0""",
            arg=cell,
        )
        yield
        self.do("notebook:interrupt-kernel")

    @contextmanager
    def published(self) -> Iterator[None]:
        """Do something, and wait until the page has received a trace of it."""
        push = "({ content }) => content.data?.content?.rpc?.params?.trace?.id"
        with self.seen("iopubMessage", push):
            yield

    @contextmanager
    def seen(self, signal: str, test: str) -> Iterator[None]:
        """Do something, and wait until the kernel's connection has emitted a signal that passes."""
        listener = signals.connect(self.page, signal, test, PATIENCE)
        yield
        signals.wait(listener)

    def prints(self, cell: int, text: str) -> None:
        """Run a cell until it prints this text."""
        for _ in range(100):
            self.run(cell)
            if self.output(cell) == text:
                return
        assert self.output(cell) == text

    def stored(self, **selected: int) -> None:
        """Wait until JupyterLab has stored a panel with this selection."""
        evaluate(
            self.page,
            """async ([workspace, selected, deadline]) => {
              const { workspaces } = jupyterapp.serviceManager;
              const stored = async () => {
                const { data } = await workspaces.fetch(workspace);
                return Object.values(data).some(({ selection }) => selection
                  && Object.entries(selected).every(([name, at]) => selection[name] === at));
              };
              const end = Date.now() + deadline;
              while (!(await stored())) {
                if (Date.now() > end) {
                  throw new Error(`not stored: ${JSON.stringify(selected)}`);
                }
              }
            }""",
            [self.workspace, selected, PATIENCE],
            what="Reading the workspace",
        )

    # --- the panel --------------------------------------------------------------------

    @property
    def panel(self) -> Locator:
        """The panel that is looked at: the sidebar's, or one in the main area."""
        return self.page.locator(self.where)

    def tab(self, number: int) -> Lab:
        """Look at a panel in the main area, the first opened being 0."""
        other = copy(self)
        other.where = f".attnlab-tab >> nth={number}"
        return other

    def show_panel(self) -> Lab:
        """Open the panel, as its icon in the sidebar does."""
        self.do("attnlab:show-panel")
        return self

    def one(self, test_id: str, **data: object) -> Locator:
        """An element of the panel by its test id and data attributes."""
        filters = "".join(f'[data-{key}="{value}"]' for key, value in data.items())
        return self.panel.locator(f'[data-testid="attnlab-{test_id}"]{filters}')

    def tokens(self) -> list[str]:
        """The tokens in the text strip."""
        return [t.strip() for t in self.one("token").all_inner_texts()]

    def sees_tokens(self, count: int) -> None:
        """Wait until the strip shows that many tokens."""
        expect(self.one("token")).to_have_count(count, timeout=PATIENCE)

    def says(self, text: str) -> None:
        """Wait until the panel shows this text."""
        expect(self.panel).to_contain_text(text, timeout=PATIENCE)

    def focus(self, layer: int, head: int) -> None:
        """Click a head's thumbnail, and wait until the head is shown."""
        thumb = self.one("thumb", site=layer, head=head)
        thumb.click(force=True)
        expect(thumb).to_have_attribute("aria-selected", "true")

    def point(self, test_id: str, index: int) -> None:
        """Point at a token until it is marked.

        What loads above may move a token away from a pointer that rests, so the pointer moves.
        """
        token = self.one(test_id, index=index)
        marked = token.and_(self.page.locator("[data-mark]"))
        end = time.monotonic() + PATIENCE / 1000
        while not marked.is_visible():
            assert time.monotonic() < end, f"{test_id} {index} is not marked"
            for x in (2, 3):
                token.hover(position={"x": x, "y": 3})

    def weights(self) -> list[float]:
        """The weights printed beside the keys, for the query that is hovered or selected."""
        # Until the exact weights have come, those of the thumbnail stand there, marked as such.
        expect(self.panel.locator('.attnlab-head[data-exact="true"]')).to_be_visible()
        expect(self.one("weight").first).to_be_visible()
        return [float(str(w.get_attribute("data-value"))) for w in self.one("weight").all()]
