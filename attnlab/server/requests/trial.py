"""Requests for traces of trial texts, which are passed to the model calls of a trace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attnlab.capture.again import NotAgainError, Stopped, again
from attnlab.capture.record.clauses import capitalized
from attnlab.live.cells.run import Run
from attnlab.live.findings import Finding
from attnlab.live.texts.limits import check_texts
from attnlab.live.texts.nested import replace_texts, texts_in
from attnlab.live.values.budget import Budget
from attnlab.server.messages import (
    ErrorCode,
    TrialParams,
    TrialResult,
    TrialTextsParams,
    TrialTextsResult,
)
from attnlab.server.protocol.errors import RpcError, cancelled, content_modified, from_exception
from attnlab.server.protocol.request import LATER, Handler, Reply, RequestContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.live.cells.document import CellDocument
    from attnlab.live.cells.repeat import Texts
    from attnlab.live.passes.scheduler import PassScheduler
    from attnlab.server.session.session import Session
    from attnlab.traces.trace import Trace

UNKNOWN = "attnlab does not know how this model was called; run the cell again."


class TrialRequests:
    """Handlers of ``trace/trialTexts`` and ``trace/trial``."""

    def __init__(self, session: Session, passes: PassScheduler) -> None:
        self._session = session
        self._passes = passes

    def table(self) -> Mapping[str, Handler]:
        """Return the handlers by method."""
        return {
            "trace/trialTexts": Handler(self._texts),
            "trace/trial": Handler(self._trial),
        }

    def _texts(self, _request: RequestContext, params: TrialTextsParams) -> Reply:
        trace = self._session.require_trace(params["trace"])
        found = self._feed_of(trace)
        if found is None:
            return TrialTextsResult(texts=[], reason=UNKNOWN), []
        document, feed = found
        reason = f"{capitalized(feed.refusal)}." if feed.refusal else feed.gone
        return TrialTextsResult(texts=texts_in(document.texts(trace.index)), reason=reason), []

    def _trial(self, request: RequestContext, params: TrialParams) -> Reply:
        trace = self._session.require_trace(params["trace"])
        found = self._feed_of(trace)
        if found is None:
            raise RpcError(ErrorCode.TRACE_GONE, UNKNOWN)
        document, feed = found
        current_texts = document.texts(trace.index)
        count = len(texts_in(current_texts))
        if len(params["texts"]) != count:
            raise RpcError(
                ErrorCode.INVALID_PARAMS,
                f"params.texts must have {count} texts, not {len(params['texts'])}.",
            )
        texts = replace_texts(current_texts, iter(params["texts"]))
        job = TrialJob(self._session, request, document, trace, feed, texts, params["limit"])
        request.on_cancel(lambda: self._passes.withdraw(job))
        self._passes.submit(job)
        return LATER

    def _feed_of(self, trace: Trace) -> tuple[CellDocument, Feed] | None:
        """Return the document of a trace and the inputs of its call; None if they are unknown."""
        document = self._session.document(trace.cell)
        if document is None or document.execution != trace.execution:
            return None
        feed = document.feeds.get(trace.index)
        return None if feed is None else (document, feed)


class TrialJob:
    """A job of `live.passes.scheduler` for one trial request."""

    def __init__(
        self,
        session: Session,
        request: RequestContext,
        document: CellDocument,
        trace: Trace,
        feed: Feed,
        texts: Texts,
        limit: int,
    ) -> None:
        self.key = f"{trace.cell}\n{trace.index}"
        self._session = session
        self._request = request
        self._document = document
        self._index = trace.index
        self._feed = feed
        self._texts = texts
        self._limit = limit
        self._run = Run(trace.cell, document.execution, document.calls)
        self._abandoned = False

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        """Pass the texts through the model; return a function that publishes the trace."""

        def stopped() -> bool:
            if not self._abandoned:
                self._request.progress(0, 0, "forward pass")
            return stop()

        try:
            check_texts(self._feed, self._texts, Budget())
            result = again(self._feed, self._texts, stopped, self._limit, self._document.namespace)
        except Stopped:
            return None
        except Finding as found:
            return self._refuse(f"{capitalized(found.why)}.")
        except NotAgainError as error:
            return self._refuse(error.why)
        except Exception as error:  # noqa: BLE001 - sent as the response
            return partial(self._request.settle, from_exception(error))
        return partial(self._add, result.call)

    def discard(self) -> None:
        """Fail because a newer text has arrived, or because the client has cancelled."""
        gone = self._request.stopped()
        self._request.settle(
            cancelled() if gone else content_modified("A newer text has replaced it.")
        )

    def abandon(self, why: str) -> None:
        """Fail because the forward pass takes too long."""
        self._abandoned = True
        self._refuse(f"{why}; try another text.")()

    def _refuse(self, why: str) -> Callable[[], None]:
        return partial(self._request.settle, RpcError(ErrorCode.NOT_REPEATABLE, why))

    def _add(self, call: RecordedCall) -> None:
        self._session.add_trial(self._run, call, self._index, self._added)

    def _added(self, added: Trace | Exception) -> None:
        if isinstance(added, Exception):
            self._request.settle(from_exception(added))
        else:
            self._request.settle((TrialResult(trace=added.id), []))
