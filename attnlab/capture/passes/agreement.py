"""Checks whether a second pass computed the same values as the user's pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.feed.caches import caches
from attnlab.capture.inspection.contents import leaves, tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.reading.fingerprint import Fingerprint, ModuleOutputs, OutputKey
    from attnlab.capture.reading.noted_attention import NotedAttention

TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 3e-2}
"""Largest difference of a row that counts as rounding, in units of its norm."""

COARSE = 2.5e-1
"""The same for bfloat16, which has 8 bits of precision."""

FAINT = 1e-2
"""Smallest unit of comparison for a head or row, as a fraction of the others' norms."""

CHUNK = 1 << 22
"""Maximum number of values that are compared at once in the search for a row among all rows."""


def results_agree(first: Any, second: Any) -> bool:
    """Whether all tensors that two passes returned are equal, up to rounding.

    Tensors in caches are compared, too. Results without floating-point tensors do not agree,
    because nothing confirms that they are the same.
    """
    first_tensors, second_tensors = _floating_point(first), _floating_point(second)
    if not first_tensors or len(first_tensors) != len(second_tensors):
        return False
    return all(map(_close, first_tensors, second_tensors))


def doubts(
    user: Fingerprint,
    second: Fingerprint,
    noted: Sequence[NotedAttention],
    masks: Sequence[torch.Tensor],
    first: int,
) -> list[str]:
    """Return why the user's pass does not confirm the attention calls of a second pass.

    Parameters
    ----------
    user, second
        The fingerprints of the two passes.
    noted
        The attention calls of the second pass.
    masks
        Padding masks, (items, rows); padding rows may differ.
    first
        The first row of the model's result that can be compared.

    Returns
    -------
    list of str
        One sentence per call; empty if all of its rows were found in the user's pass.
    """
    by_key: dict[OutputKey | None, str] = {}
    for attention in noted:
        if attention.fingerprint not in by_key:
            by_key[attention.fingerprint] = _doubt(
                user, second, attention.fingerprint, masks, first
            )
    return [by_key[attention.fingerprint] for attention in noted]


def _doubt(
    user: Fingerprint,
    second: Fingerprint,
    key: OutputKey | None,
    masks: Sequence[torch.Tensor],
    first: int,
) -> str:
    if key is None or key not in user.seen:
        # Only the result of a compiled model can be observed.
        key, start = next((seen for seen in user.seen if seen[0] == "result"), None), first
    else:
        start = 0
    if key is None or key not in second.seen or user.seen[key].dtype != second.seen[key].dtype:
        return "No output of your call could be compared with this second forward pass."
    row = _first_unmatched(user.seen[key], second.seen[key], masks, start)
    if row is None:
        return ""
    return (
        "Your call computed something else than this second pass over the finished text, "
        f"first at position {row}."
    )


def _first_unmatched(
    user: ModuleOutputs, second: ModuleOutputs, masks: Sequence[torch.Tensor], start: int
) -> int | None:
    """Return the first row of a second pass that the user's pass does not have."""
    projected = torch.cat(second.blocks, dim=1)
    items, rows = projected.shape[:2]
    limit = TOLERANCE.get(user.dtype, COARSE)
    units = _units(torch.cat(second.norms, dim=1), max(FAINT, limit / 2))
    missing = torch.ones((items, rows), dtype=torch.bool, device=projected.device)
    missing[:, :start] = False
    # ``generate`` never passes the last token through the model.
    missing[:, -1] &= rows == 1
    for mask in masks:
        if tuple(mask.shape) == (items, rows):
            missing &= mask.to(missing.device).bool()
    blocks = [
        block.to(projected.device)
        for block in user.blocks
        if block.shape[2:] == projected.shape[2:]
    ]
    start_row = 0
    for block in blocks:
        span = slice(start_row, min(start_row + int(block.shape[1]), rows))
        if block.shape[0] == items and span.start < rows:
            part = block[:, : span.stop - span.start]
            missing[:, span] &= ~_near(projected[:, span], part, units[:, span], limit)
        start_row += int(block.shape[1])
    if not blocks or not bool(missing.any()):
        return 0 if not blocks else None
    # With beam search, assisted decoding or dropped sequences, a row may be at any position.
    all_rows = torch.cat([block.flatten(0, 1) for block in blocks])
    indices = missing.nonzero()
    for portion in torch.split(indices, max(1, CHUNK // max(1, all_rows.numel()))):
        item, row = portion.unbind(dim=1)
        near = _near(projected[item, row, None], all_rows, units[item, row, None], limit).any(dim=1)
        if not bool(near.all()):
            return int(row[~near].min())
    return None


def _units(norms: torch.Tensor, faint: float) -> torch.Tensor:
    """Return the units of differences from the heads' norms, (items, rows, heads); all positive."""
    row_norms = norms.square().mean(dim=-1, keepdim=True).sqrt()
    item_norms = norms.flatten(1).mean(dim=-1)[:, None, None]
    return norms.maximum(faint * row_norms).maximum(faint * item_norms).clamp_min(1e-12)


def _near(one: torch.Tensor, two: torch.Tensor, unit: torch.Tensor, limit: float) -> torch.Tensor:
    """Whether projections (…, heads, directions) are equal, by head or by row."""
    squares = (one - two).square().mean(dim=-1)
    squares = squares.nan_to_num(nan=float("inf"), posinf=float("inf"))
    if limit <= TOLERANCE[torch.float32]:
        return (squares.sqrt() <= limit * unit).all(dim=-1)
    # 16-bit rounding errors are too large to compare single heads, but average out over a row.
    return squares.sum(dim=-1).sqrt() <= limit * unit.square().sum(dim=-1).sqrt()


def _floating_point(result: Any) -> list[torch.Tensor]:
    """Return the floating-point tensors of a result; those of its caches are last."""
    outer = [tensor for tensor in leaves(result) if isinstance(tensor, torch.Tensor)]
    inner = list(tensors(caches(result)))
    return [tensor for tensor in (*outer, *inner) if tensor.is_floating_point() and tensor.numel()]


def _close(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Whether two tensors are equal row by row, up to rounding."""
    if one.shape != two.shape:
        return False
    first, second = (part.detach().float().nan_to_num().to("cpu") for part in (one, two))
    if first.ndim == 0:
        first, second = first[None], second[None]
    differences, norms = (first - second).norm(dim=-1), first.norm(dim=-1)
    limit = TOLERANCE.get(one.dtype, COARSE)
    unit = norms.maximum(max(FAINT, limit / 2) * norms.square().mean().sqrt()).clamp_min(1e-6)
    # PyTorch's fast path returns zeros for padding.
    return bool(((differences <= limit * unit) | (norms == 0)).all())
