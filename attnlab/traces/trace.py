"""One recorded model call: its sites, its tokens, and the pictures made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.traces.cancellation import Cancelled, never
from attnlab.traces.description import describe, layers
from attnlab.traces.errors import (
    AmbiguousLayerError,
    NoSuchItemError,
    NoSuchLayerError,
    NoSuchSiteError,
)
from attnlab.traces.site import Site
from attnlab.traces.thumbnails import portions, samples, thumbnails

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.call import Call
    from attnlab.capture.records import Kind, Record
    from attnlab.capture.sequence import Sequence
    from attnlab.traces.pooling import Pooling


@dataclass(eq=False, repr=False)
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
    tried
        Whether its text was only tried, and is not the cell's.
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
    tried: bool = False

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
        held = {}
        for site in self.sites:
            for tensor in site.record.tensors:
                # A part of a tensor holds the whole.
                storage = tensor.untyped_storage()
                held[tensor.device, storage.data_ptr()] = storage.nbytes()
        return sum(held.values())

    def __repr__(self) -> str:
        return describe(self)

    def site(self, layer: int, kind: Kind | None = None, stack: str | None = None) -> Site:
        """Find the attention call of a layer.

        Parameters
        ----------
        layer
            The model's own number of the layer.
        kind
            ``encoder``, ``decoder`` or ``cross``; needed where the layer has several.
        stack
            Path of the stack of layers, e.g. ``vision.layers.#.attn``; needed where the
            model has several with such a layer.

        Raises
        ------
        NoSuchLayerError
            An IndexError that says what there is.
        AmbiguousLayerError
            A LookupError that lists what to choose from.
        """
        found = [
            site
            for site in self.sites
            if site.layer == layer and kind in (None, site.kind) and stack in (None, site.stack)
        ]
        if not found:
            raise NoSuchLayerError(layer, kind, stack, layers(self))
        if len(found) > 1:
            raise AmbiguousLayerError(layer, found)
        return found[0]

    def at(self, site: int, item: int = 0) -> tuple[Site, int]:
        """Find a site by its index, and its own item for one of the trace's batch.

        Raises
        ------
        NoSuchSiteError, NoSuchItemError
            Both are IndexErrors and say what there is.
        """
        own = self._site(site)
        return own, self._item(own, item)

    def weights(
        self,
        layer: int,
        head: int,
        kind: Kind | None = None,
        item: int = 0,
        stack: str | None = None,
    ) -> NDArray[np.float32]:
        """Exact weights of one head of a layer, for an item of the trace's batch.

        Parameters
        ----------
        layer, kind, stack
            Which attention call, as `site` finds it.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries without any key.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors and say what there is.
        AmbiguousLayerError
            A LookupError that lists what to choose from.
        """
        site = self.site(layer, kind, stack)
        return site.weights(head, self._item(site, item))

    def samples(self, size: int) -> bool:
        """Whether sampled thumbnails of this size would differ from the exact ones.

        Those of short texts are computed exactly at once.
        """
        return samples(self._records, size)

    def portions(self, size: int, *, sampled: bool = False) -> int:
        """How often `thumbnails` asks whether it is cancelled."""
        return portions(self._records, size, sampled)

    def thumbnails(
        self,
        size: int,
        cancelled: Cancelled = never,
        item: int = 0,
        *,
        sampled: bool = False,
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
        item
            Which item of the trace's batch.
        sampled
            Whether a few queries of each row of pixels will do where that saves time, as
            `samples` tells. No pixel is more than the exact one then, but for rounding.

        Returns
        -------
        numpy.ndarray
            Shape (heads of all sites, rows, columns), u8; 255 is a weight of 1, NaN is 0.

        Raises
        ------
        ValueError
            When `size` is less than 1.
        NoSuchItemError
            An IndexError that says what there is.
        CancelledError
            When `cancelled` said so.
        """
        if size < 1:
            raise ValueError(f"a thumbnail has a side of at least 1 pixel, not {size}")
        items = [self._item(site, item) for site in self.sites]
        return thumbnails(self._records, size, cancelled, items, sampled)

    def head(
        self, site: int, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one head, for an item of the trace's batch.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries without any key.

        Raises
        ------
        NoSuchSiteError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors and say what there is.
        CancelledError
            When `cancelled` said so.
        """
        own, place = self.at(site, item)
        return own.weights(head, place, cancelled)

    def row(
        self, site: int, query: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one query in all heads of a site, for an item of the trace's batch.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN where the query may attend to no key.

        Raises
        ------
        NoSuchSiteError, NoSuchQueryError, NoSuchItemError
            All are IndexErrors and say what there is.
        CancelledError
            When `cancelled` said so.
        """
        own, place = self.at(site, item)
        return own.row(query, place, cancelled)

    def tile(
        self,
        site: int,
        head: int,
        queries: range,
        keys: range,
        shape: tuple[int, int],
        pooling: Pooling = "max",
        item: int = 0,
        cancelled: Cancelled = never,
    ) -> NDArray[np.float32]:
        """Weights of a part of a head at any zoom, for an item of the trace's batch.

        The rest is as in `Site.tile`.
        """
        own, place = self.at(site, item)
        return own.tile(head, queries, keys, shape, pooling, place, cancelled)

    @property
    def _records(self) -> list[Record]:
        return [site.record for site in self.sites]

    def _item(self, site: Site, item: int) -> int:
        """Find the site's item for one of the trace's: the first, where it has several."""
        if not 0 <= item < self.items:
            raise NoSuchItemError(item, self.items)
        return item * site.items // self.items

    def _site(self, index: int) -> Site:
        if not 0 <= index < len(self.sites):
            raise NoSuchSiteError(index, len(self.sites))
        return self.sites[index]
