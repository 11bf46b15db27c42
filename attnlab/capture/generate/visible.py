"""Which keys each query may attend to, according to the terms of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.terms import Bias, Causal, Mask, Term, Window

if TYPE_CHECKING:
    from collections.abc import Sequence


def visible_keys(terms: Sequence[Term], queries: int, keys: int) -> torch.Tensor | None:
    """Return the keys that are not hidden by masks, causality or windows.

    Returns
    -------
    torch.Tensor or None
        Booleans of shape (items or 1, heads or 1, queries, keys); None if no term hides keys.
    """
    seen = None
    for term in terms:
        match term:
            case Mask(tensor):
                here = ~hidden(tensor)
            case Causal(offset):
                here = _distances(queries, keys, offset) >= 0
            case Window(size, offset):
                here = _distances(queries, keys, offset) < size
            case _:
                continue
        seen = here if seen is None else seen.to(here.device) & here
    return None if seen is None else seen.expand(*seen.shape[:2], queries, keys)


def hidden(mask: torch.Tensor) -> torch.Tensor:
    """Return where a mask hides a key: where it is False, or has its lowest value."""
    if not mask.is_floating_point():
        return ~mask.bool()
    return mask <= torch.finfo(mask.dtype).min / 2


def added_by(mask: torch.Tensor) -> Bias | None:
    """Return what a mask adds to the scores of visible keys; None if it adds nothing."""
    if not mask.is_floating_point():
        return None
    rest = mask.masked_fill(hidden(mask), 0)
    return Bias(rest) if bool(rest.any()) else None


def causal_keys(queries: int, keys: int, offset: int) -> torch.Tensor:
    """Return the keys up to each query's position, ``query + offset``: (1, 1, queries, keys)."""
    return _distances(queries, keys, offset) >= 0


def window_keys(queries: int, keys: int, offset: int, size: int) -> torch.Tensor:
    """Return the keys less than `size` positions before each query's: (1, 1, queries, keys)."""
    return _distances(queries, keys, offset) < size


def _distances(queries: int, keys: int, offset: int) -> torch.Tensor:
    """Return how far each key is before each query's position."""
    positions = torch.arange(queries)[:, None] + offset
    return (positions - torch.arange(keys)[None])[None, None]
