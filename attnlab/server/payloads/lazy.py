"""Payloads whose arrays are computed later, so that their size is known before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from attnlab.server.messages import MAX_MESSAGE_BYTES, Payload
from attnlab.server.protocol.errors import too_large
from attnlab.traces.cancellation import Cancelled, never

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

EncodedPayload = tuple[Payload, bytes]
"""A payload with buffer index 0, and its little-endian bytes."""


@dataclass(frozen=True)
class LazyPayload:
    """A payload that is described, but not computed yet.

    Attributes
    ----------
    payload
        The message, including the shape; its buffer index is 0.
    compute
        Computes the array. Polls its argument and raises `CancelledError` soon after it
        returns true.
    steps
        How often `compute` polls; 0 if unknown.
    instead
        What to request if the payload is too large, as a sentence.
    """

    payload: Payload
    compute: Callable[[Cancelled], NDArray[np.generic]]
    steps: int = 0
    instead: str = ""

    @property
    def nbytes(self) -> int:
        """Size of the array."""
        return math.prod(self.payload["shape"]) * int(self.payload["dtype"][1:])

    def encode(self, cancelled: Cancelled = never) -> EncodedPayload:
        """Compute the array.

        Raises
        ------
        RpcError
            TOO_LARGE if the array has more than `MAX_MESSAGE_BYTES`; it is not computed then.
        CancelledError
            If `cancelled` returns true.
        """
        kind = self.payload["kind"]
        if self.nbytes > MAX_MESSAGE_BYTES:
            raise too_large(f"The data of this view ({kind})", self.nbytes, self.instead)
        array = self.compute(cancelled).astype(f"<{self.payload['dtype']}", copy=False)
        if list(array.shape) != self.payload["shape"]:
            raise RuntimeError(f"the array of a payload ({kind}) does not have the promised shape")
        return self.payload, array.tobytes()


def encode_fitting(lazy: Sequence[LazyPayload]) -> tuple[list[Payload], list[bytes]]:
    """Compute as many payloads as fit in one message, and number their buffers."""
    payloads: list[Payload] = []
    buffers: list[bytes] = []
    left = MAX_MESSAGE_BYTES
    for one in lazy:
        if one.nbytes > left:
            continue
        left -= one.nbytes
        payload, data = one.encode()
        numbered: dict[str, Any] = {**payload, "buffer": len(buffers)}
        payloads.append(cast("Payload", numbered))
        buffers.append(data)
    return payloads, buffers
