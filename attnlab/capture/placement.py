"""Keeps what stands in the way of models in place while any block needs it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from attnlab.capture.imports import ImportWatch
from attnlab.capture.interposition import Interposition

if TYPE_CHECKING:
    from attnlab.capture.blocks import Blocks
    from attnlab.capture.interposition import Listener


class Placement:
    """Puts the interposition in place for the first block, and away after the last call.

    Parameters
    ----------
    listener
        Told and asked by the interposition.
    blocks
        The open blocks, and the calls that are being recorded.
    """

    def __init__(self, listener: Listener, blocks: Blocks) -> None:
        self._lock = threading.RLock()
        self._blocks = blocks
        self._interposition = Interposition(listener)
        self._imports: ImportWatch | None = None

    def place(self) -> None:
        """Put everything in place whose module has been imported, and wait for the others."""
        with self._lock:
            if self._imports is None:
                self._imports = ImportWatch(Interposition.PARTS, self._arrived)
                self._imports.start()
            self._interposition.ensure()

    def ensure(self) -> None:
        """Put in place what has been imported since."""
        with self._lock:
            self._interposition.ensure()

    def release(self) -> None:
        """Take everything away, unless a block or a call still needs it."""
        with self._lock:
            if not self._blocks.idle:
                return
            imports, self._imports = self._imports, None
            if imports is not None:
                imports.stop()
            self._interposition.remove()

    def _arrived(self, name: str, module: Any) -> None:
        with self._lock:
            if self._blocks.open:
                self._interposition.add(name, module)
