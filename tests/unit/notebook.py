"""A notebook without a kernel: cells run in this process, watched and edited as in a real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attnlab.live.cells.watcher import CellWatcher
from tests.unit.live.test_cells import Shell
from tests.unit.page import Page

LIMIT = 1024


class Notebook(Page):
    """A page, and the kernel's side that runs its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.shell = Shell()
        self.shell.user_ns = {"__name__": "__main__"}
        self.cells = CellWatcher(self.shell, self.session, self.endpoint.passes)
        self.cells.start()
        self._versions = 0

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's names."""
        return self.shell.user_ns

    def cell(
        self, code: str, cell: str = "c", tags: Sequence[str] = ("attention",)
    ) -> type[BaseException] | None:
        """Run a cell; returns the class of the error that it ended with."""
        self.shell.execution_count += 1
        self.shell.request(f"run-{self.shell.execution_count}", tags=list(tags), cellId=cell)
        self.shell.cell_id, self.shell.raw_cell = cell, code
        self.shell.fire("pre_run_cell")
        raised = None
        try:
            exec(compile(code, f"<{cell}>", "exec"), self.names)
        except BaseException as error:  # noqa: BLE001 - as a kernel does
            raised = type(error)
        self.shell.fire("post_run_cell")
        self.session.settle()
        return raised

    def edit(self, code: str, cell: str = "c", client: str = "a") -> dict[str, Any]:
        """Type in a cell; returns the answer, once the views have what came of it."""
        self._versions += 1
        params = {"cell": cell, "base": 0, "version": self._versions, "limit": LIMIT}
        answer, _ = self.ask(
            "textDocument/didChange", {**params, "changes": [{"text": code}]}, client
        )
        return answer

    def attempt(self, trace: str, *texts: str) -> dict[str, Any]:
        """Try other texts on the calls of a trace."""
        params = {"trace": trace, "texts": list(texts), "limit": LIMIT}
        return self.ask("trace/trial", params)[0]

    def rest(self) -> None:
        """Wait until no pass runs, and all that cells have left is kept."""
        passes = self.endpoint.passes
        with passes._changed:
            done = passes._changed.wait_for(lambda: not passes.busy, 20)
        assert done
        self.session.settle()

    def close(self) -> None:
        """End the threads."""
        self.cells.stop()
        self.endpoint.close()
