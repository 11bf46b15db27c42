"""Checks weights against what the model's own kernel returned.

The weights of a few queries, applied to the values, must give the very output that the
attention call gave there. They do only if every term of the formula was read rightly:
scale, mask, bias, softcap, sinks, grouping. It shares with capture the kept rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.weights import weights

if TYPE_CHECKING:
    from attnlab.capture.records import Record

TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
"""Largest difference allowed, in units of the largest value: rounding of the model's own type."""

ACCELERATED = 2e-3
"""The same off the CPU, where kernels may multiply float32 in 10 bits (TF32)."""


@dataclass(frozen=True)
class Certificate:
    """Whether the weights of a site are those that the model used, and if not, why that is open."""

    exact: bool
    reason: str = ""


def certify(record: Record) -> Certificate:
    """Compare the record's kept output rows with those that its weights give."""
    if record.output is None:
        return Certificate(False, f"Not checked against the model's output: {record.doubt}.")
    expected = record.output.float()
    mixed = product(record, weights(record, slice(0, record.heads), list(record.rows)))
    defined = ~mixed.isnan().any(dim=-1).any(dim=-1)
    if not bool(defined.any()):
        return Certificate(False, "Not checked: none of the sampled queries attends to any key.")
    unit = max(float(record.value.float().abs().max()), 1e-6)
    difference = float((mixed - expected)[defined].abs().max()) / unit
    limit = TOLERANCE.get(record.query.dtype, 4e-2)
    if record.query.device.type != "cpu":
        limit = max(limit, ACCELERATED)
    if difference <= limit:
        return Certificate(True)
    return Certificate(
        False,
        f"These weights do not give the model's own output: it differs by {difference:.2g} of "
        f"the largest value, where {limit:.2g} is rounding.",
    )


def product(record: Record, rows: torch.Tensor) -> torch.Tensor:
    """Apply weights, shape (heads, rows, keys), to the values: (rows, heads, width)."""
    group = record.heads // record.groups
    with torch.no_grad(), torch.autocast(record.value.device.type, enabled=False):
        values = record.value.float().repeat_interleave(group, dim=0)
        return (rows @ values).transpose(0, 1)
