"""Requests of clients about themselves: connections, subscriptions, selections and state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import (
    PROTOCOL,
    BatchItemParams,
    InitializeParams,
    InitializeResult,
    SelectionParams,
    SubscribeParams,
    UnsubscribeParams,
)
from attnlab.server.payloads.thumbnails import check_size
from attnlab.server.protocol.errors import version_mismatch
from attnlab.server.protocol.request import Handler, Notice, Reply, RequestContext, polled
from attnlab.server.session.summaries import item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.server.messages import State
    from attnlab.server.session.session import Session


class ClientRequests:
    """Handlers of requests about clients and the state.

    Parameters
    ----------
    session
        The kernel's session.
    server
        Name and version of this software.
    capabilities
        As in `InitializeResult`.
    missing
        Returns the missing packages, for `InitializeResult.missing`.
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
        """Return the handlers by method."""
        return {
            # Computes what was skipped while there were no clients.
            "initialize": Handler(self._initialize, computes=True, begin=self._connect),
            "leave": Handler(self._leave),
            "state": Handler(self._state, computes=True),
            "subscribe": Handler(self._subscribe),
            "unsubscribe": Handler(self._unsubscribe),
            "trace/item": Handler(self._item),
        }

    def notices(self) -> Mapping[str, Notice]:
        """Return the handlers of notifications by method, except cancellation."""
        return {"selection/didChange": self._select}

    def admit(self, client: str, method: str) -> None:
        """Refuse clients that are not connected; mark the others as active."""
        if method != "initialize":
            self._session.touch(client)

    def _connect(self, client: str, params: InitializeParams) -> None:
        if params["protocol"] != PROTOCOL:
            raise version_mismatch(params["protocol"])
        self._session.connect(client)

    def _initialize(self, request: RequestContext, _params: InitializeParams) -> Reply:
        state = self._computed_state(request)
        result = InitializeResult(
            protocol=PROTOCOL,
            server=self._server,
            session=self._session.name,
            capabilities=self._capabilities,
            missing=self._missing(),
            state=state,
        )
        return result, []

    def _leave(self, request: RequestContext, _params: None) -> Reply:
        self._session.disconnect(request.client)
        return None, []

    def _state(self, request: RequestContext, _params: None) -> Reply:
        return self._computed_state(request), []

    def _computed_state(self, request: RequestContext) -> State:
        return self._session.state(polled(request, "state", len(self._session.traces)))

    def _subscribe(self, request: RequestContext, params: SubscribeParams) -> Reply:
        if params["size"] != 0:
            check_size(params["size"])
        self._session.subscribe(request.client, params)
        return None, []

    def _unsubscribe(self, request: RequestContext, params: UnsubscribeParams) -> Reply:
        self._session.unsubscribe(request.client, params["panel"])
        return None, []

    def _select(self, client: str, params: SelectionParams) -> None:
        self._session.select(client, params["panel"], params["selection"])

    def _item(self, _request: RequestContext, params: BatchItemParams) -> Reply:
        return item_of(self._session.require_trace(params["trace"]), params["item"]), []
