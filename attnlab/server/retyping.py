"""One edited text of a cell on its way through the models to the views."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.capture.again import Again, NotAgainError, Stopped, again
from attnlab.live.document import Made, revision
from attnlab.live.expressions import Unknown
from attnlab.live.run import Run
from attnlab.live.script import Script, span
from attnlab.server.errors import RpcError, cancelled, content_modified, from_exception
from attnlab.server.messages import ChangeParams, Diagnostic, DocumentResult, Span
from attnlab.server.sources import diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.live.document import Document, Repeat, Texts
    from attnlab.live.passes import Passes
    from attnlab.server.request import Call, Reply
    from attnlab.server.session import Session

UNRUN = Diagnostic(
    span=Span(start=0, end=0),
    severity="information",
    code="unrun",
    message="The cell has not run yet; run it once to see its attention while you type.",
)


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - a finding, not a fault
    """Why a text cannot be shown without running the cell."""

    diagnostic: Diagnostic


class Retyping:
    """A job of `live.passes`, and the requests that it answers.

    Parameters
    ----------
    session
        Whose views show it.
    text
        The whole text of the cell.
    params
        Of the first request.
    began : float
        When that was heard, as `time.perf_counter` tells.
    """

    def __init__(self, session: Session, text: str, params: ChangeParams, began: float) -> None:
        self.key = params["cell"]
        self._session = session
        self._text = text
        self._limit = params["limit"]
        self._began = began
        self._lock = threading.Lock()
        self._asked: dict[Call, int] | None = {}
        # What is published belongs to the request: it keeps ipykernel's parent message.
        self._run = Run(self.key, 0)

    def join(self, call: Call, params: ChangeParams, text: str) -> bool:
        """Answer this request as well, if it asks for the same; return whether it does."""
        with self._lock:
            if self._asked is None or (self._text, self._limit) != (text, params["limit"]):
                return False
            self._asked[call] = params["version"]
            return True

    def leave(self, call: Call, passes: Passes) -> None:
        """Answer a request that is cancelled; the job goes on while others want it."""
        with self._lock:
            if self._asked is None or self._asked.pop(call, None) is None:
                return
            wanted = bool(self._asked)
        call.settle(cancelled())
        if not wanted:
            passes.withdraw(self)

    def run(self, stop: Callable[[], bool]) -> bool:
        """Make the calls again whose texts have changed, and hand them to the views."""
        try:
            document, made = self._made(stop)
        except Stopped:
            return True
        except Refused as why:
            self._answer(live=False, diagnostics=[why.diagnostic])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            self._settle(from_exception(error))
        else:
            self._session.retype(self._run, document, self._text, made, self._shown)
        return False

    def lose(self) -> None:
        """Give way to a newer text."""
        self._settle(content_modified("A newer one has come."))

    def _shown(self, error: Exception | None) -> None:
        if error is None:
            self._answer(live=True, diagnostics=[])
        else:
            self._settle(from_exception(error))

    def _made(self, stop: Callable[[], bool]) -> tuple[Document, list[Made]]:
        with self._session.lock:
            document = self._session.shelf.documents.get(self.key)
        if document is None:
            raise Refused(UNRUN)
        self._run.execution, self._run.calls = document.execution, document.calls
        try:
            texts = document.reread(Script.of(self._text, document.transform))
        except Unknown as found:
            raise Refused(diagnostic(self._text, found)) from None
        made = [
            self._again(document, repeat, own, stop)
            for repeat, own in zip(document.repeats, texts, strict=True)
            if own != repeat.texts or repeat.revision != revision(repeat.feed.model)
        ]
        return document, made

    def _again(
        self, document: Document, repeat: Repeat, texts: Texts, stop: Callable[[], bool]
    ) -> Made:
        def stopped() -> bool:
            self._progress()
            return stop()

        now = revision(repeat.feed.model)
        try:
            result: Again = again(repeat.feed, texts, stopped, self._limit, document.held)
        except NotAgainError as why:
            raise Refused(self._refusal(repeat, why)) from None
        return Made(repeat, result.call, texts, now)

    def _refusal(self, repeat: Repeat, why: NotAgainError) -> Diagnostic:
        line = repeat.feed.callsite.position[0] if repeat.feed.callsite else 1
        start, end = span(self._text, Unknown(why.why, line))
        return Diagnostic(
            span=Span(start=start, end=end),
            severity="error" if why.code == "failed" else "warning",
            code=why.code,
            message=why.why,
        )

    def _progress(self) -> None:
        with self._lock:
            asked = list(self._asked or ())
        for call in asked:
            call.progress(0, 0, "forward pass")

    def _answer(self, *, live: bool, diagnostics: list[Diagnostic]) -> None:
        spent = 1000 * (time.perf_counter() - self._began)

        def reply(version: int) -> Reply:
            result = DocumentResult(
                version=version,
                live=live,
                diagnostics=diagnostics,
                milliseconds=spent if live else 0.0,
            )
            return result, []

        for call, version in self._take().items():
            call.settle(reply(version))

    def _settle(self, error: RpcError) -> None:
        for call in self._take():
            call.settle(error)

    def _take(self) -> dict[Call, int]:
        """End: nobody can join any more."""
        with self._lock:
            asked, self._asked = self._asked or {}, None
        return asked
