"""One query of one head, taken apart: from its vectors to its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.traces.weights import Portion, divisors, kept, softmax, steps, surroundings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from attnlab.capture.records import Record
    from attnlab.capture.terms import Term


@dataclass(frozen=True, eq=False)
class Neuron:
    """How the weights of one query in one head come about.

    ``products.sum(1)`` are the first scores; each term of the call changes them in turn; the
    softmax of the last, in which the sink takes part, are the weights. Where the model changes
    the weights after the softmax, the softmax is one more step, and the weights are those that
    multiply the values.

    Attributes
    ----------
    query, head
        Which query, and which head.
    q
        Shape (width,), float32: the query's vector as the scores use it, e.g. rotated.
    k
        Shape (keys, width), float32: the keys' vectors, of the group that the head reads.
    products
        Shape (keys, width), float32: ``q * k``.
    steps
        Pairs of a label and of the scores after it, shape (keys,), float32, -inf where a
        key is hidden. The first is ``q·k``, then one for each term as the model applies
        it: ``scale``, ``softcap``, ``bias``, ``mask``, ``fill``, ``floor``, ``causal``,
        ``window``. Last comes ``softmax`` where the model changes what it gives.
    weights
        Shape (keys,), float32; NaN where the query may attend to no key.
    sink
        Score of the sink that takes part in the softmax; None where the model has none.
    sink_weight
        Its weight, ``1 - weights.sum()``; None where the model has none.
    """

    query: int
    head: int
    q: NDArray[np.float32]
    k: NDArray[np.float32]
    products: NDArray[np.float32]
    steps: list[tuple[str, NDArray[np.float32]]]
    weights: NDArray[np.float32]
    sink: float | None = None
    sink_weight: float | None = None


def neuron(record: Record, query: int, head: int, item: int = 0) -> Neuron:
    """Take one query of one head apart; the record has queries and keys."""
    assert record.query is not None
    assert record.key is not None
    portion = Portion(item, slice(head, head + 1), slice(query, query + 1))
    taken = []
    for term, scores in steps(record, portion):
        finished = scores
        taken.append((label(term), _numpy(scores[0, 0])))
    if record.weights is None:
        weights = softmax(record, portion, finished)[0, 0]
    else:
        weights = kept(record.weights, portion)[0, 0]
        if record.softened:
            taken.append(("softmax", _numpy(softmax(record, portion, finished)[0, 0])))
    with surroundings(finished.device):
        q = record.query[item, head, query].float()
        k = record.key[item, head // (record.heads // record.groups)].float()
        products = q * k
        sink = mass = None
        if record.sinks is not None:
            shift, total = divisors(record, portion, finished)
            score = record.sinks[head].float()
            sink, mass = float(score), float((score - shift).exp() / total)
    return Neuron(
        query, head, _numpy(q), _numpy(k), _numpy(products), taken, _numpy(weights), sink, mass
    )


def vectors(record: Record, head: int, item: int = 0) -> NDArray[np.float32]:
    """Copy the vectors of the keys that a head reads; the record has queries and keys."""
    assert record.key is not None
    key = record.key[item, head // (record.heads // record.groups)]
    with surroundings(key.device):
        return _numpy(key.float())


def label(term: Term | None) -> str:
    """Name a step: ``q·k``, or the term in one word."""
    return "q·k" if term is None else type(term).__name__.lower()


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Copy: steps change their scores in place, and a record is nobody's to change."""
    own: NDArray[np.float32] = tensor.detach().cpu().numpy().copy()
    return own
