"""Tagged cells as documents: what answers the requests of `messages.documents`."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.live.offsets import apply_change, utf16_length
from attnlab.server.errors import RpcError, content_modified
from attnlab.server.messages import (
    ChangeParams,
    CloseParams,
    DocumentResult,
    ErrorCode,
    OpenParams,
)
from attnlab.server.request import LATER, Call, Handler, Reply
from attnlab.server.retyping import UNRUN, Retyping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.live.passes import Passes
    from attnlab.server.messages import Change
    from attnlab.server.session import Session

LONGEST = 1 << 20
"""Most UTF-16 code units of a document."""


@dataclass(frozen=True)
class Opened:
    """A document as one client has it."""

    version: int
    text: str


class Documents:
    """The texts that clients edit, and their passes through the models.

    Parameters
    ----------
    session
        Whose cells they are.
    passes
        Where models are called.
    """

    def __init__(self, session: Session, passes: Passes) -> None:
        self._session = session
        self._passes = passes
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], Opened] = {}
        self._newest: dict[str, Retyping] = {}

    def table(self) -> Mapping[str, Handler]:
        """Return what answers each method."""
        return {
            "textDocument/didOpen": Handler(self._open),
            "textDocument/didChange": Handler(self._change),
            "textDocument/didClose": Handler(self._close),
        }

    def _open(self, call: Call, params: OpenParams) -> Reply:
        _check_length(params["text"])
        own = Opened(params["version"], params["text"])
        with self._session.lock, self._lock:
            clients = self._session.clients
            self._opened = {key: held for key, held in self._opened.items() if key[0] in clients}
            self._opened[call.client, params["cell"]] = own
        return self._known(params["cell"], own), []

    def _close(self, call: Call, params: CloseParams) -> Reply:
        with self._lock:
            self._opened.pop((call.client, params["cell"]), None)
        return None, []

    def _change(self, call: Call, params: ChangeParams) -> Reply:
        began = time.perf_counter()
        cell = params["cell"]
        with self._lock:
            own = self._opened.get((call.client, cell))
            changed = Opened(params["version"], _changed(own, params))
            self._opened[call.client, cell] = changed
            # Pages that edit a notebook together all tell of each edit: it is made once.
            retyping = self._newest.get(cell)
            known = retyping is not None and retyping.join(call, params, changed.text)
            if not known:
                retyping = Retyping(self._session, changed.text, params, began)
                retyping.join(call, params, changed.text)
                self._newest[cell] = retyping
                # Under the lock: what comes next is newer to the passes, too.
                self._passes.submit(retyping)
        assert retyping is not None
        call.on_cancel(lambda: retyping.leave(call, self._passes))
        return LATER

    def _known(self, cell: str, own: Opened) -> DocumentResult:
        """Say what is known of a text without computing anything."""
        with self._session.lock:
            document = self._session.shelf.documents.get(cell)
            source = self._session.shelf.sources.get(cell)
        if document is None or source is None:
            diagnostics = [UNRUN]
        else:
            diagnostics = source["diagnostics"] if source["text"] == own.text else []
        live = document is not None and document.why is None
        return DocumentResult(
            version=own.version, live=live, diagnostics=diagnostics, milliseconds=0.0
        )


def _changed(own: Opened | None, params: ChangeParams) -> str:
    """Make the edits one after the other."""
    changes = params["changes"]
    whole = bool(changes) and "span" not in changes[0]
    if not whole and (own is None or own.version != params["base"]):
        held = "no version" if own is None else f"version {own.version}"
        raise content_modified(f"The kernel holds {held} of it; send the whole text.")
    text = own.text if own is not None else ""
    for change in changes:
        text = _edited(text, change)
        _check_length(text)
    return text


def _edited(text: str, change: Change) -> str:
    if "span" not in change:
        return change["text"]
    start, end = change["span"]["start"], change["span"]["end"]
    if not 0 <= start <= end <= utf16_length(text):
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.changes: a span from {start} to {end} does not lie in a text of "
            f"{utf16_length(text)} UTF-16 code units.",
        )
    return apply_change(text, start, end, change["text"])


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"A document may have {LONGEST} characters; this one has {len(text)}.",
        )
