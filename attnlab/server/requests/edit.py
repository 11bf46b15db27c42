"""One edited text of a cell: its forward passes, and the responses to its requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from attnlab.capture.again import Again, NotAgainError, Stopped, again
from attnlab.live.cells.document import EditResult
from attnlab.live.cells.repeat import RepeatedCall, revision
from attnlab.live.cells.run import Run
from attnlab.live.findings import Finding
from attnlab.server.messages import ChangeParams, Diagnostic, DocumentResult, Span
from attnlab.server.protocol.errors import RpcError, cancelled, content_modified, from_exception
from attnlab.server.session.sources import diagnostic, slow, unrepeatable

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.live.cells.document import CellDocument
    from attnlab.live.cells.repeat import Repeat, Texts
    from attnlab.live.passes.scheduler import PassScheduler
    from attnlab.server.protocol.request import Reply, RequestContext
    from attnlab.server.session.session import Session

NOT_RUN = Diagnostic(
    span=Span(start=0, end=0),
    severity="information",
    code="unrun",
    message="The cell has not run yet; run it once to see its attention while you type.",
)


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - a result, not an error
    """The text cannot be shown without running the cell."""

    diagnostic: Diagnostic


class EditJob:
    """A job of `live.passes.scheduler` for one text, and the requests that it answers.

    Parameters
    ----------
    session
        The kernel's session.
    text
        The whole text of the cell.
    params
        Parameters of the first request.
    began : float
        `time.perf_counter()` when the first request was received.
    """

    def __init__(self, session: Session, text: str, params: ChangeParams, began: float) -> None:
        self.key = params["cell"]
        self._session = session
        self._text = text
        self._limit = params["limit"]
        self._began = began
        self._earlier = True
        self._lock = threading.Lock()
        self._requests: dict[RequestContext, int] | None = {}
        """The version of each request; None once they have been answered."""
        # Created on the request's thread, so that pushes have its parent message of ipykernel.
        self._run = Run(self.key, 0)

    def join(self, request: RequestContext, params: ChangeParams, text: str) -> bool:
        """Add a request if it is for the same text; return whether it was added."""
        with self._lock:
            if self._requests is None or (self._text, self._limit) != (text, params["limit"]):
                return False
            self._requests[request] = params["version"]
            self._earlier &= params.get("earlier", False)
            return True

    def leave(self, request: RequestContext, passes: PassScheduler) -> None:
        """Answer a cancelled request, and cancel the job if it has no other requests."""
        with self._lock:
            if self._requests is None or self._requests.pop(request, None) is None:
                return
            needed = bool(self._requests)
        request.settle(cancelled())
        if not needed:
            passes.withdraw(self)

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        """Repeat the calls whose texts have changed; return a function that publishes them."""
        try:
            document, calls = self._repeated_calls(stop)
        except Stopped:
            return None
        except Refused as refused:
            return partial(self._answer, live=False, diagnostics=[refused.diagnostic])
        except Exception as error:  # noqa: BLE001 - sent as the response
            return partial(self._fail, from_exception(error))
        edit = EditResult(document, self._text, calls, last=not self._earlier)
        return partial(self._session.add_edit, self._run, edit, self._added)

    def discard(self) -> None:
        """Fail because a newer text has arrived."""
        self._fail(content_modified("A newer text has replaced it."))

    def abandon(self, why: str) -> None:
        """Answer that the text can only be shown by running the cell."""
        self._answer(live=False, diagnostics=[slow(why)])

    def _added(self, error: Exception | None) -> None:
        if error is None:
            self._answer(live=True, diagnostics=[])
        else:
            self._fail(from_exception(error))

    def _repeated_calls(self, stop: Callable[[], bool]) -> tuple[CellDocument, list[RepeatedCall]]:
        document = self._session.document(self.key)
        # While traces of an earlier edit wait to be stored, all calls must be repeated.
        replaces_all = document is not None and document.coming > 0
        if document is None:
            raise Refused(NOT_RUN)
        self._run.execution, self._run.calls = document.execution, document.calls
        deleted = document.gone
        if deleted is not None:
            raise Refused(unrepeatable(self._text, deleted, "model", deleted.feed.gone))
        try:
            texts = document.reread(self._text)
        except Finding as found:
            raise Refused(diagnostic(self._text, found)) from None
        calls = [
            self._repeat(document, repeat, new, stop)
            for repeat, new in zip(document.repeats, texts, strict=True)
            if replaces_all or new != repeat.texts or repeat.revision != revision(repeat.feed.model)
        ]
        return document, calls

    def _repeat(
        self, document: CellDocument, repeat: Repeat, texts: Texts, stop: Callable[[], bool]
    ) -> RepeatedCall:
        def stopped() -> bool:
            self._progress()
            return stop()

        current_revision = revision(repeat.feed.model)
        try:
            result: Again = again(repeat.feed, texts, stopped, self._limit, document.namespace)
        except NotAgainError as error:
            raise Refused(unrepeatable(self._text, repeat, error.code, error.why)) from None
        return RepeatedCall(repeat, result.call, texts, current_revision)

    def _progress(self) -> None:
        with self._lock:
            requests = list(self._requests or ())
        for request in requests:
            request.progress(0, 0, "forward pass")

    def _answer(self, *, live: bool, diagnostics: list[Diagnostic]) -> None:
        elapsed = 1000 * (time.perf_counter() - self._began)

        def reply(version: int) -> Reply:
            result = DocumentResult(
                version=version,
                live=live,
                diagnostics=diagnostics,
                milliseconds=elapsed if live else 0.0,
            )
            return result, []

        for request, version in self._take().items():
            request.settle(reply(version))

    def _fail(self, error: RpcError) -> None:
        for request in self._take():
            request.settle(error)

    def _take(self) -> dict[RequestContext, int]:
        """Return all requests, and let no more join."""
        with self._lock:
            requests, self._requests = self._requests or {}, None
        return requests
