"""One recorded model call: its sites, its tokens, and the pictures made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.errors import (
    NoSuchHeadError,
    NoSuchItemError,
    NoSuchQueryError,
    NoSuchSiteError,
)
from attnlab.traces.site import Site
from attnlab.traces.thumbnails import thumbnails
from attnlab.traces.weights import chunks, weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.call import Call
    from attnlab.capture.records import Record
    from attnlab.capture.sequence import Sequence


@dataclass(eq=False)
class Trace:
    """What one model call of one run of a cell left behind.

    Attributes
    ----------
    id
        Unique in the kernel.
    cell
        Id of the cell that ran; empty where the host has none.
    execution
        The cell's execution count.
    index
        Which model call of the cell's run, from 0.
    sequences
        What stands along the sites' axes, the main one first.
    items
        How many items of the batch are held.
    generated
        Index of the main sequence's first token that the model itself has written.
    """

    id: str
    cell: str
    execution: int
    index: int
    model: str
    sequences: list[Sequence]
    sites: list[Site]
    items: int
    generated: int | None
    notes: list[str]
    milliseconds: float

    @classmethod
    def from_call(cls, call: Call, id: str, cell: str, execution: int, index: int) -> Trace:  # noqa: A002
        """Make a trace of an observed call; computes nothing yet."""
        sites = [
            Site(place, record, *axes)
            for place, (record, axes) in enumerate(zip(call.records, call.axes, strict=True))
        ]
        return cls(
            id=id,
            cell=cell,
            execution=execution,
            index=index,
            model=call.model,
            sequences=call.sequences,
            sites=sites,
            items=call.items,
            generated=call.generated,
            notes=list(call.notes),
            milliseconds=call.milliseconds,
        )

    @property
    def nbytes(self) -> int:
        """Memory that the records hold; what several of them share counts once."""
        held = {
            tensor.data_ptr(): tensor.nbytes
            for site in self.sites
            for tensor in site.record.tensors
        }
        return sum(held.values())

    def thumbnails(
        self, size: int, cancelled: Callable[[], bool] = lambda: False, item: int = 0
    ) -> NDArray[np.uint8]:
        """Max-pooled pictures of all heads of all sites, in order.

        All pictures have one shape, ``(min(size, most queries), min(size, most keys))``
        over the sites. In a site of length N and a picture of side S, position ``i`` falls
        into pixel ``i * S // N``; where ``N < S`` (sites of different lengths), pixel ``j``
        shows position ``j * N // S``.

        Parameters
        ----------
        size
            Largest side in pixels, at least 1.
        cancelled
            Asked between portions.

        Returns
        -------
        numpy.ndarray
            Shape (heads of all sites, rows, columns), u8; 255 is a weight of 1, NaN is 0.

        Raises
        ------
        ValueError
            When `size` is less than 1.
        CancelledError
            When `cancelled` said so.
        """
        if size < 1:
            raise ValueError(f"a thumbnail has a side of at least 1 pixel, not {size}")
        shape = (
            min(size, max(site.queries for site in self.sites)),
            min(size, max(site.keys for site in self.sites)),
        )
        records = [site.record for site in self.sites]
        return thumbnails(records, shape, cancelled, [self._item(own, item) for own in records])

    def head(self, site: int, head: int, item: int = 0) -> NDArray[np.float32]:
        """Exact weights of one head, for an item of the trace's batch.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries without any key.

        Raises
        ------
        NoSuchSiteError, NoSuchHeadError
            Both are IndexErrors and say what there is.
        """
        record = self._record(site)
        if not 0 <= head < record.heads:
            raise NoSuchHeadError(site, head, record.heads)
        result = torch.empty((record.queries, record.keys), dtype=torch.float32)
        for portion, matrix in chunks(record, head, self._item(record, item)):
            result[portion] = matrix.cpu()
        return result.numpy()

    def row(self, site: int, query: int, item: int = 0) -> NDArray[np.float32]:
        """Exact weights of one query in all heads of a site, for an item of the trace's batch.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN where the query may attend to no key.

        Raises
        ------
        NoSuchSiteError, NoSuchQueryError
            Both are IndexErrors and say what there is.
        """
        record = self._record(site)
        if not 0 <= query < record.queries:
            raise NoSuchQueryError(site, query, record.queries)
        own = self._item(record, item)
        row = weights(record, slice(0, record.heads), slice(query, query + 1), own)[:, 0]
        return row.cpu().contiguous().numpy()

    def _item(self, record: Record, item: int) -> int:
        """Find a site's item that belongs to one of the trace's: the first, where it has several."""
        if not 0 <= item < self.items:
            raise NoSuchItemError(item, self.items)
        return item * record.items // self.items

    def _record(self, site: int) -> Record:
        if not 0 <= site < len(self.sites):
            raise NoSuchSiteError(site, len(self.sites))
        return self.sites[site].record
