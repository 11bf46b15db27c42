"""Requests for payloads."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, get_type_hints
from weakref import WeakKeyDictionary

from attnlab.server.messages import PAYLOADS
from attnlab.server.payloads.kinds import KINDS
from attnlab.server.protocol.errors import not_seen
from attnlab.server.protocol.request import Handler, Reply, RequestContext, polled
from attnlab.traces.errors import NotSeenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from attnlab.server.payloads.lazy import EncodedPayload
    from attnlab.server.session.session import Session
    from attnlab.traces.trace import Trace

FIELDS = {
    kind: [name for name in get_type_hints(types.params) if name != "trace"]
    for kind, types in PAYLOADS.items()
}
"""The fields of a request other than the trace, by kind."""


class PayloadRequests:
    """Handlers of ``trace/KIND`` for all kinds of payloads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cached: WeakKeyDictionary[Trace, dict[tuple[Any, ...], EncodedPayload]] = (
            WeakKeyDictionary()
        )

    def table(self) -> Mapping[str, Handler]:
        """Return the handlers by method."""
        return {
            f"trace/{kind}": Handler(partial(self._answer, kind), computes=True, yields=of.yields)
            for kind, of in KINDS.items()
        }

    def _answer(self, kind: str, request: RequestContext, params: Any) -> Reply:
        trace = self._session.require_trace(params["trace"])
        fields = {name: params[name] for name in FIELDS[kind]}
        cache, key = self._cached.setdefault(trace, {}), (kind, *fields.values())
        encoded = cache.get(key)
        if encoded is None:
            with _with_alternatives(trace):
                lazy = KINDS[kind].describe(trace, **fields)
                encoded = lazy.encode(polled(request, kind, lazy.steps))
            if KINDS[kind].cached:
                cache[key] = encoded
        payload, data = encoded
        return payload, [data]


@contextlib.contextmanager
def _with_alternatives(trace: Trace) -> Iterator[None]:
    """Extend the error about unknown queries and keys by the layers that have them."""
    try:
        yield
    except NotSeenError as error:
        layers = {site.layer for site in trace.sites if site.record.query is not None}
        raise not_seen(error, sorted(layers)) from None
