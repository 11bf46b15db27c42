"""Queries and keys of a head by their dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import NeuronPayload, VectorsPayload
from attnlab.server.payloads.lazy import LazyPayload
from attnlab.traces.cancellation import stop_if

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.traces.cancellation import Cancelled
    from attnlab.traces.trace import Trace

INSTEAD = "Request only the weights: tiles or top-k weights."


def vectors(trace: Trace, item: int, site: int, head: int) -> LazyPayload:
    """Describe the key vectors of one head: f4, (keys, width).

    Raises
    ------
    NotSeenError
        If only the weights of the site are known.
    """
    at, index = trace.at(site, item)

    def compute(cancelled: Cancelled) -> NDArray[np.generic]:
        stop_if(cancelled)
        return at.vectors(head, index)

    payload = VectorsPayload(
        kind="vectors",
        dtype="f4",
        trace=trace.id,
        item=item,
        site=site,
        head=head,
        shape=[at.keys, at.width],
        buffer=0,
    )
    if at.pairs:
        payload["pairs"] = [[pair.first, pair.second, pair.wavelength or 0] for pair in at.pairs]
    return LazyPayload(payload, compute, steps=1, instead=INSTEAD)


def neuron(trace: Trace, item: int, site: int, head: int, query: int) -> LazyPayload:
    """Describe one query of one head: f4, (query vector, scores by step, weights and learned sink).

    Raises
    ------
    NotSeenError
        If only the weights of the site are known.
    """
    at, index = trace.at(site, item)

    def compute(cancelled: Cancelled) -> NDArray[np.generic]:
        import numpy as np

        stop_if(cancelled)
        found = at.neuron(query, head, index)
        # Without a learned sink both are None, which becomes NaN.
        sink = np.array([found.sink, found.sink_weight], dtype=np.float32)
        steps = [scores for _, scores in found.steps]
        return np.concatenate([found.q, *steps, found.weights, sink])

    labels = at.steps
    return LazyPayload(
        NeuronPayload(
            kind="neuron",
            dtype="f4",
            trace=trace.id,
            item=item,
            site=site,
            head=head,
            query=query,
            shape=[at.width + (len(labels) + 1) * at.keys + 2],
            buffer=0,
            labels=labels,
        ),
        compute,
        steps=1,
        instead=INSTEAD,
    )
