"""Follows operations on scores and weights whose effect is known exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.inspection.storage import StorageRef
from attnlab.capture.record.terms import Bias, Fill, Floor, Mask, Scale, Softcap
from attnlab.capture.tap.axes import Axes
from attnlab.capture.tap.lineage import Scores, Weights, common
from attnlab.capture.tap.matrix import Lineage, Matrix, loosened

if TYPE_CHECKING:
    from attnlab.capture.tap.context import TapContext

HIDDEN = -1e4
"""A score or addend at most this low hides the key."""

DROPPED = "dropout was active: the weights are those before dropout"


def multiply(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are scaled, or weights that dropout has changed."""
    return _scaled(tap, args[0], args[1], result)


def divide(tap: TapContext, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are divided."""
    if kwargs.get("rounding_mode") is not None or tap.lineage(args[1]) is not None:
        return None
    if not isinstance(tap.lineage(args[0]), Scores):
        return None
    return _scaled(tap, args[0], 1 / args[1], result)


def _scaled(tap: TapContext, first: Any, second: Any, result: Any) -> Lineage | None:
    known, other = tap.lineage(first), second
    if known is None:
        known, other = tap.lineage(second), first
    if isinstance(known, Weights | Matrix):
        if isinstance(known, Weights) or known.stage == "weights":
            return replace(known, doubt=DROPPED) if tap.is_noise(other) else None
        return None
    if not isinstance(known, Scores) or known.axes.shape != tuple(result.shape):
        return None
    number = _number(other)
    if number is not None:
        return known.then(Scale(number))
    return known.changed(Scale, other)


def add(tap: TapContext, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores to which a number or tensor is added."""
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    return _sum(tap, args[0], args[1], alpha, result)


def subtract(tap: TapContext, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores from which a number or tensor is subtracted."""
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    if not isinstance(tap.lineage(args[0]), Scores):
        return None
    return _sum(tap, args[0], args[1], -alpha, result)


def _sum(tap: TapContext, first: Any, second: Any, alpha: float, result: Any) -> Lineage | None:
    known, other = tap.lineage(first), second
    if not isinstance(known, Scores):
        known, other = tap.lineage(second), first
        if not isinstance(known, Scores) or alpha != 1:
            return None
        alpha = 1.0
    if known.axes.shape != tuple(result.shape):
        return None
    return added(known, other, alpha)


def added(scores: Scores, other: Any, alpha: float) -> Scores:
    """Add a term with a number or a tensor."""
    number = _number(other)
    if number is not None:
        # The same for all keys: this changes no softmax, but a softcap or a floor.
        if number == 0:
            return scores
        other = torch.tensor(number, device=scores.query.device)
        return scores.changed(Bias, other * alpha)
    tensor = other if alpha == 1 else other * alpha
    if tensor.dtype == torch.bool or not tensor.is_floating_point():
        tensor = tensor.float()
    # Infinities at a hidden key must not become NaN if the score is infinite as well.
    hides = bool((tensor.detach() <= HIDDEN).any())
    return scores.changed(Mask if hides else Bias, tensor)


def masked_fill(
    tap: TapContext, args: tuple[Any, ...], _kwargs: Any, _result: Any
) -> Lineage | None:
    """Follow scores or weights that are replaced by a number at some positions."""
    known = tap.lineage(args[0])
    score = _number(args[2])
    if isinstance(known, Weights):
        return known if score == 0 and _hidden(known, args[1]) else None
    if not isinstance(known, Scores) or score is None or not _fits(known, args[1]):
        return None
    return _filled(known, args[1], score, args[0].dtype)


def _hidden(weights: Weights, where: torch.Tensor) -> bool:
    """Whether all positions are of keys that a mask has hidden: their weights are already zero."""
    if weights.axes.groups != weights.scores.axes.groups:
        return False
    positions = weights.scores.axes.canonical(where.bool())
    for term in weights.scores.terms:
        if isinstance(term, Mask):
            mask = term.tensor
            masked = mask <= HIDDEN if mask.is_floating_point() else ~mask.bool()
            if not bool((positions & ~masked).any()):
                return True
    return False


def _fits(scores: Scores, tensor: torch.Tensor) -> bool:
    """Whether a tensor broadcasts to scores."""
    shape = scores.axes.shape
    ends = zip(reversed(tensor.shape), reversed(shape), strict=False)
    return tensor.ndim <= len(shape) and all(one in (1, two) for one, two in ends)


def where(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are replaced by a number where a condition is true."""
    condition, first, second = args[:3]
    for given, other, replaced in ((first, second, ~condition), (second, first, condition)):
        known, score = tap.lineage(given), _constant(other)
        if (
            isinstance(known, Scores)
            and score is not None
            and known.axes.shape == tuple(result.shape)
        ):
            return _filled(known, replaced, score, given.dtype)
    return None


def _filled(scores: Scores, where: torch.Tensor, score: float, dtype: torch.dtype) -> Scores:
    lowest = torch.finfo(dtype).min / 2 if dtype.is_floating_point else HIDDEN
    if score <= lowest:
        return scores.changed(Mask, ~where.bool())
    return scores.changed(lambda mask: Fill(mask, score), where.bool())


def floor(tap: TapContext, args: tuple[Any, ...], kwargs: Any, _result: Any) -> Lineage | None:
    """Follow scores with a lower limit."""
    known = tap.lineage(args[0])
    low = args[1] if len(args) > 1 else kwargs.get("min")
    high = args[2] if len(args) > 2 else kwargs.get("max")
    score = _constant(low)
    if not isinstance(known, Scores) or score is None or high is not None:
        return None
    # The lowest possible number has no effect on scores that are not hidden.
    return known if score <= torch.finfo(args[0].dtype).min / 2 else known.then(Floor(score))


def tanh(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    """Follow scores that are capped softly."""
    known = tap.lineage(args[0])
    return known.then(Softcap(1.0)) if isinstance(known, Scores) else None


def dropout(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    """Follow weights through dropout, which may be disabled."""
    known = tap.lineage(args[0])
    if not isinstance(known, Weights | Matrix) or not args[1] or args[2] is False:
        return known
    return replace(known, doubt=DROPPED)


def bernoulli(tap: TapContext, _args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Note the random tensor that dropout multiplies by if it has no kernel."""
    tap.noise = (StorageRef(result), tuple(result.shape))
    return None


def softmax(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a softmax over keys: of scores, or of an unknown tensor."""
    given, axis = args[0], args[1] % max(1, result.ndim)
    if result.ndim < 2:
        return None
    running = tap.running()
    known = tap.lineage(given)
    if isinstance(known, Scores):
        for end in ("key", "query"):
            if known.axes.groups[axis] != known.axes.atoms(end):
                continue
            scores = oriented(known, end == "query")
            modules = common(known.modules, running)
            tap.pending(modules, product=True)
            return Weights(scores.axes, scores.axes.lead(), scores, modules)
        known = loosened(known)
    if isinstance(known, Matrix):
        modules = common(known.modules, running)
        tap.pending(modules, product=known.product)
        return replace(
            known, stage="weights", powers_of=None, modules=modules, fixed=False, normalized=True
        )
    if axis != result.ndim - 1 or result.ndim < 3:
        return None
    tap.pending(running, product=False)
    lead = tuple(map(int, result.shape[:-2]))
    return Matrix(Axes.of(result.shape), lead, running, "weights", product=False, normalized=True)


def oriented(scores: Scores, turned: bool) -> Scores:
    """Return scores with the keys along the axis of the softmax."""
    return (scores.turned() if turned else scores).unfolded().settled()


def _number(value: Any) -> float | None:
    """Return a number that is a Python number or in a tensor."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return None


def _constant(value: Any) -> float | None:
    """Return a number, also from a tensor that contains no other number."""
    number = _number(value)
    if number is not None or not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return number
    low, high = value.aminmax()
    return float(low) if bool(low == high) else None
