"""Checks weights against what the model's own kernel returned.

The weights of a few queries, applied to the values, must give the very output that the
attention call gave there. They do only if every term of the formula was read rightly:
scale, mask, bias, softcap, sinks, grouping. It shares with capture the kept rows only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.capture.releases import report
from attnlab.traces.weights import weights

if TYPE_CHECKING:
    from attnlab.capture.records import Record

TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
"""Largest difference allowed, in units of the largest value: rounding of the model's own type."""

ACCELERATED = 2e-3
"""The same off the CPU, where kernels may multiply float32 in 10 bits (TF32)."""


@dataclass(frozen=True)
class Certificate:
    """Whether the weights of a site are those that the model used, and if not, why that is open.

    Attributes
    ----------
    exact
        Whether they are, to rounding.
    error
        Largest difference of P·V to the model's own output, in units of the largest value;
        NaN where they were not compared.
    reason
        Why it is open, in words; empty when it is exact.
    """

    exact: bool
    error: float = math.nan
    reason: str = ""


def certify(record: Record) -> Certificate:
    """Compare the record's kept output rows with those that its weights give."""
    if record.output is None or record.value is None:
        doubt = record.doubt or "its values were not seen"
        return Certificate(False, reason=f"Not checked against the model's output: {doubt}.")
    errors = [_error(record, item) for item in range(len(record.output))]
    compared = [error for error in errors if error is not None]
    if not compared:
        return Certificate(
            False, reason="Not checked: none of the sampled queries attends to any key."
        )
    error = max(compared)
    # Under autocast the kernel rounds to another type than that of what it is given.
    types = (record.value.dtype, record.output.dtype)
    limit = max(TOLERANCE.get(own, 4e-2) for own in types)
    if record.value.device.type != "cpu":
        limit = max(limit, ACCELERATED)
    if error <= limit:
        # A doubt beside a passing comparison is of something else, e.g. a second pass.
        return Certificate(not record.doubt, error, record.doubt)
    meaning = f"Most likely, {record.caveat}." if record.caveat else report()
    return Certificate(
        False,
        error,
        f"These weights do not give the model's own output: it differs by {error:.2g} of "
        f"the largest value, where {limit:.2g} is rounding. {meaning}",
    )


def _error(record: Record, item: int) -> float | None:
    """Largest difference over an item's kept rows; None where no row is defined."""
    assert record.output is not None
    assert record.value is not None
    expected = record.output[item].float()
    mixed = product(record, weights(record, slice(0, record.heads), list(record.rows), item), item)
    defined = ~mixed.isnan().any(dim=-1).any(dim=-1)
    if not bool(defined.any()):
        return None
    unit = max(float(record.value[item].float().abs().max()), 1e-6)
    # What is no number on one side only is as wrong as can be.
    apart = (mixed - expected)[defined].abs().nan_to_num(nan=math.inf, posinf=math.inf)
    return float(apart.max()) / unit


def product(record: Record, rows: torch.Tensor, item: int = 0) -> torch.Tensor:
    """Apply weights, shape (heads, rows, keys), to the values: (rows, heads, width)."""
    assert record.value is not None
    group = record.heads // record.value.shape[1]
    with torch.no_grad(), torch.autocast(record.value.device.type, enabled=False):
        values = record.value[item].float().repeat_interleave(group, dim=0)
        return (rows @ values).transpose(0, 1)
