"""What answers each request of a panel."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from attnlab.server import pictures
from attnlab.server.errors import RpcError, trace_gone, version_mismatch
from attnlab.server.messages import (
    PROTOCOL,
    ErrorCode,
    HeadParams,
    InitializeParams,
    InitializeResult,
    ItemParams,
    PictureResult,
    RowParams,
    SubscribeParams,
    ThumbnailsParams,
    UnsubscribeParams,
)
from attnlab.server.request import Call, Handler, Reply
from attnlab.server.summaries import item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.server.pictures import Drawn
    from attnlab.server.session import Session
    from attnlab.traces.trace import Trace

SIZES = range(1, 513)
"""Sides of a thumbnail that may be asked for, in pixels."""


class Handlers:
    """The methods of `messages.REQUESTS` over one session.

    Parameters
    ----------
    session
        What is asked about.
    server
        Name and version of this software.
    capabilities
        As in `InitializeResult`.
    missing
        Finds what `InitializeResult.missing` says.
    """

    def __init__(
        self,
        session: Session,
        server: str,
        capabilities: Sequence[str],
        missing: Callable[[], list[str]],
    ) -> None:
        self._session = session
        self._server = server
        self._capabilities = list(capabilities)
        self._missing = missing

    def table(self) -> Mapping[str, Handler]:
        """Return what answers each method."""
        return {
            "initialize": Handler(self._initialize),
            "state": Handler(lambda *_: (self._session.state(), [])),
            "subscribe": Handler(self._subscribe),
            "unsubscribe": Handler(self._unsubscribe),
            "trace/item": Handler(self._item),
            "trace/thumbnails": Handler(self._thumbnails, computes=True),
            "trace/head": Handler(self._head, computes=True),
            "trace/row": Handler(self._row, computes=True),
        }

    def admit(self, client: str, method: str) -> None:
        """Refuse a client that has not initialized; note that the others are there."""
        if method != "initialize":
            with self._session.lock:
                self._session.clients.hear(client)

    def _initialize(self, call: Call, params: InitializeParams) -> Reply:
        if params["protocol"] != PROTOCOL:
            raise version_mismatch(params["protocol"])
        with self._session.lock:
            self._session.clients.greet(call.client)
            state = self._session.state()
        result = InitializeResult(
            protocol=PROTOCOL,
            server=self._server,
            session=self._session.name,
            capabilities=self._capabilities,
            missing=self._missing(),
            state=state,
        )
        return result, []

    def _subscribe(self, call: Call, params: SubscribeParams) -> Reply:
        if params["size"] != 0:
            _check_size(params["size"])
        with self._session.lock:
            self._session.clients.subscribe(call.client, params)
        return None, []

    def _unsubscribe(self, call: Call, params: UnsubscribeParams) -> Reply:
        with self._session.lock:
            self._session.clients.unsubscribe(call.client, params["panel"])
        return None, []

    def _item(self, _call: Call, params: ItemParams) -> Reply:
        return item_of(self._trace(params), params["item"]), []

    def _thumbnails(self, call: Call, params: ThumbnailsParams) -> Reply:
        _check_size(params["size"])
        of = self._trace(params), params["item"]
        stopped = _watched(call, "thumbnails")
        return _picture(pictures.thumbnails(*of, params["size"], params["sampled"], stopped))

    def _head(self, call: Call, params: HeadParams) -> Reply:
        of = self._trace(params), params["item"]
        return _picture(pictures.head(*of, params["site"], params["head"], _watched(call, "head")))

    def _row(self, call: Call, params: RowParams) -> Reply:
        of = self._trace(params), params["item"]
        return _picture(pictures.row(*of, params["site"], params["query"], _watched(call, "row")))

    def _trace(self, params: Any) -> Trace:
        trace = self._session.trace(params["trace"])
        if trace is None:
            raise trace_gone(params["trace"], self._session.dropped(params["trace"]))
        return trace


def _check_size(size: int) -> None:
    if size not in SIZES:
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.size must be {SIZES.start} to {SIZES.stop - 1} pixels, not {size}.",
        )


def _watched(call: Call, what: str) -> Callable[[], bool]:
    """Return what is polled between portions of work: it also tells the client of each."""
    portions = itertools.count()

    def stopped() -> bool:
        call.progress(next(portions), 0, what)
        return call.stopped()

    return stopped


def _picture(drawn: Drawn) -> Reply:
    picture, data = drawn
    return PictureResult(picture=picture), [data]
