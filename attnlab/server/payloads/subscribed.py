"""The payloads of a new trace that panels have subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.server.messages import FULL_HEAD_LIMIT, SubscribeParams
from attnlab.server.payloads.heads import head, row, topk
from attnlab.server.payloads.lazy import LazyPayload, encode_fitting
from attnlab.server.payloads.neurons import neuron, vectors
from attnlab.server.payloads.thumbnails import thumbnails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.server.messages import Payload
    from attnlab.traces.trace import Trace

Subscriptions = list[SubscribeParams]


def shown_items(trace: Trace, subscriptions: Subscriptions) -> list[int]:
    """Return the batch items that panels show, in ascending order."""
    return sorted({_item(trace, subscription) for subscription in subscriptions})


def subscribed(trace: Trace, subscriptions: Subscriptions) -> tuple[list[Payload], list[bytes]]:
    """Compute what panels show of a new trace, each payload once; thumbnails are sampled.

    What a panel shows may not exist in this trace, e.g. a head of a model with more heads. Such
    payloads are left out, and so are payloads that do not fit in one message: the panel
    requests what it needs.
    """
    lazy = {_id(one): one for of in subscriptions for one in _shown(trace, of)}
    return encode_fitting([lazy[key] for key in sorted(lazy)])


def _shown(trace: Trace, subscription: SubscribeParams) -> Iterator[LazyPayload]:
    item, size = _item(trace, subscription), subscription["size"]
    focus, query = subscription["focus"], subscription["query"]
    if size > 0:
        yield thumbnails(trace, item, size, sampled=True)
    if focus is None or not 0 <= focus["site"] < len(trace.sites):
        return
    site = trace.sites[focus["site"]]
    weights = head if site.queries * site.keys <= FULL_HEAD_LIMIT**2 else topk
    for number in {focus["head"], *subscription["heads"]} & set(range(site.heads)):
        yield weights(trace, item, site.index, number)
    if query is None or not 0 <= query < site.queries:
        return
    yield row(trace, item, site.index, query)
    dimensions = subscription["neuron"] and site.record.query is not None
    if dimensions and 0 <= focus["head"] < site.heads:
        yield vectors(trace, item, site.index, focus["head"])
        yield neuron(trace, item, site.index, focus["head"], query)


ORDER = ("thumbnails", "head", "topk", "row", "vectors", "neuron")
"""If not all fit in one message, the first of these are sent."""


def _id(lazy: LazyPayload) -> tuple[int, ...]:
    payload: dict[str, Any] = {**lazy.payload}
    place = (payload.get(name, -1) for name in ("item", "site", "head", "query"))
    # The shape distinguishes thumbnails of different sizes.
    return ORDER.index(payload["kind"]), *place, *payload["shape"]


def _item(trace: Trace, subscription: SubscribeParams) -> int:
    """Return the batch item that a panel shows: the first one if it does not exist."""
    return subscription["item"] if 0 <= subscription["item"] < trace.items else 0
