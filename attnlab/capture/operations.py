"""What each of PyTorch's operations does to scores and weights that are followed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.axes import Axes
from attnlab.capture.lineage import Scores, Weights
from attnlab.capture.terms import Bias, Fill, Floor, Mask, Scale, Softcap

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.tap import Lineage, Tap

    Follow = Callable[[Tap, tuple[Any, ...], Any, Any], Lineage | None]

HIDDEN = -1e4
"""A number so low, added to a score or put in its place, hides the key."""


DROPPED = "dropout was active: the weights are those before dropout"


@dataclass(frozen=True)
class Operation:
    """How the tap treats one operation."""

    name: str
    follow: Follow | None
    views: bool
    """Whether the result is a view of an operand."""
    composite: bool
    begins: bool = False
    """Whether it may be of attention whatever its operands are."""


def operation(func: Any, composites: frozenset[str], told: frozenset[str]) -> Operation:
    """Look an operation up."""
    if not isinstance(func, torch._ops.OpOverload):
        return Operation(str(func), None, False, False)
    name = func.overloadpacket.__name__
    schema = func._schema
    views = any(
        out.alias_info is not None and not out.alias_info.is_write for out in schema.returns
    )
    follow = TABLE.get(name.removesuffix("_") if name.rstrip("_") in TABLE else name)
    if follow is None and name in told:
        follow = _nothing
    return Operation(name, follow, views, name in composites, name in told or name in BEGINNINGS)


BEGINNINGS = frozenset(
    {"bmm", "mm", "baddbmm", "baddbmm_", "_softmax", "_safe_softmax", "softmax", "bernoulli_"}
)


def _nothing(*_: Any) -> None:
    return None


def _bmm(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a product: of weights with values, or, who knows, of queries with keys."""
    first, second = args[:2]
    for operand, rows, columns in ((first, -2, -1), (second, -1, -2)):
        known = tap.lineage(operand)
        if isinstance(known, Weights) and known.axes.folded(rows, columns) is not None:
            other = second if operand is first else first
            return None if tap.is_parameter(other) else known
    if tap.is_parameter(first) or tap.is_parameter(second):
        return None
    return Scores.product(first, second, result.shape, tap.running())


def _baddbmm(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    added, first, second = args[:3]
    scores = Scores.product(first, second, result.shape, tap.running())
    alpha, beta = float(kwargs.get("alpha", 1)), float(kwargs.get("beta", 1))
    scores = scores.then(Scale(alpha)) if alpha != 1 else scores
    return _added(scores, added, beta) if beta != 0 else scores


def _view(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    return None if known is None else known.viewed(result.shape)


def _same(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    return tap.lineage(args[0])


def _permute(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    if known is None:
        return None
    axes = result.ndim
    if len(args) == 1:  # t
        order = list(reversed(range(axes)))
    elif len(args) == 2:
        order = [axis % axes for axis in args[1]]
    else:
        order = list(range(axes))
        one, two = (axis % axes for axis in args[1:3])
        order[one], order[two] = order[two], order[one]
    return known.permuted(order)


def _slice(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """All of a tensor, or weights without the column of a sink."""
    known = tap.lineage(args[0])
    if known is None or tuple(result.shape) == known.axes.shape:
        return known
    if isinstance(known, Scores) or known.dense is None or args[1] % result.ndim != result.ndim - 1:
        return None
    own = result.detach()
    if own.ndim != known.dense.ndim:
        return None
    return replace(known, axes=Axes.of(own.shape), dense=own)


def _multiply(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    return _scaled(tap, *args[:2])


def _divide(tap: Tap, args: tuple[Any, ...], kwargs: Any, _result: Any) -> Lineage | None:
    if kwargs.get("rounding_mode") is not None or isinstance(tap.lineage(args[1]), Scores):
        return None
    factor = args[1]
    return _scaled(tap, args[0], 1 / factor)


def _scaled(tap: Tap, first: Any, second: Any) -> Lineage | None:
    known, other = tap.lineage(first), second
    if known is None:
        known, other = tap.lineage(second), first
    if isinstance(known, Weights):
        # Whether weights are changed otherwise after the softmax, the certificate tells.
        return replace(known, doubt=DROPPED) if tap.is_noise(other) else known
    if known is None:
        return None
    number = _number(other)
    if number is not None:
        return known.then(Scale(number))
    return known.changed(Scale, other)


def _add(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    return _sum(tap, args[0], args[1], alpha, result)


def _subtract(tap: Tap, args: tuple[Any, ...], kwargs: Any, result: Any) -> Lineage | None:
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    if isinstance(tap.lineage(args[1]), Scores) and tap.lineage(args[0]) is None:
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
    return _added(known, other, alpha)


def _added(scores: Scores, other: Any, alpha: float) -> Scores:
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


def _masked_fill(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    score = _number(args[2])
    if isinstance(known, Weights):
        return known if score == 0 else None
    if known is None or score is None:
        return None
    return _filled(known, args[1], score, args[0].dtype)


def _where(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    condition, first, second = args[:3]
    known, score = tap.lineage(first), _constant(second)
    if isinstance(known, Scores) and score is not None:
        return _filled(known, ~condition, score, first.dtype)
    known, score = tap.lineage(second), _constant(first)
    if isinstance(known, Scores) and score is not None:
        return _filled(known, condition, score, second.dtype)
    return None


def _filled(scores: Scores, where: torch.Tensor, score: float, dtype: torch.dtype) -> Scores:
    lowest = torch.finfo(dtype).min / 2 if dtype.is_floating_point else HIDDEN
    if score <= lowest:
        return scores.changed(Mask, ~where.bool())
    return scores.changed(lambda own: Fill(own, score), where.bool())


def _floor(tap: Tap, args: tuple[Any, ...], kwargs: Any, _result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    low = args[1] if len(args) > 1 else kwargs.get("min")
    high = args[2] if len(args) > 2 else kwargs.get("max")
    score = _constant(low)
    if not isinstance(known, Scores) or score is None or high is not None:
        return None
    # No floor at all for scores that the masks have not hidden; those stay hidden.
    return known if score <= torch.finfo(args[0].dtype).min / 2 else known.then(Floor(score))


def _tanh(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    return known.then(Softcap(1.0)) if isinstance(known, Scores) else None


def _dropout(tap: Tap, args: tuple[Any, ...], _kwargs: Any, _result: Any) -> Lineage | None:
    known = tap.lineage(args[0])
    if not isinstance(known, Weights) or not args[1] or args[2] is False:
        return known
    return replace(known, doubt=DROPPED)


def _bernoulli(tap: Tap, _args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Remember what dropout multiplies by where no kernel of its own does it."""
    tap.noise = (result.data_ptr(), tuple(result.shape))
    return None


def _softmax(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    given, axis = args[0], args[1] % max(1, result.ndim)
    if result.ndim < 2:
        return None
    running = tap.running()
    known = tap.lineage(given)
    if isinstance(known, Scores):
        for end in ("key", "query"):
            if known.axes.groups[axis] != known.axes.atoms(end):
                continue
            scores = (known if end == "key" else known.turned()).unfolded().settled()
            lead = _lead(scores.axes)
            modules = common(known.modules, running)
            tap.pending(modules)
            return Weights(scores.axes, lead, scores, None, modules)
    if axis != result.ndim - 1 or result.ndim < 3:
        return None
    tap.pending(running)
    lead = tuple(map(int, result.shape[:-2]))
    return Weights(Axes.of(result.shape), lead, None, result.detach(), running)


def _lead(axes: Axes) -> tuple[int, ...]:
    """Sizes of the axes that are neither queries nor keys."""
    leads = axes.atoms("lead")
    sizes = zip(axes.groups, axes.shape, strict=True)
    own = [size for group, size in sizes if all(atom in leads for atom in group)]
    # Of axes of size 1 it is not known what they count: two are queries and keys if need be.
    lacking = [kind for kind in ("query", "key") if not axes.atoms(kind)]
    for _ in lacking:
        for place in reversed(range(len(own))):
            if own[place] == 1:
                del own[place]
                break
    return tuple(own)


def common(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Find the modules that were running both times, the outermost first."""
    shared = []
    for one, two in zip(first, second, strict=False):
        if one is not two:
            break
        shared.append(one)
    return tuple(shared)


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


TABLE: dict[str, Follow] = {
    **dict.fromkeys(("bmm", "mm"), _bmm),
    "baddbmm": _baddbmm,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten",
         "unflatten", "expand", "view_as", "reshape_as"),
        _view,
    ),
    **dict.fromkeys(
        ("alias", "detach", "clone", "contiguous", "_to_copy", "to", "type_as", "lift_fresh"),
        _same,
    ),
    **dict.fromkeys(("permute", "transpose", "t", "swapaxes", "swapdims"), _permute),
    "slice": _slice,
    "mul": _multiply,
    "div": _divide,
    "add": _add,
    "sub": _subtract,
    "masked_fill": _masked_fill,
    "where": _where,
    **dict.fromkeys(("maximum", "clamp_min", "clamp"), _floor),
    "tanh": _tanh,
    **dict.fromkeys(("native_dropout", "dropout"), _dropout),
    "bernoulli": _bernoulli,
    **dict.fromkeys(("_softmax", "_safe_softmax", "softmax"), _softmax),
}  # fmt: skip
"""By name, an in-place form's without its last "_"."""
