"""One attention call of a trace: its position in the model, and its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import torch

from attnlab.capture.record.memory import allow
from attnlab.traces import neuron, rotary_pairs, tiles, topk
from attnlab.traces.cancellation import Cancelled, never, stop_if
from attnlab.traces.certificate import Certificate, certify
from attnlab.traces.errors import (
    NoSuchHeadError,
    NoSuchItemError,
    NoSuchPartError,
    NoSuchQueryError,
    NotSeenError,
)
from attnlab.traces.pooling import Pool, Pooling, bins, blocks
from attnlab.traces.weights import chunks, neutral_modes, rows_per_chunk, weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.record.attention_record import AttentionRecord, CaptureMethod, Kind
    from attnlab.traces.rotary_detection import Pair


@dataclass(eq=False, repr=False)
class Site:
    """One attention call.

    Weights are computed on request, on the device where the call was recorded, and returned as
    numpy arrays. `item` is an index into the batch of the call, from 0. An invalid index raises
    an IndexError that states the valid ones. If `cancelled` returns true, the computation ends
    with a CancelledError.

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

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        self._check(item, head=head)
        allow(
            4 * self.queries * self.keys,
            f"the weights of a head of {self.queries} × {self.keys}",
            "read parts: row(query), tile(head, queries, keys, shape) or topk(k, head=head)",
        )
        result = torch.empty((self.queries, self.keys), dtype=torch.float32, device="cpu")
        for portion, matrix in chunks(self.record, head, item, cancelled):
            result[portion] = matrix.cpu()
        return result.numpy()

    def received(
        self, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Sum of the weights that each key receives from all queries of a head.

        The full matrix of the head is never in memory.

        Returns
        -------
        numpy.ndarray
            Shape (keys,), float32; weights that are NaN are ignored.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        CancelledError
            If `cancelled` returned true.
        """
        self._check(item, head=head)
        total = torch.zeros(self.keys, dtype=torch.float32, device="cpu")
        for _, matrix in chunks(self.record, head, item, cancelled):
            with neutral_modes(matrix.device):
                total += matrix.nansum(dim=0).cpu()
        return total.numpy()

    def row(self, query: int, item: int = 0, cancelled: Cancelled = never) -> NDArray[np.float32]:
        """Exact weights of one query in all heads.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN if the query attends to no key.

        Raises
        ------
        NoSuchQueryError, NoSuchItemError
            Both are IndexErrors.
        CancelledError
            If `cancelled` returned true.
        """
        self._check(item, query=query)
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
        NoSuchHeadError, NoSuchItemError, NoSuchPartError
            All are IndexErrors.
        ValueError
            If `shape` has no pixels, or `pooling` is invalid.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If the result exceeds ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        self._check(item, head=head)
        self._check_part(queries, keys)
        if min(shape) < 1:
            raise ValueError(f"a tile has at least 1 × 1 pixels, not {shape[0]} × {shape[1]}")
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be 'max' or 'mean', not {pooling!r}")
        allow(4 * shape[0] * shape[1], "tiles of this shape", "ask for smaller ones")
        pool = Pool(bins(len(queries), shape[0]), bins(len(keys), shape[1]), pooling)
        return self._pooled(head, queries, keys, pool, item, cancelled)

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
        NoSuchHeadError, NoSuchItemError, NoSuchPartError
            All are IndexErrors.
        ValueError
            If `side` is less than 1.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If the result exceeds ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        self._check(item, head=head)
        self._check_part(queries, keys)
        if side < 1:
            raise ValueError(f"a block has at least 1 × 1 weights, not {side} × {side}")
        down, across = blocks(len(queries), side), blocks(len(keys), side)
        allow(4 * len(down) * len(across), "blocks of this side", "ask for a part, or larger ones")
        pool = Pool(down, across)
        return self._pooled(head, queries, keys, pool, item, cancelled)

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
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        ValueError
            If `k` is less than 1, or `by` is invalid.
        CancelledError
            If `cancelled` returned true.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        self._check(item, head=head)
        if k < 1:
            raise ValueError(f"topk needs k of at least 1, not {k}")
        if by not in ("query", "key"):
            raise ValueError(f"by must be 'query' or 'key', not {by!r}")
        length, most = (self.queries, self.keys) if by == "query" else (self.keys, self.queries)
        allow(12 * length * min(k, most), f"the largest weights ({k} each)", "ask for fewer")
        find = topk.by_query if by == "query" else topk.by_key
        return find(self.record, head, k, item, cancelled)

    def vectors(self, head: int, item: int = 0) -> NDArray[np.float32]:
        """Key vectors that a head reads, in the form that the scores use, e.g. rotated.

        Returns
        -------
        numpy.ndarray
            Shape (keys, width), float32.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._check(item, head=head)
        self._check_seen()
        return neuron.vectors(self.record, head, item)

    def neuron(self, query: int, head: int, item: int = 0) -> neuron.Neuron:
        """Compute the weights of one query in one head step by step, from its vectors.

        Raises
        ------
        NoSuchQueryError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors.
        NotSeenError
            If only the weights of the call were recorded, not its queries and keys.
        """
        self._check(item, head=head, query=query)
        self._check_seen()
        return neuron.neuron(self.record, query, head, item)

    def _pooled(
        self,
        head: int,
        queries: range,
        keys: range,
        pool: Pool,
        item: int,
        cancelled: Cancelled,
    ) -> NDArray[np.float32]:
        pixels = tiles.tile(self.record, self._divisors, head, queries, keys, pool, item, cancelled)
        return pixels.cpu().numpy()

    def _check_seen(self) -> None:
        if self.record.query is None:
            raise NotSeenError(self.index, self.method, list(map(neuron.label, self.record.terms)))

    def _check_part(self, queries: range, keys: range) -> None:
        for axis, part, count in (("queries", queries, self.queries), ("keys", keys, self.keys)):
            if part.step != 1 or not 0 <= part.start < part.stop <= count:
                raise NoSuchPartError(self.index, axis, part, count)

    def _check(self, item: int, head: int = 0, query: int = 0) -> None:
        if not 0 <= item < self.items:
            raise NoSuchItemError(item, self.items, f"site {self.index}")
        if not 0 <= head < self.heads:
            raise NoSuchHeadError(self.index, head, self.heads)
        if not 0 <= query < self.queries:
            raise NoSuchQueryError(self.index, query, self.queries)
