"""Joins the tensors of successive steps for all sites of one shape together.

To join them site by site would take three operations for each site and step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.generate.rows import StepRows
    from attnlab.capture.generate.step import Block

Name = Literal["query", "key", "value"]


class JoinedSteps:
    """The queries, keys and values of successive steps, joined along the text."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], torch.Tensor | None] = {}

    def of(self, rows: Sequence[StepRows], name: Name) -> torch.Tensor | None:
        """Return a tensor of a site for successive steps: (texts, heads or groups, rows, width).

        None if the steps have none.
        """
        index = rows[0].index
        counts = {_count(row.block) for row in rows}
        if len(counts) > 1 or any(row.index != index for row in rows):
            tensors = [getattr(row, name) for row in rows]
            return None if tensors[0] is None else torch.cat(tensors, dim=2)
        # The blocks are kept by the steps as long as this object exists.
        identity = name, *((id(row.block), row.first, row.count, id(row.items)) for row in rows)
        if identity not in self._known:
            self._known[identity] = _joined(rows, name)
        joined = self._known[identity]
        return None if joined is None else joined[index]


def _count(block: Block) -> int:
    """Return the number of calls of a block."""
    some = block.query if block.query is not None else block.value
    return 0 if some is None else int(some.shape[0])


def _joined(rows: Sequence[StepRows], name: Name) -> torch.Tensor | None:
    """Return the tensors of all calls of the blocks, (calls, texts, heads, rows, width)."""
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
    return torch.cat(parts, dim=3)
