"""One recorded model call: its sites, its tokens, and images of its heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from attnlab.capture.record.attention_record import nbytes
from attnlab.traces.batch import corresponding_item
from attnlab.traces.cancellation import Cancelled, never
from attnlab.traces.description import describe
from attnlab.traces.errors import NoSuchItemError
from attnlab.traces.site import Site
from attnlab.traces.site_lookup import by_index, by_layer
from attnlab.traces.thumbnails import portions, samples, shape, thumbnails

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord, Kind
    from attnlab.capture.record.predictions import Predictions
    from attnlab.capture.record.recorded_call import GenerationStep, RecordedCall
    from attnlab.capture.record.sequence import Sequence
    from attnlab.traces.pooling import Pooling


@dataclass(eq=False, repr=False)
class Trace:
    """The recording of one model call in one run of a cell.

    Attributes
    ----------
    id
        Unique identifier in the kernel.
    cell
        Id of the cell that ran; empty if the host has no cell ids.
    execution
        The cell's execution count.
    index
        Index of the model call in the cell's run, from 0.
    sequences
        Sequences along the queries and keys of the sites, the main sequence first.
    items
        Number of batch items that were recorded.
    generated
        Index of the first generated token in the main sequence; None without generated tokens.
    tried
        Whether this is a trace of a trial text, not of the text of the cell.
    running
        Whether it is of a ``generate`` that was still running.
    predicted
        What the model predicted for the tokens of the main sequence; None if it is not a language
        model.
    steps
        The forward passes of ``generate``, in order, each with its tokens (``start``, ``stop``)
        and, by returned text, the row of the batch that computed them (``rows``), the row that this
        one continues (``parents``) and the score so far (``scores``), see `GenerationStep`; empty
        for a single pass.
    """

    # No field has a default: a `Block` would find it instead of the value of its newest trace.
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
    tried: bool
    running: bool
    predicted: Predictions | None
    steps: tuple[GenerationStep, ...]

    @classmethod
    def from_call(cls, call: RecordedCall, id: str, cell: str, execution: int, index: int) -> Self:  # noqa: A002
        """Create a trace of a recorded call, without computing anything yet."""
        sites = [
            Site(index, record, *axes)
            for index, (record, axes) in enumerate(zip(call.records, call.axes, strict=True))
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
            tried=False,
            running=call.running,
            predicted=call.predictions,
            steps=call.steps,
        )

    @property
    def nbytes(self) -> int:
        """Memory of records and predictions, in bytes; shared tensors of records count once."""
        predicted = () if self.predicted is None else self.predicted.tensors
        return nbytes(self._records) + sum(tensor.nbytes for tensor in predicted)

    def __repr__(self) -> str:
        return describe(self.model, self.sequences, self.items, self.sites, self.nbytes)

    def site(self, layer: int, kind: Kind | None = None, stack: str | None = None) -> Site:
        """Find the attention call of a layer.

        Parameters
        ----------
        layer
            Number of the layer in the model.
        kind
            ``encoder``, ``decoder`` or ``cross``; required if the layer has several.
        stack
            Path of the stack of layers, e.g. ``vision.layers.#.attn``; required if several
            stacks have such a layer.

        Raises
        ------
        NoSuchLayerError
            An IndexError that lists the layers.
        AmbiguousLayerError
            A LookupError that lists the candidates.
        """
        return by_layer(self.sites, layer, kind, stack)

    def at(self, site: int, item: int = 0) -> tuple[Site, int]:
        """Find a site by its index, and its batch item for a batch item of the trace.

        Raises
        ------
        NoSuchSiteError, NoSuchItemError
            Both are IndexErrors that state the valid indices.
        """
        found = by_index(self.sites, site)
        return found, self._item(found, item)

    def weights(
        self,
        layer: int,
        head: int,
        kind: Kind | None = None,
        item: int = 0,
        stack: str | None = None,
    ) -> NDArray[np.float32]:
        """Exact weights of one head of a layer, for one batch item of the trace.

        Parameters
        ----------
        layer, kind, stack
            The attention call, as in `site`.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries that attend to no key.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors that state the valid values.
        AmbiguousLayerError
            A LookupError that lists the candidates.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        site = self.site(layer, kind, stack)
        return site.weights(head, self._item(site, item))

    def samples(self, size: int) -> bool:
        """Whether sampled thumbnails of this size may differ from the exact ones.

        They are always exact for short texts.
        """
        return samples(self._records, size)

    def portions(self, size: int, *, sampled: bool = False) -> int:
        """Return the number of calls of `cancelled` by `thumbnails`."""
        return portions(self._records, size, sampled)

    def thumbnail_shape(self, size: int) -> tuple[int, int, int]:
        """Shape of `thumbnails`: heads of all sites, rows, columns."""
        return sum(site.heads for site in self.sites), *shape(self._records, size)

    def thumbnails(
        self,
        size: int,
        cancelled: Cancelled = never,
        item: int = 0,
        *,
        sampled: bool = False,
    ) -> NDArray[np.uint8]:
        """Max-pooled images of all heads of all sites, in order.

        All images have the same shape, ``(min(size, most queries), min(size, most keys))``
        over the sites. For a site of length N and an image of side S, position ``i`` belongs
        to pixel ``i * S // N``. If ``N < S`` (sites of different lengths), pixel ``j`` shows
        position ``j * N // S``.

        Parameters
        ----------
        size
            Largest side in pixels, at least 1.
        cancelled
            Called between portions.
        item
            Batch item of the trace.
        sampled
            Whether to read only a few queries of each row of pixels if that saves time (see
            `samples`). Up to rounding, no pixel is then larger than the exact one.

        Returns
        -------
        numpy.ndarray
            Shape (heads of all sites, rows, columns), u8; 255 is a weight of 1, NaN is 0.

        Raises
        ------
        ValueError
            If `size` is less than 1.
        NoSuchItemError
            An IndexError that states the valid indices.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        items = [self._item(site, item) for site in self.sites]
        return thumbnails(self._records, size, cancelled, items, sampled)

    def head(
        self, site: int, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one head, for one batch item of the trace.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries that attend to no key.

        Raises
        ------
        NoSuchSiteError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors that state the valid values.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        found, site_item = self.at(site, item)
        return found.weights(head, site_item, cancelled)

    def row(
        self, site: int, query: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one query in all heads of a site, for one batch item of the trace.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN if the query attends to no key.

        Raises
        ------
        NoSuchSiteError, NoSuchQueryError, NoSuchItemError
            All are IndexErrors that state the valid values.
        CancelledError
            If `cancelled` returned true.
        """
        found, site_item = self.at(site, item)
        return found.row(query, site_item, cancelled)

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
        """Weights of a part of a head at any zoom, for one batch item of the trace.

        Parameters, result and errors are those of `Site.tile`.
        """
        found, site_item = self.at(site, item)
        return found.tile(head, queries, keys, shape, pooling, site_item, cancelled)

    @property
    def _records(self) -> list[AttentionRecord]:
        return [site.record for site in self.sites]

    def _item(self, site: Site, item: int) -> int:
        """Return the site's item for a batch item of the trace; the first if there are several."""
        if not 0 <= item < self.items:
            raise NoSuchItemError(item, self.items)
        return corresponding_item(item, self.items, site.items)
