"""Keeps functions replaced as long as a block or a call needs it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from attnlab.capture.hooks.import_watch import ImportWatch
from attnlab.capture.hooks.interposition import Interposition

if TYPE_CHECKING:
    from attnlab.capture.hooks.blocks import Blocks
    from attnlab.capture.hooks.interposition import Listener


class Installation:
    """Replaces functions for the first block, and restores them after the last block or call.

    Parameters
    ----------
    listener
        Handles the intercepted calls.
    blocks
        The open blocks, and the calls that are being recorded.
    """

    def __init__(self, listener: Listener, blocks: Blocks) -> None:
        self._lock = threading.RLock()
        self._blocks = blocks
        self._interposition = Interposition(listener)
        self._imports: ImportWatch | None = None

    def install(self) -> None:
        """Replace the functions of imported modules, and watch for imports of the others."""
        with self._lock:
            if self._imports is None:
                self._imports = ImportWatch(
                    Interposition.PARTS, self._module_imported, self._interposition.failed
                )
                self._imports.start()
            self._interposition.ensure()

    def ensure(self) -> None:
        """Replace the functions of modules that have been imported since."""
        with self._lock:
            self._interposition.ensure()

    def release(self) -> None:
        """Restore the functions, unless a block or a call still needs them."""
        with self._lock:
            if not self._blocks.idle:
                return
            if self._imports is not None:
                self._imports.stop()
                self._imports = None
            self._interposition.remove()

    def _module_imported(self, name: str, module: Any) -> None:
        with self._lock:
            if self._blocks.open:
                self._interposition.add(name, module)
