"""One attention call of a trace: its position in the model, and its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attnlab.traces import neuron, rotary_pairs, tiles, topk, whole_heads
from attnlab.traces.bounds import Bounds
from attnlab.traces.cancellation import Cancelled, never, stop_if
from attnlab.traces.certificate import Certificate, certify
from attnlab.traces.errors import NotSeenError
from attnlab.traces.pooling import block_pool, tile_pool
from attnlab.traces.weights import rows_per_chunk, weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord, CaptureMethod, Kind
    from attnlab.traces.pooling import Pooling
    from attnlab.traces.rotary_detection import Pair


@dataclass(eq=False, repr=False)
class Site:
    """One attention call.

    Weights are computed on request, on the device where the call was recorded, and returned as
    numpy arrays. `item` is an index into the batch of the call, from 0. Methods raise:

    - NoSuchItemError, NoSuchHeadError, NoSuchQueryError or NoSuchPartError for an invalid index:
      IndexErrors that state the valid ones,
    - CancelledError if `cancelled` returns true,
    - MemoryError if the result exceeds ``ATTNLAB_MEMORY``, or half of the free memory.

    Attributes
    ----------
    index
        Position among the trace's sites, in call order.
    record
        The recorded inputs of the call.
    rows, columns
        Indices of the trace's sequences along the queries and along the keys.
    """

    index: int
    record: AttentionRecord
    rows: int
    columns: int
    _divisors: tiles.DivisorCache = field(default_factory=tiles.DivisorCache, init=False)

    def __repr__(self) -> str:
        grouped = "" if self.groups == self.heads else f" in {self.groups} groups"
        items = "" if self.items == 1 else f", {self.items} items"
        checked = self.checked
        verdict = "" if checked is None else ", exact" if checked.exact else ", unverified"
        return (
            f"<Site {self.index}: {self.kind} layer {self.layer}, {self.heads} heads{grouped}, "
            f"{self.queries} × {self.keys}{items}, captured by {self.method}{verdict}>"
        )

    @property
    def name(self) -> str:
        """Path of the module in the model."""
        return self.record.name

    @property
    def kind(self) -> Kind:
        """``encoder``, ``decoder`` or ``cross``."""
        return self.record.kind

    @property
    def layer(self) -> int:
        """Number of the layer in the model."""
        return self.record.layer

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return self.record.heads

    @property
    def groups(self) -> int:
        """Number of key/value heads."""
        return self.record.groups

    @property
    def queries(self) -> int:
        """Number of query positions."""
        return self.record.queries

    @property
    def keys(self) -> int:
        """Number of key positions."""
        return self.record.keys

    @property
    def items(self) -> int:
        """Number of batch items; a vision tower may have several for each item of the trace."""
        return self.record.items

    @property
    def stack(self) -> str:
        """Path of the module with layer numbers replaced by ``#``; identifies a stack of layers."""
        return self.record.stack

    @property
    def method(self) -> CaptureMethod:
        """Capture method: ``interface``, ``tap``, ``replay`` or ``returned``."""
        return self.record.method

    @property
    def width(self) -> int:
        """Number of dimensions of the queries and keys.

        Raises
        ------
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._check_seen()
        assert self.record.query is not None
        return int(self.record.query.shape[-1])

    @property
    def steps(self) -> list[str]:
        """Names of the steps from a query vector to its weights, as in `neuron`.

        Raises
        ------
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._check_seen()
        return neuron.labels(self.record)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of dimensions that a rotary embedding rotated; empty if none were detected."""
        return rotary_pairs.pairs(self.record)

    @cached_property
    def certificate(self) -> Certificate:
        """Whether the weights match the model's output; computed on first access."""
        return certify(self.record)

    @property
    def checked(self) -> Certificate | None:
        """The certificate; None if it has not been computed yet."""
        return self.__dict__.get("certificate")

    @property
    def portions(self) -> int:
        """Number of calls of `cancelled` when a whole head is read."""
        return -(-self.queries // rows_per_chunk(self.keys))

    def weights(
        self, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one head.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries that attend to no key.
        """
        self._bounds.check(item, head=head)
        return whole_heads.read(self.record, head, item, cancelled)

    def received(
        self, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Sum of the weights that each key receives from all queries of a head.

        The full matrix of the head is never in memory.

        Returns
        -------
        numpy.ndarray
            Shape (keys,), float32; weights that are NaN are ignored.
        """
        self._bounds.check(item, head=head)
        return whole_heads.received(self.record, head, item, cancelled)

    def row(self, query: int, item: int = 0, cancelled: Cancelled = never) -> NDArray[np.float32]:
        """Exact weights of one query in all heads.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN if the query attends to no key.
        """
        self._bounds.check(item, query=query)
        stop_if(cancelled)
        row = weights(self.record, slice(0, self.heads), slice(query, query + 1), item)[:, 0]
        return row.cpu().numpy()

    def tile(
        self,
        head: int,
        queries: range,
        keys: range,
        shape: tuple[int, int],
        pooling: Pooling = "max",
        item: int = 0,
        cancelled: Cancelled = never,
    ) -> NDArray[np.float32]:
        """Weights of a part of a head, at any zoom.

        For N positions along a side of S pixels, position ``i`` belongs to pixel ``i * S // N``.
        If ``N < S``, pixel ``j`` shows position ``j * N // S``.

        Parameters
        ----------
        queries, keys
            The part, e.g. ``range(0, 256)``.
        shape
            Rows and columns of the result.
        pooling
            How the weights of a pixel are combined: ``max`` or ``mean``. NaN is ignored.

        Returns
        -------
        numpy.ndarray
            Shape `shape`, float32; NaN where all weights of a pixel are NaN.

        Raises
        ------
        ValueError
            If `shape` has no pixels, or `pooling` is invalid.
        """
        self._bounds.check(item, head=head)
        self._bounds.check_part(queries, keys)
        pool = tile_pool(queries, keys, shape, pooling)
        return tiles.tile(self.record, self._divisors, head, queries, keys, pool, item, cancelled)

    def blocks(
        self,
        head: int,
        queries: range,
        keys: range,
        side: int,
        item: int = 0,
        cancelled: Cancelled = never,
    ) -> NDArray[np.float32]:
        """Maxima of a part of a head over blocks of `side` × `side` weights.

        The first block starts at the first query and key of the part; the last blocks may be
        smaller. Blocks of parts that start at multiples of `side` therefore line up.

        Returns
        -------
        numpy.ndarray
            Shape (blocks of queries, blocks of keys), float32; NaN where all weights of a
            block are NaN.

        Raises
        ------
        ValueError
            If `side` is less than 1.
        """
        self._bounds.check(item, head=head)
        self._bounds.check_part(queries, keys)
        pool = block_pool(queries, keys, side)
        return tiles.tile(self.record, self._divisors, head, queries, keys, pool, item, cancelled)

    def topk(
        self,
        k: int,
        by: Literal["query", "key"] = "query",
        *,
        head: int,
        item: int = 0,
        cancelled: Cancelled = never,
    ) -> topk.TopWeights:
        """Largest weights of each query, or of each key.

        Parameters
        ----------
        k
            Number of weights, at least 1; reduced to the number of keys or queries if larger.
        by
            ``query`` or ``key``.

        Raises
        ------
        ValueError
            If `k` is less than 1, or `by` is invalid.
        """
        self._bounds.check(item, head=head)
        return topk.largest(self.record, head, k, by, item, cancelled)

    def vectors(self, head: int, item: int = 0) -> NDArray[np.float32]:
        """Key vectors that a head reads, in the form that the scores use, e.g. rotated.

        Returns
        -------
        numpy.ndarray
            Shape (keys, width), float32.

        Raises
        ------
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._bounds.check(item, head=head)
        self._check_seen()
        return neuron.vectors(self.record, head, item)

    def neuron(self, query: int, head: int, item: int = 0) -> neuron.Neuron:
        """Compute the weights of one query in one head step by step, from its vectors.

        Raises
        ------
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._bounds.check(item, head=head, query=query)
        self._check_seen()
        return neuron.neuron(self.record, query, head, item)

    def _check_seen(self) -> None:
        if self.record.query is None:
            raise NotSeenError(self.index, self.method, list(map(neuron.label, self.record.terms)))

    @property
    def _bounds(self) -> Bounds:
        return Bounds(self.index, self.items, self.heads, self.queries, self.keys)
