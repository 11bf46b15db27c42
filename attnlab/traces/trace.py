"""One recorded model call: its sites, its tokens, and the pictures made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.traces.errors import NoSuchHeadError, NoSuchQueryError, NoSuchSiteError
from attnlab.traces.site import Axis, Site
from attnlab.traces.thumbnails import thumbnails
from attnlab.traces.weights import chunks, weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.call import Call
    from attnlab.capture.records import Record
    from attnlab.capture.tokens import TokenInfo


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
    queries, keys
        Tokens; the same list unless there are two sequences or a cache. Which of them
        stands along a site's axes is said by its `rows` and `columns`.
    """

    id: str
    cell: str
    execution: int
    index: int
    model: str
    text: str | None
    queries: list[TokenInfo]
    keys: list[TokenInfo]
    sites: list[Site]
    notes: list[str]
    milliseconds: float

    @classmethod
    def from_call(cls, call: Call, id: str, cell: str, execution: int, index: int) -> Trace:  # noqa: A002
        """Make a trace of an observed call; computes nothing yet."""
        keys = call.tokens if call.key_tokens is None else call.key_tokens
        crossed = any(record.kind == "cross" for record in call.records)
        sites = [
            Site(place, record, *_axes(record, len(call.tokens), len(keys), crossed))
            for place, record in enumerate(call.records)
        ]
        return cls(
            id=id,
            cell=cell,
            execution=execution,
            index=index,
            model=call.model,
            text=call.text,
            queries=call.tokens,
            keys=keys,
            sites=sites,
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
        self, size: int, cancelled: Callable[[], bool] = lambda: False
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
        return thumbnails([site.record for site in self.sites], shape, cancelled)

    def head(self, site: int, head: int) -> NDArray[np.float32]:
        """Exact weights of one head.

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
        for portion, matrix in chunks(record, head):
            result[portion] = matrix.cpu()
        return result.numpy()

    def row(self, site: int, query: int) -> NDArray[np.float32]:
        """Exact weights of one query in all heads of a site.

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
        row = weights(record, slice(0, record.heads), slice(query, query + 1))[:, 0]
        return row.cpu().contiguous().numpy()

    def _record(self, site: int) -> Record:
        if not 0 <= site < len(self.sites):
            raise NoSuchSiteError(site, len(self.sites))
        return self.sites[site].record


def _axes(record: Record, queries: int, keys: int, crossed: bool) -> tuple[Axis, Axis]:
    """Whose tokens stand along a site's axes."""
    if not crossed:
        return _fit(record.queries, {"queries": queries}), _fit(
            record.keys, {"queries": queries, "keys": keys} if queries == keys else {"keys": keys}
        )
    if record.kind == "encoder":
        return _fit(record.queries, {"keys": keys}), _fit(record.keys, {"keys": keys})
    column: Axis = "keys" if record.kind == "cross" else "queries"
    return _fit(record.queries, {"queries": queries}), _fit(
        record.keys, {column: keys if column == "keys" else queries}
    )


def _fit(length: int, lists: dict[Axis, int]) -> Axis:
    return next((axis for axis, own in lists.items() if own == length), "positions")
