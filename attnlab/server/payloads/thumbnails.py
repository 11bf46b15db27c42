"""Thumbnails of all heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import ErrorCode, ThumbnailsPayload
from attnlab.server.payloads.lazy import LazyPayload
from attnlab.server.protocol.errors import RpcError

if TYPE_CHECKING:
    from attnlab.traces.trace import Trace

SIZES = range(1, 513)
"""Valid sides of a thumbnail in pixels."""


def check_size(size: int) -> None:
    """Raise an `RpcError` (INVALID_PARAMS) unless `size` is one of `SIZES`."""
    if size not in SIZES:
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.size must be {SIZES.start} to {SIZES.stop - 1} pixels, not {size}.",
        )


def thumbnails(trace: Trace, item: int, size: int, *, sampled: bool) -> LazyPayload:
    """Describe max-pooled weights of every head: u1, (heads of all sites, height, width).

    Parameters
    ----------
    size : int
        Maximum side in pixels; an axis has no more pixels than tokens.
    sampled : bool
        Whether to use only some of the queries if that saves time.
    """
    check_size(size)
    sampled = sampled and trace.samples(size)
    return LazyPayload(
        ThumbnailsPayload(
            kind="thumbnails",
            dtype="u1",
            trace=trace.id,
            item=item,
            sampled=sampled,
            shape=list(trace.thumbnail_shape(size)),
            buffer=0,
        ),
        lambda cancelled: trace.thumbnails(size, cancelled, item, sampled=sampled),
        steps=trace.portions(size, sampled=sampled),
        instead="Request smaller thumbnails.",
    )
