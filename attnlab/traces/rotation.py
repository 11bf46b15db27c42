"""Which pairs of dimensions were rotated in one attention call, verified from its record."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from attnlab.traces.weights import surroundings

if TYPE_CHECKING:
    import torch

    from attnlab.capture.projections import Unturned
    from attnlab.capture.records import Record
    from attnlab.traces.rotary import Numbers, Pair

EXACT = 1e-5
"""Relative error that is rounding, however fine the numbers: cosines are no finer."""

COARSE = 0.05
"""Relative error above which numbers are too coarse to verify anything."""

_found: WeakKeyDictionary[Unturned, tuple[Pair, ...]] = WeakKeyDictionary()


def pairs(record: Record) -> tuple[Pair, ...]:
    """List the pairs that were rotated; empty where none are, or where it does not show."""
    unturned = record.unturned
    if unturned is None:
        return ()
    # All traces of a model share what was seen.
    if unturned not in _found:
        _found[unturned] = _pairs(unturned)
    return _found[unturned]


def _pairs(unturned: Unturned) -> tuple[Pair, ...]:
    import torch

    from attnlab.traces.rotary import LEAST_ROWS, Rows

    spacing = max(torch.finfo(own.dtype).eps for own in unturned.tensors)
    tolerance = max(EXACT, 4 * spacing)
    if tolerance > COARSE or unturned.query.shape[1] < LEAST_ROWS:
        return ()
    with surroundings(unturned.query.device):
        rows = Rows(
            query=_numbers(unturned.query),
            key=_numbers(unturned.key),
            samples=[_numbers(sample) for sample in unturned.samples],
            first=unturned.first,
            tolerance=tolerance,
        )
    return rows.pairs()


def _numbers(tensor: torch.Tensor) -> Numbers:
    import numpy as np

    own: Numbers = tensor.float().cpu().numpy().astype(np.float64)
    return own
