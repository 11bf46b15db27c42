"""Whether an attention call is causal by its mask or its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.capture.record.terms import Bias, Causal, Fill, Mask

if TYPE_CHECKING:
    from attnlab.capture.record.attention_record import AttentionRecord


def is_triangular(record: AttentionRecord) -> bool:
    """Whether the queries of a square matrix attend to no later key."""
    if record.queries < 2 or record.queries != record.keys:
        return False
    if record.weights is not None:
        # All rows are checked: with a threshold, the first query may have one key by chance.
        return not bool(record.weights[0].triu(1).any())
    hidden = None
    for term in record.terms:
        match term:
            case Causal():
                return True
            case Mask(tensor) | Bias(tensor):
                row = tensor[0, 0, 0]
                hides = ~row if not row.dtype.is_floating_point else row <= -1e4
            case Fill(where, score) if score <= -1e4:
                hides = where[0, 0, 0]
            case _:
                continue
        hidden = hides if hidden is None else hidden | hides
    return hidden is not None and hidden.numel() == record.keys and bool(hidden[1:].all())
