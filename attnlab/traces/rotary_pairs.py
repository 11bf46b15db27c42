"""Finds the pairs of dimensions that a rotary embedding rotated, from an attention record."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from attnlab.traces.weights import neutral_modes

if TYPE_CHECKING:
    import torch

    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.rotary_sample import RotarySample
    from attnlab.traces.rotary_detection import Numbers, Pair

EXACT = 1e-5
"""Relative error that rounding explains in any dtype, since cosines are not more precise."""

COARSE = 0.05
"""Relative error above which a dtype is too imprecise to verify a rotation."""

_found: WeakKeyDictionary[RotarySample, tuple[Pair, ...]] = WeakKeyDictionary()


def pairs(record: AttentionRecord) -> tuple[Pair, ...]:
    """List the rotated pairs; empty if there are none, or if they cannot be verified."""
    rotary_sample = record.rotary_sample
    if rotary_sample is None:
        return ()
    # All traces of a model share these samples.
    if rotary_sample not in _found:
        _found[rotary_sample] = _pairs(rotary_sample)
    return _found[rotary_sample]


def _pairs(rotary_sample: RotarySample) -> tuple[Pair, ...]:
    import torch

    from attnlab.traces.rotary_detection import LEAST_ROWS, Vectors

    epsilon = max(torch.finfo(tensor.dtype).eps for tensor in rotary_sample.tensors)
    tolerance = max(EXACT, 4 * epsilon)
    if tolerance > COARSE or rotary_sample.query.shape[1] < LEAST_ROWS:
        return ()
    with neutral_modes(rotary_sample.query.device):
        vectors = Vectors(
            query=_numbers(rotary_sample.query),
            key=_numbers(rotary_sample.key),
            samples=[_numbers(sample) for sample in rotary_sample.samples],
            first=rotary_sample.first,
            tolerance=tolerance,
        )
    return vectors.pairs()


def _numbers(tensor: torch.Tensor) -> Numbers:
    import numpy as np

    numbers: Numbers = tensor.float().cpu().numpy().astype(np.float64)
    return numbers
