"""The table of payload kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.server.payloads.heads import head, row, topk
from attnlab.server.payloads.neurons import neuron, vectors
from attnlab.server.payloads.scores import scores
from attnlab.server.payloads.thumbnails import thumbnails
from attnlab.server.payloads.tiles import tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.server.payloads.lazy import LazyPayload


@dataclass(frozen=True)
class Kind:
    """How payloads of one kind are computed.

    Attributes
    ----------
    describe
        Called with the trace, and with the other fields of the request by name.
    yields
        Whether other requests are answered while a payload with these params is computed.
    cached
        Whether the kernel keeps the payload as long as the trace.
    """

    describe: Callable[..., LazyPayload]
    yields: Callable[[Any], bool] = lambda _: False
    cached: bool = False


KINDS = {
    # Exact thumbnails of a long text take seconds.
    "thumbnails": Kind(thumbnails, yields=lambda params: not params["sampled"]),
    "head": Kind(head),
    "row": Kind(row),
    "tile": Kind(tile),
    "topk": Kind(topk),
    "vectors": Kind(vectors),
    "neuron": Kind(neuron),
    # All weights of all heads are read, which may take minutes, for a few numbers.
    "scores": Kind(scores, yields=lambda _: True, cached=True),
}
"""How payloads are computed, by kind; has the kinds of `messages.PAYLOADS`."""
