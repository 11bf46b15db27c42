"""Follows operations that rearrange a tensor, or take a part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.tap.matrix import Lineage, Matrix, Output, loosened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.tap.axes import Axes
    from attnlab.capture.tap.context import TapContext


def view(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into another shape with the same number of elements."""
    known = tap.lineage(args[0])
    return None if known is None else known.viewed(result.shape)


def same(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into a copy or another floating-point type."""
    known = tap.lineage(args[0])
    return known if known is not None and result.is_floating_point() else None


def permute(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
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


def expand(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor that is repeated along axes of size 1."""
    known = tap.lineage(args[0])
    if known is None:
        return None
    viewed = known.viewed(result.shape)
    return viewed if viewed is not None else broadcast(known, result.shape)


def broadcast(known: Lineage, shape: Sequence[int]) -> Matrix | None:
    """Follow a matrix to a shape that it broadcasts to."""
    if isinstance(known, Output):
        return None
    matrix = loosened(known) if not isinstance(known, Matrix) else known
    if matrix.axes.shape == tuple(shape):
        return matrix
    return _with(matrix, matrix.axes.expanded(shape))


def resize(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into a part of it, or into a longer one, along one axis."""
    known = tap.lineage(args[0])
    output = result[0] if isinstance(result, tuple | list) else result
    return None if known is None else resized(known, tuple(output.shape))


def resized(known: Lineage, shape: tuple[int, ...]) -> Lineage | None:
    """Follow a tensor into one with other sizes of its axes."""
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


def select(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into one index along a leading axis."""
    known = tap.lineage(args[0])
    if known is None or isinstance(known, Output):
        return None
    return _with(loosened(known), known.axes.without(args[1] % (result.ndim + 1)))


def pick(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into selected indices along one axis, in any order."""
    known = resize(tap, args, _kwargs, result)
    if known is None or isinstance(known, Output):
        return None
    return replace(loosened(known), source=None)


def index(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow a tensor into selected indices, if they are along one axis."""
    chosen = [indices for indices in args[1] if indices is not None]
    if len(chosen) != 1 or chosen[0].ndim != 1:
        return None
    return pick(tap, args, _kwargs, result)


def unbind(
    tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any
) -> list[Lineage | None]:
    """Follow a tensor into all indices along a leading axis."""
    axis = args[1] if len(args) > 1 else 0
    return [select(tap, (args[0], axis), None, output) for output in result]


def split(
    tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any
) -> list[Lineage | None]:
    """Follow a tensor into parts along one axis."""
    known = tap.lineage(args[0])
    return [None if known is None else resized(known, tuple(output.shape)) for output in result]


def join(tap: TapContext, args: tuple[Any, ...], _kwargs: Any, result: Any) -> Lineage | None:
    """Follow matrices that are concatenated; other tensors may be between them."""
    known = [lineage for lineage in map(tap.lineage, args[0]) if lineage is not None]
    matrices = [loosened(lineage) for lineage in known if not isinstance(lineage, Output)]
    if not matrices:
        return None
    first = matrices[0]
    if any(lineage.stage != first.stage for lineage in matrices):
        return None
    if result.ndim == len(first.axes.groups):
        return resized(replace(first, source=None), tuple(result.shape))
    return None


def _with(known: Matrix, axes: Axes | None) -> Matrix | None:
    return None if axes is None else known.reshaped(axes)
