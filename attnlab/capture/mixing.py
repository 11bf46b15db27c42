"""Operations after which a matrix still counts queries × keys, whatever they compute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.layout import broadcast, resized
from attnlab.capture.lineage import Scores, Weights
from attnlab.capture.matrix import Lineage, Matrix, Output, loosened
from attnlab.capture.plain import tensors
from attnlab.capture.products import online
from attnlab.capture.recorder import UnreadableError

if TYPE_CHECKING:
    from attnlab.capture.operations import Operation
    from attnlab.capture.tap import Tap

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
"""After these, scores are still scores."""

ACTIVATIONS = frozenset(
    {"relu", "sigmoid", "softplus", "gelu", "silu", "elu", "celu", "selu", "mish", "leaky_relu",
     "hardtanh", "hardsigmoid", "hardswish", "threshold", "tanh", "clamp", "clamp_min",
     "clamp_max", "maximum", "minimum", "pow", "sqrt", "square", "abs", "sigmoid_backward"}
)  # fmt: skip
"""These turn scores into weights where no softmax does."""

MOVES = frozenset({"sort", "cumsum"})
"""After these, a place holds what was computed from other places."""

POWERS = frozenset({"exp", "exp2", "expm1"})

KEEPS_SHAPE = frozenset(
    {"native_layer_norm", "native_batch_norm", "_native_batch_norm_legit",
     "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "native_group_norm", "tril",
     "triu", "index_put", "index_fill", "masked_scatter", "_log_softmax", "log_softmax", "copy",
     "fill", "zero", "cumsum", "sort", "layer_norm", "batch_norm", "group_norm"}
)  # fmt: skip
"""Operations that are not pointwise, whose result has the axes of their operand."""


def derived(tap: Tap, own: Operation, args: tuple[Any, ...], result: Any) -> Lineage | None:
    """Follow a result that is computed place by place from something that is followed."""
    if not own.pointwise or not result.is_floating_point():
        return None
    operands = list(tensors(args))
    followed = [(operand, tap.lineage(operand)) for operand in operands]
    outputs = [known for _, known in followed if isinstance(known, Output)]
    if outputs:
        others = [operand for operand, known in followed if not isinstance(known, Output)]
        return _output(tap, own, outputs, others, result)
    shape = tuple(result.shape)
    found = [(operand, known) for operand, known in followed if known is not None]
    whole = [pair for pair in found if tuple(pair[0].shape) == shape]
    if not found or (own.base == "div" and found[0][0] is not operands[0]):
        return None
    operand, known = (whole or found)[0]
    if isinstance(known, Output):
        return None
    if isinstance(known, Weights) and not own.writes and _equal(operand, result):
        return known
    if isinstance(known, Scores) and own.base not in LINEAR:
        known = known.unfolded().settled()
    matrix = broadcast(known, shape)
    if matrix is None:
        return None
    doubts = [one.doubt for _, one in found if isinstance(one, Weights | Matrix)]
    others = [one for one in operands if one is not operand]
    if len(found) > 1 or own.base in MOVES:
        matrix = replace(matrix, source=None)
    return _staged(own, known, matrix, others, next(filter(None, doubts), ""))


def _staged(
    own: Operation, known: Lineage, matrix: Matrix, others: list[torch.Tensor], doubt: str
) -> Matrix | None:
    stage, powers_of = matrix.stage, None
    base = own.base
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
        if known.axes is matrix.axes and all(_once_along(matrix, own, keys) for own in others):
            powers_of = known.powers_of
    normalized = matrix.normalized or base in POWERS
    return replace(matrix, stage=stage, powers_of=powers_of, doubt=doubt, normalized=normalized)


def _once_along(matrix: Matrix | Output, other: torch.Tensor, atoms: tuple[int, ...]) -> bool:
    """Whether a tensor that broadcasts to a matrix is the same along some of its atoms."""
    groups = matrix.axes.groups
    for place in range(1, other.ndim + 1):
        along = set(groups[-place]) & set(atoms) if place <= len(groups) else set()
        if along and other.shape[-place] > 1 and other.stride(-place) != 0:
            return False
    return True


def _equal(operand: torch.Tensor, result: torch.Tensor) -> bool:
    return operand.dtype == result.dtype and torch.equal(operand, result)


def _output(
    tap: Tap, own: Operation, outputs: list[Output], others: list[torch.Tensor], result: Any
) -> Lineage | None:
    """Follow an attention's output that is gated, scaled, or added to something."""
    first = outputs[0]
    for other in outputs[1:]:
        if own.base in ("add", "lerp"):
            online(tap, first, other)
    if first.axes.shape != tuple(result.shape):
        return None
    if first.noted is None and own.base in ("div", "mul"):
        widths = first.axes.atoms("key")
        if any(other.numel() > 1 and _once_along(first, other, widths) for other in others):
            raise UnreadableError(LATE)
    return first


def scatter(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a matrix whose kept places are put back among zeros."""
    known = [tap.lineage(own) for own in tensors(args)]
    own = next((one for one in known if one is not None), None)
    if own is None or isinstance(own, Output):
        return None
    return resized(loosened(own), tuple(result.shape))
