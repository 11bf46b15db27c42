"""Follows operations whose result is still a matrix of queries × keys, whatever they compute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.inspection.plain_tensors import tensors
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.tap.layout import broadcast, resized
from attnlab.capture.tap.lineage import Scores, Weights
from attnlab.capture.tap.matrix import Lineage, Matrix, Output, loosened
from attnlab.capture.tap.products import detect_online_softmax

if TYPE_CHECKING:
    from attnlab.capture.tap.context import TapContext
    from attnlab.capture.tap.operation import Operation

LATE = (
    "its weights are normalized only after they have multiplied the values, as an online softmax "
    "does block by block"
)

LINEAR = frozenset(
    {"mul", "div", "add", "sub", "rsub", "neg", "masked_fill", "where", "copy", "fill", "zero",
     "index_put", "index_fill", "masked_scatter", "tril", "triu", "lerp", "addcmul", "addcdiv",
     "log", "log2", "log10", "_log_softmax", "log_softmax", "native_layer_norm",
     "native_batch_norm", "native_group_norm", "nan_to_num"}
)  # fmt: skip
"""After these operations, scores are still scores."""

ACTIVATIONS = frozenset(
    {"relu", "sigmoid", "softplus", "gelu", "silu", "elu", "celu", "selu", "mish", "leaky_relu",
     "hardtanh", "hardsigmoid", "hardswish", "threshold", "tanh", "clamp", "clamp_min",
     "clamp_max", "maximum", "minimum", "pow", "sqrt", "square", "abs", "sigmoid_backward"}
)  # fmt: skip
"""These operations turn scores into weights without a softmax."""

MOVES = frozenset({"sort", "cumsum"})
"""After these operations, a number was computed from numbers at other positions."""

POWERS = frozenset({"exp", "exp2", "expm1"})

KEEPS_SHAPE = frozenset(
    {"native_layer_norm", "native_batch_norm", "_native_batch_norm_legit",
     "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "native_group_norm", "tril",
     "triu", "index_put", "index_fill", "masked_scatter", "_log_softmax", "log_softmax", "copy",
     "fill", "zero", "cumsum", "sort", "layer_norm", "batch_norm", "group_norm"}
)  # fmt: skip
"""Operations that are not pointwise, whose result has the axes of their operand."""


def derived(
    tap: TapContext, operation: Operation, args: tuple[Any, ...], result: Any
) -> Lineage | None:
    """Follow a result that is computed position by position from a followed tensor."""
    if not operation.pointwise or not result.is_floating_point():
        return None
    operands = list(tensors(args))
    followed = [(operand, tap.lineage(operand)) for operand in operands]
    outputs = [known for _, known in followed if isinstance(known, Output)]
    if outputs:
        others = [operand for operand, known in followed if not isinstance(known, Output)]
        return _output(tap, operation, outputs, others, result)
    shape = tuple(result.shape)
    found = [(operand, known) for operand, known in followed if known is not None]
    whole = [pair for pair in found if tuple(pair[0].shape) == shape]
    if not found or (operation.base == "div" and found[0][0] is not operands[0]):
        return None
    operand, known = (whole or found)[0]
    if isinstance(known, Output):
        return None
    if isinstance(known, Weights) and not operation.writes and _equal(operand, result):
        return known
    if isinstance(known, Scores) and operation.base not in LINEAR:
        known = known.unfolded().settled()
    matrix = broadcast(known, shape)
    if matrix is None:
        return None
    doubts = [one.doubt for _, one in found if isinstance(one, Weights | Matrix)]
    others = [one for one in operands if one is not operand]
    if len(found) > 1 or operation.base in MOVES:
        matrix = replace(matrix, source=None)
    return _staged(operation, known, matrix, others, next(filter(None, doubts), ""))


def _staged(
    operation: Operation, known: Lineage, matrix: Matrix, others: list[torch.Tensor], doubt: str
) -> Matrix | None:
    stage, powers_of = matrix.stage, None
    base = operation.base
    if base in POWERS:
        stage = "powers"
        powers_of = known if isinstance(known, Scores) and base == "exp" else None
    elif base in ("log", "log2", "log10"):
        stage = "scores"
    elif stage == "scores" and base not in LINEAR:
        if base not in ACTIVATIONS:
            return None
        stage = "weights"
        matrix = matrix.reshaped(matrix.axes.unfolded(), matrix.lead)
    elif isinstance(known, Matrix) and base in ("div", "mul"):
        if stage == "powers" and base == "div" and any(other.numel() > 1 for other in others):
            stage = "weights"
        keys = matrix.axes.atoms("key")
        if known.axes is matrix.axes and all(_once_along(matrix, other, keys) for other in others):
            powers_of = known.powers_of
    normalized = matrix.normalized or base in POWERS
    return replace(matrix, stage=stage, powers_of=powers_of, doubt=doubt, normalized=normalized)


def _once_along(matrix: Matrix | Output, other: torch.Tensor, atoms: tuple[int, ...]) -> bool:
    """Whether a tensor that broadcasts to a matrix is the same along some of its atoms."""
    groups = matrix.axes.groups
    for axis in range(1, other.ndim + 1):
        along = set(groups[-axis]) & set(atoms) if axis <= len(groups) else set()
        if along and other.shape[-axis] > 1 and other.stride(-axis) != 0:
            return False
    return True


def _equal(operand: torch.Tensor, result: torch.Tensor) -> bool:
    return operand.dtype == result.dtype and torch.equal(operand, result)


def _output(
    tap: TapContext,
    operation: Operation,
    outputs: list[Output],
    others: list[torch.Tensor],
    result: Any,
) -> Lineage | None:
    """Follow an attention's output that is gated, scaled, or added to another tensor."""
    first = outputs[0]
    for other in outputs[1:]:
        if operation.base in ("add", "lerp"):
            detect_online_softmax(tap, first, other)
    if first.axes.shape != tuple(result.shape):
        return None
    if first.noted is None and operation.base in ("div", "mul"):
        widths = first.axes.atoms("key")
        if any(other.numel() > 1 and _once_along(first, other, widths) for other in others):
            raise UnreadableError(LATE)
    return first


def scatter(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a matrix whose kept entries are put back among zeros."""
    known = [tap.lineage(followed) for followed in tensors(args)]
    followed = next((lineage for lineage in known if lineage is not None), None)
    if followed is None or isinstance(followed, Output):
        return None
    return resized(loosened(followed), tuple(result.shape))
