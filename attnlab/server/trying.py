"""Another text than the cell's, given to the calls that a trace is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.capture.again import NotAgainError, Stopped, again
from attnlab.live.leaves import leaves, replaced
from attnlab.live.run import Run
from attnlab.server.errors import RpcError, cancelled, content_modified, from_exception, trace_gone
from attnlab.server.messages import ErrorCode, TryParams, TryResult, TryTexts, TryTextsParams
from attnlab.server.request import LATER, Call, Handler, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.feed import Feed
    from attnlab.live.document import Document, Texts
    from attnlab.live.passes import Passes
    from attnlab.server.session import Session
    from attnlab.traces.trace import Trace

UNKNOWN = "It is not known how its model was called; run its cell again."


class Tries:
    """What answers ``trace/texts`` and ``trace/try``."""

    def __init__(self, session: Session, passes: Passes) -> None:
        self._session = session
        self._passes = passes

    def table(self) -> Mapping[str, Handler]:
        """Return what answers each method."""
        return {"trace/texts": Handler(self._texts), "trace/try": Handler(self._try)}

    def _texts(self, _call: Call, params: TryTextsParams) -> Reply:
        trace = self._trace(params["trace"])
        found = self._fed(trace)
        if found is None:
            return TryTexts(texts=[], why=UNKNOWN), []
        document, feed = found
        why = f"{feed.refusal[0].upper()}{feed.refusal[1:]}." if feed.refusal else ""
        return TryTexts(texts=leaves(document.texts(trace.index)), why=why), []

    def _try(self, call: Call, params: TryParams) -> Reply:
        trace = self._trace(params["trace"])
        found = self._fed(trace)
        if found is None:
            raise RpcError(ErrorCode.TRACE_GONE, UNKNOWN)
        document, feed = found
        given = document.texts(trace.index)
        count = len(leaves(given))
        if len(params["texts"]) != count:
            raise RpcError(
                ErrorCode.INVALID_PARAMS,
                f"params.texts must have {count} texts, not {len(params['texts'])}.",
            )
        texts = replaced(given, iter(params["texts"]))
        trying = Trying(self._session, call, document, trace, feed, texts, params["limit"])
        call.on_cancel(lambda: self._passes.withdraw(trying))
        self._passes.submit(trying)
        return LATER

    def _trace(self, id_: str) -> Trace:
        trace = self._session.trace(id_)
        if trace is None:
            raise trace_gone(id_, self._session.dropped(id_))
        return trace

    def _fed(self, trace: Trace) -> tuple[Document, Feed] | None:
        """Find how the call of a trace was fed."""
        with self._session.lock:
            document = self._session.shelf.documents.get(trace.cell)
        if document is None or document.execution != trace.execution:
            return None
        feed = document.feeds.get(trace.index)
        return None if feed is None else (document, feed)


class Trying:
    """A job of `live.passes`."""

    def __init__(
        self,
        session: Session,
        call: Call,
        document: Document,
        trace: Trace,
        feed: Feed,
        texts: Texts,
        limit: int,
    ) -> None:
        self.key = f"{trace.cell}\n{trace.index}"
        self._session = session
        self._call = call
        self._document = document
        self._index = trace.index
        self._feed = feed
        self._texts = texts
        self._limit = limit
        self._run = Run(trace.cell, document.execution, document.calls)

    def run(self, stop: Callable[[], bool]) -> bool:
        """Pass the texts through the model, and hand the trace to the views."""

        def stopped() -> bool:
            self._call.progress(0, 0, "forward pass")
            return stop()

        def shown(error: Exception | None) -> None:
            result = TryResult(trace=trace.id)
            self._call.settle((result, []) if error is None else from_exception(error))

        held = self._document.held
        try:
            made = again(self._feed, self._texts, stopped, self._limit, held)
        except Stopped:
            return True
        except NotAgainError as why:
            self._call.settle(RpcError(ErrorCode.NOT_REPEATABLE, why.why))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            self._call.settle(from_exception(error))
        else:
            trace = self._session.attempt(self._run, made.call, self._index, shown)
        return False

    def lose(self) -> None:
        """Give way to a newer text, or to the client's cancel."""
        gone = self._call.stopped()
        self._call.settle(cancelled() if gone else content_modified("A newer one has come."))
