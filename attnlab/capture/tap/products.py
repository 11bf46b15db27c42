"""Follows matrix products: of queries with keys, of weights with values, and across heads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.record.terms import Scale
from attnlab.capture.tap.attention import SLACK, note_attention
from attnlab.capture.tap.lineage import Scores, Weights
from attnlab.capture.tap.matrix import Lineage, Matrix, Output, loosened
from attnlab.capture.tap.scoring import added

if TYPE_CHECKING:
    from attnlab.capture.tap.axes import Axes
    from attnlab.capture.tap.context import TapContext

CHANNELS = "it attends between channels, not between tokens"

ONLINE = (
    "it computes its softmax block by block (online softmax): each block's weights are rescaled "
    "after they have multiplied the values"
)


def product(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a product: of weights with values, across heads, or possibly of queries with keys."""
    first, second = args[:2]
    left, right = tap.lineage(first), tap.lineage(second)
    sides = ((left, right, first, second, True), (right, left, second, first, False))
    for known, beside, operand, other, straight in sides:
        matrix = _multiplies(known, straight)
        if matrix is None or known is None:
            continue
        if tap.is_parameter(other):
            return None
        if not _attends(tap, matrix, operand, other):
            continue
        if isinstance(beside, Weights | Matrix):
            return _composed(matrix, loosened(beside), straight, result)
        if isinstance(beside, Output) and not (matrix.product and beside.product):
            # These are not weights: the matrix multiplies sums over tokens by their channels.
            tap.recorder.withdraw(beside.noted, beside.module, CHANNELS)
            return None
        return note_attention(tap, matrix, known, operand, other, result, straight)
    for known, _, _, other, straight in sides:
        if isinstance(known, Output):
            if _rows(known.axes, -1 if straight else -2) and (
                tap.is_parameter(other) or not known.product
            ):
                tap.recorder.withdraw(known.noted, known.module, CHANNELS)
                return None
        elif known is not None:
            mixed = _mixed(loosened(known), straight, result)
            if mixed is not None:
                return mixed
    # Positions times frequencies, of width 1, are not scores.
    if not result.is_floating_point():
        return None
    if tap.is_parameter(first) or tap.is_parameter(second) or first.shape[-1] == 1:
        return None
    fixed = not (tap.is_given(first) and tap.is_given(second))
    return Scores.product(first, second, result.shape, tap.running(), fixed)


def added_product(
    tap: TapContext, args: tuple[Any, ...], kwargs: Any, result: Any
) -> Lineage | None:
    """Follow a product to which a tensor is added."""
    other, first, second = args[:3]
    if result.ndim == 2:  # a layer with a bias
        followed = [operand for operand in map(tap.lineage, (first, second)) if operand is not None]
        return product(tap, (first, second), {}, result) if followed else None
    if any(isinstance(tap.lineage(operand), Weights | Matrix) for operand in (first, second)):
        return None
    if not result.is_floating_point():
        return None
    scores = Scores.product(first, second, result.shape, tap.running())
    alpha, beta = float(kwargs.get("alpha", 1)), float(kwargs.get("beta", 1))
    scores = scores.then(Scale(alpha)) if alpha != 1 else scores
    return added(scores, other, beta) if beta != 0 else scores


def convolution(
    tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any
) -> Lineage | None:
    """Follow a convolution whose channels are heads, or that reads an attention's output."""
    known = tap.lineage(args[0])
    if isinstance(known, Output):
        if _rows(known.axes, 1):
            tap.recorder.withdraw(known.noted, known.module, CHANNELS)
        return None
    if known is None or tuple(result.shape[2:]) != known.axes.shape[2:]:
        return None
    matrix = loosened(known)
    axes = matrix.axes.resized(1, int(result.shape[1]), "lead") if _leads(matrix.axes, 1) else None
    return None if axes is None else replace(matrix.reshaped(axes), source=None)


def _multiplies(known: Any, straight: bool) -> Matrix | None:
    """Return a matrix that multiplies values; None if its keys are not summed over."""
    if known is None or isinstance(known, Output):
        return None
    matrix = known if isinstance(known, Matrix) else loosened(known)
    if matrix.stage == "scores":
        return None
    rows, columns = (-2, -1) if straight else (-1, -2)
    if matrix.axes.folded(rows, columns) is not None:
        return matrix
    # Queries and keys may have been confused: the product decides which axis is the keys.
    flipped = matrix.axes.flipped()
    if not (matrix.product and matrix.normalized) or flipped.folded(rows, columns) is None:
        return None
    powers_of = None if matrix.powers_of is None else matrix.powers_of.turned()
    source = None if matrix.source is None else matrix.source.turned()
    return replace(matrix, axes=flipped, powers_of=powers_of, source=source)


def _attends(tap: TapContext, matrix: Matrix, operand: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether a matrix is an attention's weights, not an activation of a layer.

    Every perceptron multiplies an activation of a product, and its weights need not be parameters
    at that time. So there must be a softmax, or rows that sum to one, or as many keys as tokens,
    with all three tensors computed from the arguments.
    """
    if matrix.stage == "powers":
        return not matrix.fixed
    if matrix.normalized:
        return True
    dense = matrix.axes.dense(operand.detach())
    if bool(((dense.float().sum(-1) - 1).abs() < SLACK).all()):
        return True
    lengths = tap.recorder.projections.lengths
    return not matrix.fixed and tap.is_given(value) and int(dense.shape[-1]) in lengths


def _composed(first: Matrix, second: Matrix, straight: bool, result: Any) -> Matrix | None:
    """Follow a product of two matrices: the queries of the first, the keys of the second."""
    axis = -1 if straight else -2
    axes = first.axes.resized(axis, int(result.shape[axis]), "key")
    if axes is None:
        return None
    composed = first.reshaped(axes, first.lead)
    return replace(
        composed,
        stage="weights",
        product=first.product or second.product,
        powers_of=None,
        source=None,
    )


def _mixed(matrix: Matrix, straight: bool, result: Any) -> Matrix | None:
    """Follow a matrix whose heads are mixed."""
    axis = -1 if straight else -2
    if not _leads(matrix.axes, axis):
        return None
    axes = matrix.axes.resized(axis, int(result.shape[axis]), "lead")
    if axes is None:
        return None
    mixed = matrix.reshaped(axes, matrix.lead_with(axis, int(result.shape[axis])))
    return replace(mixed, source=None)


def _leads(axes: Axes, axis: int) -> bool:
    """Whether an axis consists of heads or items only."""
    return bool(axes.groups[axis]) and set(axes.groups[axis]) <= set(axes.atoms("lead"))


def _rows(axes: Axes, axis: int) -> bool:
    """Whether an axis of an output consists of its queries, not of the width of its values."""
    atoms = set(axes.groups[axis])
    return bool(atoms & set(axes.atoms("query"))) and not atoms & set(axes.atoms("key"))


def detect_online_softmax(tap: TapContext, first: Output, second: Output) -> None:
    """Detect a sum of two outputs of the same queries over different keys: an online softmax."""
    if first.noted is second.noted or first.module is not second.module:
        return
    if first.noted is None or second.noted is None:
        return
    one, two = first.noted.record, second.noted.record
    if _equal(one.query, two.query) and not _equal(one.key, two.key):
        for output in (first, second):
            tap.recorder.withdraw(output.noted, output.module, ONLINE)


def _equal(first: torch.Tensor | None, second: torch.Tensor | None) -> bool:
    if first is None or second is None:
        return False
    return first.shape == second.shape and torch.equal(first, second)
