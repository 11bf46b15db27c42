"""Joins the tensors of successive steps for all sites of one shape together.

To join them site by site would take three operations for each site and step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.generate.rows import StepRows
    from attnlab.capture.generate.shared_steps import SiteSteps, StepGroup

Name = Literal["query", "key", "value"]


class JoinedSteps:
    """The queries, keys and values of successive steps, joined along the text."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[StepGroup, torch.Tensor | None]] = {}

    def after(
        self,
        before: torch.Tensor | None,
        steps: SiteSteps,
        name: Name,
        missing: int = 0,
        filling: float = 0.0,
    ) -> torch.Tensor | None:
        """Return a tensor of a site for the passes before some steps, the steps, and later tokens.

        Parameters
        ----------
        before
            Shape (texts, heads or groups, rows, width): that of the passes before; None without
            any.
        steps
            The steps; not empty.
        missing
            Number of rows after them.
        filling
            The value of these rows.

        Returns
        -------
        torch.Tensor or None
            As `before`, with all rows; a part of a tensor that sites of one shape share. None if
            the steps have none.
        """
        index = steps.index
        if index is None:
            return _joined_one(before, steps, name, missing, filling)
        count = 0 if before is None else int(before.shape[2])
        # The group is kept, so that no other one gets the same id.
        identity = name, count, missing, id(steps.group)
        if identity not in self._known:
            rows = steps.group.rows
            self._known[identity] = steps.group, _joined(rows, name, count, missing, filling)
        shared = self._known[identity][1]
        if shared is None:
            return None
        if before is not None:
            if before.dtype != shared.dtype or before.device != shared.device:
                return _joined_one(before, steps, name, missing, filling)
            shared[index, :, :, :count] = before
        return shared[index]


def _joined_one(
    before: torch.Tensor | None, steps: SiteSteps, name: Name, missing: int, filling: float
) -> torch.Tensor | None:
    """Return the tensor of one site."""
    rows = zip(steps.group.rows, steps.indices, strict=True)
    found = [getattr(row, name)(index) for row, index in rows]
    return joined([*([] if before is None else [before]), *found], missing, filling)


def joined(
    tensors: Sequence[torch.Tensor | None], missing: int, filling: float = 0.0
) -> torch.Tensor | None:
    """Join tensors of one site along the text, with rows of one value after them.

    Returns None if one of them is None.
    """
    present = [tensor for tensor in tensors if tensor is not None]
    if not present or len(present) < len(tensors):
        return None
    if missing:
        present.append(filled(present[0], missing, filling))
    return torch.cat(present, dim=2)


def filled(tensor: torch.Tensor, count: int, value: float) -> torch.Tensor:
    """Return rows of one value beside a tensor, (items, heads, rows, width)."""
    items, heads, _, width = tensor.shape
    return tensor.new_full((items, heads, count, width), value)


def _joined(
    rows: Sequence[StepRows], name: Name, before: int, missing: int, filling: float
) -> torch.Tensor | None:
    """Return the tensors of all calls of the blocks, (calls, texts, heads, rows, width).

    The rows of the passes before are not filled.
    """
    parts = []
    for row in rows:
        tensor: torch.Tensor | None = getattr(row.block, name)
        if tensor is None:
            return None
        if row.items is not None:
            tensor = tensor.index_select(1, row.items.to(tensor.device))
        if row.first or row.count < tensor.shape[3]:
            tensor = tensor.narrow(3, row.first, row.count)
        parts.append(tensor)
    calls, texts, heads, _, width = parts[0].shape
    stop = before + sum(int(part.shape[3]) for part in parts)
    whole = parts[0].new_empty((calls, texts, heads, stop + missing, width))
    torch.cat(parts, dim=3, out=whole[:, :, :, before:stop])
    whole[:, :, :, stop:] = filling
    return whole
