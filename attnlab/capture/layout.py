"""Operations that lay a followed tensor out anew, or take a part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.matrix import Lineage, Matrix, Output, loosened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.axes import Axes
    from attnlab.capture.tap import Tap


def view(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into another shape of as many numbers."""
    known = tap.lineage(args[0])
    return None if known is None else known.viewed(result.shape)


def same(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into a copy or another type of floating numbers."""
    known = tap.lineage(args[0])
    return known if known is not None and result.is_floating_point() else None


def permute(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into another order of its axes."""
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


def expand(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor that is repeated along axes of size 1."""
    known = tap.lineage(args[0])
    if known is None:
        return None
    seen = known.viewed(result.shape)
    return seen if seen is not None else broadcast(known, result.shape)


def broadcast(known: Lineage, shape: Sequence[int]) -> Matrix | None:
    """Follow a matrix to a shape that it broadcasts to."""
    if isinstance(known, Output):
        return None
    own = loosened(known) if not isinstance(known, Matrix) else known
    if own.axes.shape == tuple(shape):
        return own
    return _with(own, own.axes.expanded(shape))


def resize(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into a part of it, or into a longer one, along one axis."""
    known = tap.lineage(args[0])
    own = result[0] if isinstance(result, tuple | list) else result
    return None if known is None else resized(known, tuple(own.shape))


def resized(known: Lineage, shape: tuple[int, ...]) -> Lineage | None:
    """Follow a tensor into one with other numbers of places along its axes."""
    before = known.axes.shape
    if shape == before:
        return known
    if len(shape) != len(before) or isinstance(known, Output):
        return None
    axes: Axes | None = known.axes
    for axis, (old, new) in enumerate(zip(before, shape, strict=True)):
        if old != new and axes is not None:
            axes = axes.resized(axis, int(new))
    return _with(loosened(known), axes)


def select(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into one place along an axis that leads."""
    known = tap.lineage(args[0])
    if known is None or isinstance(known, Output):
        return None
    return _with(loosened(known), known.axes.without(args[1] % (result.ndim + 1)))


def pick(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into chosen places along one axis, in an order of their own."""
    known = resize(tap, args, _kwargs, result)
    if known is None or isinstance(known, Output):
        return None
    return replace(loosened(known), source=None)


def index(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into chosen places, where they are along one axis."""
    chosen = [own for own in args[1] if own is not None]
    if len(chosen) != 1 or chosen[0].ndim != 1:
        return None
    return pick(tap, args, _kwargs, result)


def unbind(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> list[Lineage | None]:
    """Follow a tensor into all places along an axis that leads."""
    axis = args[1] if len(args) > 1 else 0
    return [select(tap, (args[0], axis), None, own) for own in result]


def split(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> list[Lineage | None]:
    """Follow a tensor into parts along one axis."""
    known = tap.lineage(args[0])
    return [None if known is None else resized(known, tuple(own.shape)) for own in result]


def join(tap: Tap, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow matrices that are put beside one another; others may stand between them."""
    known = [own for own in map(tap.lineage, args[0]) if own is not None]
    matrices = [loosened(own) for own in known if not isinstance(own, Output)]
    if not matrices:
        return None
    first = matrices[0]
    if any(own.stage != first.stage for own in matrices):
        return None
    if result.ndim == len(first.axes.groups):
        return resized(replace(first, source=None), tuple(result.shape))
    return None


def _with(known: Matrix, axes: Axes | None) -> Matrix | None:
    return None if axes is None else known.reshaped(axes)
