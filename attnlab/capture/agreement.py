"""Whether a second pass computed the same as the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.caches import caches
from attnlab.capture.contents import leaves, tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.recorder import Noted
    from attnlab.capture.witness import Key, Seen, Witness

TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 3e-2}
"""Largest difference of a row that is rounding, in units of its norm."""

COARSE = 2.5e-1
"""The same in bfloat16, which has 8 bits."""

FAINT = 1e-2
"""Heads and rows whose norm is less than this part of the others' are compared in this unit."""

CHUNK = 1 << 22
"""Numbers compared at once where a row is looked for among all others."""


def results_agree(first: Any, second: Any) -> bool:
    """Whether two passes gave the same, to rounding, in all tensors that they returned.

    Tensors in caches count too. Two results without any numbers do not agree: there is
    nothing that could confirm the second.
    """
    one, two = _numbers(first), _numbers(second)
    if not one or len(one) != len(two):
        return False
    return all(_close(own, other) for own, other in zip(one, two, strict=True))


def doubts(
    user: Witness,
    second: Witness,
    noted: Sequence[Noted],
    masks: Sequence[torch.Tensor],
    first: int,
) -> list[str]:
    """Say for each attention call of a second pass why the user's pass does not confirm it.

    Parameters
    ----------
    user, second
        What the two passes computed.
    noted
        The attention calls of the second.
    masks
        Of padding, (items, rows): rows that nothing reads may differ.
    first
        The first row of which the model's own result can be compared.

    Returns
    -------
    list of str
        A sentence each; empty where every row was found in the user's pass.
    """
    known: dict[Key | None, str] = {}
    for own in noted:
        if own.witness not in known:
            known[own.witness] = _doubt(user, second, own.witness, masks, first)
    return [known[own.witness] for own in noted]


def _doubt(
    user: Witness, second: Witness, key: Key | None, masks: Sequence[torch.Tensor], first: int
) -> str:
    if key is None or key not in user.seen:
        # Of a compiled model nothing is seen but what it returns.
        key, start = next((own for own in user.seen if own[0] == "result"), None), first
    else:
        start = 0
    if key is None or key not in second.seen or user.seen[key].dtype != second.seen[key].dtype:
        return "Nothing that your own call computed could be compared with this second pass."
    row = _first_unmatched(user.seen[key], second.seen[key], masks, start)
    if row is None:
        return ""
    return (
        "Your own call computed something else than this second pass over the finished text, "
        f"first at position {row}."
    )


def _first_unmatched(
    user: Seen, second: Seen, masks: Sequence[torch.Tensor], start: int
) -> int | None:
    """Find the first row of a second pass that the user's pass does not have."""
    projected = torch.cat(second.blocks, dim=1)
    items, rows = projected.shape[:2]
    limit = TOLERANCE.get(user.dtype, COARSE)
    units = _units(torch.cat(second.norms, dim=1), max(FAINT, limit / 2))
    missing = torch.ones((items, rows), dtype=torch.bool, device=projected.device)
    missing[:, :start] = False
    # The last token is never passed through the model by ``generate``.
    missing[:, -1] &= rows == 1
    for mask in masks:
        if tuple(mask.shape) == (items, rows):
            missing &= mask.to(missing.device).bool()
    blocks = [
        own.to(projected.device) for own in user.blocks if own.shape[2:] == projected.shape[2:]
    ]
    place = 0
    for block in blocks:
        span = slice(place, min(place + int(block.shape[1]), rows))
        if block.shape[0] == items and span.start < rows:
            own = block[:, : span.stop - span.start]
            missing[:, span] &= ~_near(projected[:, span], own, units[:, span], limit)
        place += int(block.shape[1])
    if not blocks or not bool(missing.any()):
        return 0 if not blocks else None
    # Beams, drafts, and sequences that were dropped: the row may be in any place.
    every = torch.cat([own.flatten(0, 1) for own in blocks])
    where = missing.nonzero()
    for chosen in torch.split(where, max(1, CHUNK // max(1, every.numel()))):
        item, row = chosen.unbind(dim=1)
        near = _near(projected[item, row, None], every, units[item, row, None], limit).any(dim=1)
        if not bool(near.all()):
            return int(row[~near].min())
    return None


def _units(norms: torch.Tensor, faint: float) -> torch.Tensor:
    """Norms of heads, (items, rows, heads), in which differences are measured; none is 0."""
    beside = norms.square().mean(dim=-1, keepdim=True).sqrt()
    above = norms.flatten(1).mean(dim=-1)[:, None, None]
    return norms.maximum(faint * beside).maximum(faint * above).clamp_min(1e-12)


def _near(own: torch.Tensor, other: torch.Tensor, unit: torch.Tensor, limit: float) -> torch.Tensor:
    """Whether projections (…, heads, directions) are the same: of each head, or of a row."""
    apart = (own - other).square().mean(dim=-1)
    apart = apart.nan_to_num(nan=float("inf"), posinf=float("inf"))
    if limit <= TOLERANCE[torch.float32]:
        return (apart.sqrt() <= limit * unit).all(dim=-1)
    # Rounding of short types is too coarse for one head, and averages out over a row.
    return apart.sum(dim=-1).sqrt() <= limit * unit.square().sum(dim=-1).sqrt()


def _numbers(result: Any) -> list[torch.Tensor]:
    """All tensors of floating numbers in a result, its caches' after the others."""
    outer = [own for own in leaves(result) if isinstance(own, torch.Tensor)]
    inner = list(tensors(caches(result)))
    return [own for own in (*outer, *inner) if own.is_floating_point() and own.numel()]


def _close(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Whether two tensors are the same to rounding, row by row."""
    if one.shape != two.shape:
        return False
    own, other = (part.detach().float().nan_to_num().to("cpu") for part in (one, two))
    if own.ndim == 0:
        own, other = own[None], other[None]
    apart, norms = (own - other).norm(dim=-1), own.norm(dim=-1)
    limit = TOLERANCE.get(one.dtype, COARSE)
    unit = norms.maximum(max(FAINT, limit / 2) * norms.square().mean().sqrt()).clamp_min(1e-6)
    # PyTorch's fast path leaves zeros where there is padding.
    return bool(((apart <= limit * unit) | (norms == 0)).all())
