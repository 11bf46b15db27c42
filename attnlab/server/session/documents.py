"""The texts of the cells whose traces a session has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from attnlab.server.session.sources import compared, source_of

if TYPE_CHECKING:
    from attnlab.live.cells.document import CellDocument
    from attnlab.server.messages import Source
    from attnlab.server.session.registry import TraceRegistry


class CellDocuments:
    """The document of each cell's newest run that called a model, and its source. Thread-safe.

    A source is computed when it is first requested.

    Parameters
    ----------
    traces
        The traces of the session.
    """

    def __init__(self, traces: TraceRegistry) -> None:
        self._lock = threading.RLock()
        self._traces = traces
        self._documents: dict[str, CellDocument] = {}
        self._sources: dict[str, Source] = {}
        self._stale: dict[str, list[str]] = {}
        """Ids of the traces whose source has not been computed yet, by cell."""

    @property
    def all(self) -> list[CellDocument]:
        """The documents of all cells."""
        with self._lock:
            return list(self._documents.values())

    def get(self, cell: str) -> CellDocument | None:
        """Return the document of a cell; None if the cell has not called a model."""
        with self._lock:
            return self._documents.get(cell)

    def set(self, document: CellDocument) -> None:
        """Set the document whose text all current traces of its cell were computed from."""
        traces = [trace.id for trace in self._traces.of_cell(document.cell)]
        with self._lock:
            self._documents[document.cell] = document
            self._stale[document.cell] = traces

    def source(self, cell: str) -> Source | None:
        """Return the text of a cell's traces and their tokens' positions; None without traces."""
        with self._lock:
            ids = self._stale.pop(cell, None)
            if ids is not None:
                traces = [trace for trace in self._traces.of_cell(cell) if trace.id in ids]
                self._sources[cell] = source_of(self._documents[cell], traces)
            return self._sources.get(cell)

    @property
    def sources(self) -> list[Source]:
        """The sources of all cells."""
        found = (self.source(document.cell) for document in self.all)
        return [source for source in found if source is not None]

    def refresh(self, document: CellDocument) -> Source | None:
        """Update the source of a document if its models were changed or deleted.

        Returns
        -------
        Source or None
            The new source; None if nothing has changed.
        """
        source = self.source(document.cell)
        # Without the lock, because this reads the versions of all parameters.
        updated = None if source is None else compared(source, document)
        if source is None or updated is None or updated == source:
            return None
        with self._lock:
            if self._sources.get(document.cell) is not source:
                return None
            self._sources[document.cell] = updated
            return updated
