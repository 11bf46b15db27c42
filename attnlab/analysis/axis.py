"""The tokens along one axis of a site, in the form that the scores need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.batch import corresponding_item
from attnlab.traces.errors import NoSuchItemError

if TYPE_CHECKING:
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

UNKNOWN = -1
"""Id of positions without a vocabulary token: patches, positions, keys of an unseen cache."""


@dataclass(frozen=True, eq=False)
class Axis:
    """Positions of one batch item along an axis, on the CPU.

    Attributes
    ----------
    ids
        Shape (positions,), int64; -1 where the token is unknown.
    counted
        Shape (positions,), bool; False for padding.
    """

    ids: torch.Tensor
    counted: torch.Tensor

    @classmethod
    def of(cls, trace: Trace, sequence: int, item: int, length: int) -> Axis:
        """Read an axis for a batch item of the trace."""
        items = trace.sequences[sequence].items
        tokens = items[corresponding_item(item, trace.items, len(items))].tokens
        if len(tokens) != length:  # the tokens of this axis are unknown
            ids, padding = [UNKNOWN] * length, [False] * length
        else:
            ids, padding = [token.id for token in tokens], [token.padding for token in tokens]
        return cls(
            torch.tensor(ids, dtype=torch.int64, device="cpu"),
            ~torch.tensor(padding, dtype=torch.bool, device="cpu"),
        )

    @property
    def first(self) -> int:
        """The first position that is not padding; 0 if all are padding."""
        return int(self.counted.int().argmax())

    def same(self, queries: slice) -> torch.Tensor:
        """Find the earlier positions with the same token as each query.

        Padding and unknown tokens are never equal to anything.

        Returns
        -------
        torch.Tensor
            Shape (queries, positions), bool.
        """
        known = self.counted & (self.ids != UNKNOWN)
        equal = self.ids[queries, None] == self.ids[None]
        equal &= known[queries, None] & known[None]
        positions = torch.arange(len(self.ids), device="cpu")
        return equal & (positions[None] < positions[queries, None])

    def repeats(self) -> torch.Tensor:
        """Whether the token at each position occurred earlier: shape (positions,), bool."""
        seen: set[int] = set()
        found = []
        for number, counted in zip(self.ids.tolist(), self.counted.tolist(), strict=True):
            found.append(counted and number in seen)
            if counted and number != UNKNOWN:
                seen.add(number)
        return torch.tensor(found, dtype=torch.bool, device="cpu")


def axes(trace: Trace, site: Site, item: int) -> tuple[Axis, Axis]:
    """Read the axes of a site's queries and keys: the same object if they are one sequence.

    Parameters
    ----------
    trace, site
        The trace, and one of its sites.
    item
        Batch item of the trace.

    Raises
    ------
    NoSuchItemError
        An IndexError that lists what exists.
    """
    if not 0 <= item < trace.items:
        raise NoSuchItemError(item, trace.items)
    queries = Axis.of(trace, site.rows, item, site.queries)
    if site.rows == site.columns:
        return queries, queries
    return queries, Axis.of(trace, site.columns, item, site.keys)
