"""The kernel's log."""

from __future__ import annotations

import logging
from typing import Any


def log_beside_cells(shell: Any) -> None:
    """Send attnlab's log records to the handlers of the kernel's log.

    Otherwise they would be displayed in the cell that runs.
    """
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(getattr(kernel, "log", None), "handlers", None)
    if not handlers:
        return
    log = logging.getLogger("attnlab")
    log.propagate = False
    log.handlers[:] = handlers
