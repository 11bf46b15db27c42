"""The tokens along one axis of a site, as the scores need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.errors import NoSuchItemError

if TYPE_CHECKING:
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

UNKNOWN = -1
"""Id of what is no token of a vocabulary: a patch, a position, a key of an unseen cache."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One item's positions along an axis, on the CPU.

    Attributes
    ----------
    ids
        Shape (positions,), int64; -1 where no token is known.
    counted
        Shape (positions,), bool; False where padding stands.
    """

    ids: torch.Tensor
    counted: torch.Tensor

    @classmethod
    def of(cls, trace: Trace, sequence: int, item: int, length: int) -> Axis:
        """Read an axis for an item of the trace's batch."""
        items = trace.sequences[sequence].items
        tokens = items[item * len(items) // trace.items].tokens
        if len(tokens) != length:  # an axis that nothing is known of
            ids, padding = [UNKNOWN] * length, [False] * length
        else:
            ids, padding = [token.id for token in tokens], [token.padding for token in tokens]
        return cls(
            torch.tensor(ids, dtype=torch.int64, device="cpu"),
            ~torch.tensor(padding, dtype=torch.bool, device="cpu"),
        )

    @property
    def first(self) -> int:
        """The first position that is no padding; 0 where all are."""
        return int(self.counted.int().argmax())

    def same(self, queries: slice) -> torch.Tensor:
        """Which earlier positions hold the same token as each of some queries.

        Padding and unknown tokens are the same as nothing.

        Returns
        -------
        torch.Tensor
            Shape (queries, positions), bool.
        """
        known = self.counted & (self.ids != UNKNOWN)
        equal = self.ids[queries, None] == self.ids[None]
        equal &= known[queries, None] & known[None]
        places = torch.arange(len(self.ids), device="cpu")
        return equal & (places[None] < places[queries, None])

    def repeats(self) -> torch.Tensor:
        """Whether each position's token has stood earlier: shape (positions,), bool."""
        seen: set[int] = set()
        found = []
        for number, counted in zip(self.ids.tolist(), self.counted.tolist(), strict=True):
            found.append(counted and number in seen)
            if counted and number != UNKNOWN:
                seen.add(number)
        return torch.tensor(found, dtype=torch.bool, device="cpu")


def axes(trace: Trace, site: Site, item: int) -> tuple[Axis, Axis]:
    """Read the axes of a site's queries and keys: one and the same where they are one sequence.

    Parameters
    ----------
    trace, site
        The trace, and one of its sites.
    item
        Which item of the trace's batch.

    Raises
    ------
    NoSuchItemError
        An IndexError that says what there is.
    """
    if not 0 <= item < trace.items:
        raise NoSuchItemError(item, trace.items)
    queries = Axis.of(trace, site.rows, item, site.queries)
    if site.rows == site.columns:
        return queries, queries
    return queries, Axis.of(trace, site.columns, item, site.keys)


def own(trace: Trace, site: Site, item: int) -> int:
    """Find a site's item for one of the trace's: the first, where a tower has several."""
    return item * site.items // trace.items
