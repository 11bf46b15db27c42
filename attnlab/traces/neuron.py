"""The computation of the weights of one query in one head, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.traces.weights import (
    Portion,
    divisors,
    neutral_modes,
    recorded_weights,
    softmax,
    steps,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.terms import Term


@dataclass(frozen=True, eq=False)
class Neuron:
    """The steps that compute the weights of one query in one head.

    ``products.sum(1)`` are the initial scores, and each term of the call changes them in turn. The
    weights are the softmax of the final scores, including the learned sink. If the model changes
    the result of the softmax, that result is an additional step, and `weights` are those that the
    model multiplies by the values.

    Attributes
    ----------
    query, head
        Indices of the query and the head.
    q
        Shape (width,), float32: the query vector that the scores use, e.g. rotated.
    k
        Shape (keys, width), float32: the key vectors that the head reads, those of its group.
    products
        Shape (keys, width), float32: ``q * k``.
    steps
        Pairs of a label and the scores after this step, shape (keys,), float32; -inf where a
        key is masked. The first is ``q·k``, followed by the terms in the order in which the
        model applies them: ``scale``, ``softcap``, ``bias``, ``mask``, ``fill``, ``floor``,
        ``causal``, ``window``. ``softmax`` is the last step if the model changes its result.
    weights
        Shape (keys,), float32; all NaN if the query attends to no key.
    sink
        Score of the learned sink in the softmax; None if the model has none.
    sink_weight
        Weight of the learned sink, ``1 - weights.sum()``; None if the model has none.
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


def neuron(record: AttentionRecord, query: int, head: int, item: int = 0) -> Neuron:
    """Compute the weights of one query step by step; the record must have queries and keys."""
    assert record.query is not None
    assert record.key is not None
    portion = Portion(item, slice(head, head + 1), slice(query, query + 1))
    labeled_steps = []
    for term, scores in steps(record, portion):
        final_scores = scores
        labeled_steps.append((label(term), _numpy(scores[0, 0])))
    if record.weights is None:
        weights = softmax(record, portion, final_scores)[0, 0]
    else:
        weights = recorded_weights(record.weights, portion)[0, 0]
        if record.softened:
            result = softmax(record, portion, final_scores)[0, 0]
            labeled_steps.append(("softmax", _numpy(result)))
    with neutral_modes(final_scores.device):
        q = record.query[item, head, query].float()
        keys, _ = record.keys_of(query)
        assert keys is not None
        k = keys[item, head // (record.heads // record.groups)].float()
        products = q * k
        sink = sink_weight = None
        if record.sinks is not None:
            shift, total = divisors(record, portion, final_scores)
            score = record.sinks[head].float()
            sink, sink_weight = float(score), float((score - shift).exp() / total)
    return Neuron(
        query,
        head,
        _numpy(q),
        _numpy(k),
        _numpy(products),
        labeled_steps,
        _numpy(weights),
        sink,
        sink_weight,
    )


def vectors(record: AttentionRecord, head: int, item: int = 0) -> NDArray[np.float32]:
    """Copy the key vectors that a head reads; the record must have queries and keys."""
    assert record.key is not None
    key = record.key[item, head // (record.heads // record.groups)]
    with neutral_modes(key.device):
        return _numpy(key.float())


def labels(record: AttentionRecord) -> list[str]:
    """Return the labels of all `Neuron.steps` of a record that has queries and keys."""
    softened = record.weights is not None and record.softened
    return [*map(label, (None, *record.terms)), *(["softmax"] if softened else [])]


def label(term: Term | None) -> str:
    """Return the label of a step: ``q·k``, or the lowercase name of the term."""
    return "q·k" if term is None else type(term).__name__.lower()


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Copy a tensor, because steps modify scores in place and records must not change."""
    array: NDArray[np.float32] = tensor.detach().cpu().numpy().copy()
    return array
