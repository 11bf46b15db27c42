"""All weights of a head: the matrix, and the sums of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.memory import allow
from attnlab.traces.cancellation import Cancelled, never
from attnlab.traces.weights import chunks, neutral_modes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord


def read(
    record: AttentionRecord, head: int, item: int = 0, cancelled: Cancelled = never
) -> NDArray[np.float32]:
    """Compute the matrix of a head, shape (queries, keys).

    Raises
    ------
    MemoryError
        If it exceeds the budget.
    """
    allow(
        4 * record.queries * record.keys,
        f"the weights of a head of {record.queries} × {record.keys}",
        "read parts: row(query), tile(head, queries, keys, shape) or topk(k, head=head)",
    )
    result = torch.empty((record.queries, record.keys), dtype=torch.float32, device="cpu")
    for portion, matrix in chunks(record, head, item, cancelled):
        result[portion] = matrix.cpu()
    return result.numpy()


def received(
    record: AttentionRecord, head: int, item: int = 0, cancelled: Cancelled = never
) -> NDArray[np.float32]:
    """Sum the columns of a head, shape (keys,), without keeping its matrix; NaN is ignored."""
    total = torch.zeros(record.keys, dtype=torch.float32, device="cpu")
    for _, matrix in chunks(record, head, item, cancelled):
        with neutral_modes(matrix.device):
            total += matrix.nansum(dim=0).cpu()
    return total.numpy()
