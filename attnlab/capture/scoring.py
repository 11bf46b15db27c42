"""Operations on scores and weights whose effect is known exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.axes import Axes
from attnlab.capture.lineage import Scores, Weights, common
from attnlab.capture.matrix import Lineage, Matrix, loosened
from attnlab.capture.terms import Bias, Fill, Floor, Mask, Scale, Softcap

if TYPE_CHECKING:
    from attnlab.capture.tap import Tap

HIDDEN = -1e4
"""A number so low, added to a score or put in its place, hides the key."""

DROPPED = "dropout was active: the weights are those before dropout"


def multiply(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are scaled, or weights that dropout has changed."""
    return _scaled(tap, args[0], args[1], result)


def divide(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are divided."""
    if kwargs.get("rounding_mode") is not None or tap.lineage(args[1]) is not None:
        return None
    if not isinstance(tap.lineage(args[0]), Scores):
        return None
    return _scaled(tap, args[0], 1 / args[1], result)


def _scaled(tap: Tap, first: Any, second: Any, result: Any) -> Lineage | None:
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


def add(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores to which something is added."""
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    return _sum(tap, args[0], args[1], alpha, result)


def subtract(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores from which something is subtracted."""
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    if not isinstance(tap.lineage(args[0]), Scores):
        return None
    return _sum(tap, args[0], args[1], -alpha, result)


def _sum(tap: Tap, first: Any, second: Any, alpha: float, result: Any) -> Lineage | None:
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
        # The same for all keys, which a softmax does not see, but a softcap or a floor does.
        if number == 0:
            return scores
        other = torch.tensor(number, device=scores.query.device)
        return scores.changed(Bias, other * alpha)
    tensor = other if alpha == 1 else other * alpha
    if tensor.dtype == torch.bool or not tensor.is_floating_point():
        tensor = tensor.float()
    # An infinity at a hidden key must not become NaN where the score is one as well.
    hides = bool((tensor.detach() <= HIDDEN).any())
    return scores.changed(Mask if hides else Bias, tensor)


def masked_fill(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    """Follow scores or weights that are replaced by a number in some places."""
    known = tap.lineage(args[0])
    score = _number(args[2])
    if isinstance(known, Weights):
        return known if score == 0 and _hidden(known, args[1]) else None
    if not isinstance(known, Scores) or score is None or not _fits(known, args[1]):
        return None
    return _filled(known, args[1], score, args[0].dtype)


def _hidden(weights: Weights, where: torch.Tensor) -> bool:
    """Whether some places are of keys that a mask has hidden already: their weights are zero."""
    if weights.axes.groups != weights.scores.axes.groups:
        return False
    own = weights.scores.axes.canonical(where.bool())
    for term in weights.scores.terms:
        if isinstance(term, Mask):
            mask = term.tensor
            seen = mask <= HIDDEN if mask.is_floating_point() else ~mask.bool()
            if not bool((own & ~seen).any()):
                return True
    return False


def _fits(scores: Scores, tensor: torch.Tensor) -> bool:
    """Whether a tensor broadcasts to scores."""
    shape = scores.axes.shape
    ends = zip(reversed(tensor.shape), reversed(shape), strict=False)
    return tensor.ndim <= len(shape) and all(one in (1, two) for one, two in ends)


def where(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow scores that are replaced by a number where a condition says so."""
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
    return scores.changed(lambda own: Fill(own, score), where.bool())


def floor(tap: Tap, args: tuple[Any, ...], kwargs: Any, _result: Any) -> Lineage | None:
    """Follow scores that are given a lowest number."""
    known = tap.lineage(args[0])
    low = args[1] if len(args) > 1 else kwargs.get("min")
    high = args[2] if len(args) > 2 else kwargs.get("max")
    score = _constant(low)
    if not isinstance(known, Scores) or score is None or high is not None:
        return None
    # No floor at all for scores that the masks have not hidden; those stay hidden.
    return known if score <= torch.finfo(args[0].dtype).min / 2 else known.then(Floor(score))


def tanh(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    """Follow scores that are capped softly."""
    known = tap.lineage(args[0])
    return known.then(Softcap(1.0)) if isinstance(known, Scores) else None


def dropout(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    """Follow weights through dropout, which may be switched off."""
    known = tap.lineage(args[0])
    if not isinstance(known, Weights | Matrix) or not args[1] or args[2] is False:
        return known
    return replace(known, doubt=DROPPED)


def bernoulli(tap: Tap, _args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Remember what dropout multiplies by where no kernel of its own does it."""
    tap.noise = (result.data_ptr(), tuple(result.shape))
    return None


def softmax(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a softmax over keys: of scores, or of what was not seen to be any."""
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
    """Read scores with the keys along the axis of the softmax."""
    return (scores.turned() if turned else scores).unfolded().settled()


def _number(value: Any) -> float | None:
    """Read a number, be it one of Python's or in a tensor."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return None


def _constant(value: Any) -> float | None:
    """Read a number, also from a tensor that holds nothing else."""
    number = _number(value)
    if number is not None or not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return number
    low, high = value.aminmax()
    return float(low) if bool(low == high) else None
