"""Requests about tagged cells as documents: open, change and close."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.live.findings import TooLongError
from attnlab.live.source.offsets import apply_change, utf16_length
from attnlab.live.texts.limits import LONGEST, check_length
from attnlab.server.messages import (
    ChangeParams,
    CloseParams,
    DocumentResult,
    ErrorCode,
    OpenParams,
)
from attnlab.server.protocol.errors import RpcError, content_modified
from attnlab.server.protocol.request import LATER, Handler, Reply, RequestContext
from attnlab.server.requests.edit import NOT_RUN, EditJob
from attnlab.server.session.sources import diagnostic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.live.passes.scheduler import PassScheduler
    from attnlab.server.messages import Change
    from attnlab.server.session.session import Session


@dataclass(frozen=True)
class OpenDocument:
    """The version of a document that a client sent last."""

    version: int
    text: str


class DocumentRequests:
    """Handlers of requests about documents.

    Parameters
    ----------
    session
        The kernel's session.
    passes
        Schedules the forward passes.
    """

    def __init__(self, session: Session, passes: PassScheduler) -> None:
        self._session = session
        self._passes = passes
        self._lock = threading.Lock()
        self._open_documents: dict[tuple[str, str], OpenDocument] = {}
        self._newest: dict[str, EditJob] = {}

    def table(self) -> Mapping[str, Handler]:
        """Return the handlers by method."""
        return {
            "textDocument/didOpen": Handler(self._open),
            "textDocument/didChange": Handler(self._change),
            "textDocument/didClose": Handler(self._close),
        }

    def _open(self, request: RequestContext, params: OpenParams) -> Reply:
        document = OpenDocument(params["version"], params["text"])
        with self._lock:
            clients = self._session.clients
            self._open_documents = {
                key: other for key, other in self._open_documents.items() if key[0] in clients
            }
            self._store(request, params["cell"], document)
        return self._known(params["cell"], document), []

    def _close(self, request: RequestContext, params: CloseParams) -> Reply:
        with self._lock:
            self._open_documents.pop((request.client, params["cell"]), None)
        return None, []

    def _change(self, request: RequestContext, params: ChangeParams) -> Reply:
        began = time.perf_counter()
        cell = params["cell"]
        with self._lock:
            before = self._open_documents.get((request.client, cell))
            document = OpenDocument(params["version"], _changed(before, params))
            self._store(request, cell, document)
            if (too_long := _too_long(document)) is not None:
                return too_long, []
            # Pages that share a notebook all send the same edit, which is computed only once.
            job = self._newest.get(cell)
            if job is None or not job.join(request, params, document.text):
                job = EditJob(self._session, document.text, params, began)
                job.join(request, params, document.text)
                self._newest[cell] = job
                # Submitted under the lock, so that the jobs have the order of the edits.
                self._passes.submit(job)
        request.on_cancel(lambda: job.leave(request, self._passes))
        return LATER

    def _store(self, request: RequestContext, cell: str, document: OpenDocument) -> None:
        """Store a text for later edits, unless it is too long: then the client sends it whole."""
        self._open_documents.pop((request.client, cell), None)
        if len(document.text) <= LONGEST:
            self._open_documents[request.client, cell] = document

    def _known(self, cell: str, opened: OpenDocument) -> DocumentResult:
        """Return the diagnostics that are known without computing anything."""
        if (too_long := _too_long(opened)) is not None:
            return too_long
        document, source = self._session.document(cell), self._session.source(cell)
        if document is None or source is None:
            diagnostics = [NOT_RUN]
        else:
            diagnostics = source["diagnostics"] if source["text"] == opened.text else []
        live = document is not None and document.why is None and document.gone is None
        return DocumentResult(
            version=opened.version, live=live, diagnostics=diagnostics, milliseconds=0.0
        )


def _changed(document: OpenDocument | None, params: ChangeParams) -> str:
    """Apply the edits in order.

    Raises
    ------
    RpcError
        CONTENT_MODIFIED if the edits start from another version; INVALID_PARAMS if a span is not
        within the text.
    """
    changes = params["changes"]
    whole = bool(changes) and "span" not in changes[0]
    if not whole and (document is None or document.version != params["base"]):
        known = "no version" if document is None else f"version {document.version}"
        raise content_modified(f"The kernel has {known} of it; send the whole text.")
    text = document.text if document is not None else ""
    for change in changes:
        text = _edited(text, change)
        if len(text) > LONGEST:
            break  # The text is refused whatever the remaining changes are.
    return text


def _edited(text: str, change: Change) -> str:
    if "span" not in change:
        return change["text"]
    start, end = change["span"]["start"], change["span"]["end"]
    if not 0 <= start <= end <= utf16_length(text):
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.changes: the span from {start} to {end} is not within the text of "
            f"{utf16_length(text)} UTF-16 code units.",
        )
    return apply_change(text, start, end, change["text"])


def _too_long(document: OpenDocument) -> DocumentResult | None:
    """Return the refusal of a text that is too long to be parsed; None for other texts."""
    try:
        check_length(len(document.text), "the cell has")
    except TooLongError as error:
        finding = diagnostic(document.text, error)
        return DocumentResult(
            version=document.version, live=False, diagnostics=[finding], milliseconds=0.0
        )
    return None
