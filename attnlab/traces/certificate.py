"""Checks weights against the output of the model's attention kernel.

For a few queries, the weights times the values must equal the output of the attention call.
This is the case only if every part of the formula was recorded correctly: scale, mask, bias,
softcap, sinks, grouping. The output rows are the model's; the weights are recomputed from the
record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.capture.passes.releases import report
from attnlab.traces.weights import weights

if TYPE_CHECKING:
    from attnlab.capture.record.attention_record import AttentionRecord

TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
"""Largest difference that rounding explains, relative to the largest value, by dtype."""

ACCELERATED = 2e-3
"""The same on accelerators, whose kernels may multiply float32 with 10-bit mantissas (TF32)."""


@dataclass(frozen=True)
class Certificate:
    """Whether the weights of a site were verified to be those that the model used.

    Attributes
    ----------
    exact
        Whether they were verified, up to rounding.
    error
        Largest difference between P·V and the model's output, relative to the largest value;
        NaN if they were not compared.
    reason
        A sentence that explains why they were not verified; empty if `exact`.
    """

    exact: bool
    error: float = math.nan
    reason: str = ""


def certify(record: AttentionRecord) -> Certificate:
    """Compare the output rows in the record with those computed from its weights."""
    if record.output is None or record.value is None:
        reason = record.doubt or "its values were not recorded"
        return Certificate(False, reason=f"Not checked against the model's output: {reason}.")
    errors = [_error(record, item) for item in range(len(record.output))]
    compared = [error for error in errors if error is not None]
    if not compared:
        return Certificate(
            False, reason="Not checked: none of the sampled queries attends to any key."
        )
    error = max(compared)
    # Under autocast the kernel rounds to a dtype other than that of its inputs.
    dtypes = (record.value.dtype, record.output.dtype)
    limit = max(TOLERANCE.get(dtype, 4e-2) for dtype in dtypes)
    if record.value.device.type != "cpu":
        limit = max(limit, ACCELERATED)
    if error <= limit:
        # If the comparison passes, a doubt is about something else, e.g. about a second pass.
        return Certificate(not record.doubt, error, record.doubt)
    explanation = f"Most likely, {record.caveat}." if record.caveat else report()
    return Certificate(
        False,
        error,
        f"These weights do not reproduce the model's output: the difference is {error:.2g} of "
        f"the largest value, and rounding explains at most {limit:.2g}. {explanation}",
    )


def _error(record: AttentionRecord, item: int) -> float | None:
    """Relative error of an item's recorded output rows; None if none of them has weights."""
    assert record.output is not None
    assert record.value is not None
    expected = record.output[item].float()
    computed = product(
        record, weights(record, slice(0, record.heads), list(record.rows), item), item
    )
    defined = ~computed.isnan().any(dim=-1).any(dim=-1)
    if not bool(defined.any()):
        return None
    unit = max(float(record.value[item].float().abs().max()), 1e-6)
    # If only one of two values is finite, their difference counts as infinite.
    difference = (computed - expected)[defined].abs().nan_to_num(nan=math.inf, posinf=math.inf)
    return float(difference.max()) / unit


def product(record: AttentionRecord, rows: torch.Tensor, item: int = 0) -> torch.Tensor:
    """Multiply weights, shape (heads, rows, keys), by the values: (rows, heads, width).

    The rows are those whose output was kept, if some queries attended to other values.
    """
    assert record.value is not None
    group = record.heads // record.value.shape[1]
    with torch.no_grad(), torch.autocast(record.value.device.type, enabled=False):
        if not record.earlier:
            values = record.value[item].float().repeat_interleave(group, dim=0)
            return (rows @ values).transpose(0, 1)
        products = []
        for index, query in enumerate(record.rows):
            _, value = record.keys_of(query)
            assert value is not None
            values = value[item].float().repeat_interleave(group, dim=0)
            products.append(rows[:, index : index + 1] @ values)
        return torch.cat(products, dim=1).transpose(0, 1)
