"""One attention call of a trace, its place in the model, and what can be read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import torch

from attnlab.traces import edges, neuron, rotation, tiles
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
from attnlab.traces.weights import chunks, room, weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnlab.capture.records import Kind, Record, Tier
    from attnlab.traces.rotary import Pair


@dataclass(eq=False, repr=False)
class Site:
    """One attention call.

    Its weights are computed when they are asked for, on the device where they were
    recorded, and handed out as numpy arrays. `item` counts the call's own items, from 0.
    Whatever the call does not have is an IndexError that says what it has; a `cancelled`
    that says so ends a computation with a CancelledError.

    Attributes
    ----------
    index
        Position among the trace's sites, in call order.
    record
        What the call was given.
    rows, columns
        Indices of the trace's sequences that stand along the queries and the keys.
    """

    index: int
    record: Record
    rows: int
    columns: int
    _kept: tiles.KeptRows = field(default_factory=tiles.KeptRows, init=False)

    def __repr__(self) -> str:
        grouped = "" if self.groups == self.heads else f" in {self.groups} groups"
        items = "" if self.items == 1 else f", {self.items} items"
        checked = self.checked
        verdict = "" if checked is None else ", exact" if checked.exact else ", not certified"
        return (
            f"<Site {self.index}: {self.kind} layer {self.layer}, {self.heads} heads{grouped}, "
            f"{self.queries} × {self.keys}{items}, read by {self.tier}{verdict}>"
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
        """The model's own number of the layer."""
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
        """Number of batch items; a tower may have several for one of the trace's."""
        return self.record.items

    @property
    def stack(self) -> str:
        """Path of the module with the layers' numbers as ``#``: which stack of layers it is in."""
        return self.record.stack

    @property
    def tier(self) -> Tier:
        """How the call was read: ``interface``, ``tap``, ``replayed``, ``output_attentions``."""
        return self.record.tier

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Dimensions of queries and keys that a rotary embedding was seen to turn together."""
        return rotation.pairs(self.record)

    @cached_property
    def certificate(self) -> Certificate:
        """Whether the weights are the model's own, checked when first asked for."""
        return certify(self.record)

    @property
    def checked(self) -> Certificate | None:
        """The certificate where it has been asked for before; computes nothing."""
        return self.__dict__.get("certificate")

    @property
    def portions(self) -> int:
        """How often a read of a whole head asks whether it is cancelled."""
        return -(-self.queries // room(self.keys))

    def weights(
        self, head: int, item: int = 0, cancelled: Cancelled = never
    ) -> NDArray[np.float32]:
        """Exact weights of one head.

        Returns
        -------
        numpy.ndarray
            Shape (queries, keys), float32; NaN in the rows of queries without any key.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        CancelledError
            When `cancelled` said so.
        """
        self._check(item, head=head)
        result = torch.empty((self.queries, self.keys), dtype=torch.float32, device="cpu")
        for portion, matrix in chunks(self.record, head, item, cancelled):
            result[portion] = matrix.cpu()
        return result.numpy()

    def row(self, query: int, item: int = 0, cancelled: Cancelled = never) -> NDArray[np.float32]:
        """Exact weights of one query in all heads.

        Returns
        -------
        numpy.ndarray
            Shape (heads, keys), float32; NaN where the query may attend to no key.

        Raises
        ------
        NoSuchQueryError, NoSuchItemError
            Both are IndexErrors.
        CancelledError
            When `cancelled` said so.
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

        A position that is ``i`` places into a part of length N falls into pixel
        ``i * S // N`` of S; where ``N < S``, pixel ``j`` shows position ``j * N // S``.

        Parameters
        ----------
        queries, keys
            Which part, e.g. ``range(0, 256)``.
        shape
            Rows and columns of the result.
        pooling
            What a pixel shows of its weights: ``max`` or ``mean``. NaN counts for nothing.

        Returns
        -------
        numpy.ndarray
            Shape `shape`, float32; NaN where all that a pixel shows is NaN.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError, NoSuchPartError
            All are IndexErrors.
        ValueError
            When `shape` has no pixel, or `pooling` is neither.
        CancelledError
            When `cancelled` said so.
        """
        self._check(item, head=head)
        self._check_part(queries, keys)
        if min(shape) < 1:
            raise ValueError(f"a tile has at least 1 × 1 pixels, not {shape[0]} × {shape[1]}")
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling is 'max' or 'mean', not {pooling!r}")
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

        The blocks begin at the part's first query and key, and those at its ends may have
        fewer weights: parts that begin at multiples of `side` fit together without a seam.

        Returns
        -------
        numpy.ndarray
            Float32, a number a block; NaN where all its weights are NaN.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError, NoSuchPartError
            All are IndexErrors.
        ValueError
            When `side` is less than 1.
        CancelledError
            When `cancelled` said so.
        """
        self._check(item, head=head)
        self._check_part(queries, keys)
        if side < 1:
            raise ValueError(f"a block has at least 1 × 1 weights, not {side} × {side}")
        pool = Pool(blocks(len(queries), side), blocks(len(keys), side))
        return self._pooled(head, queries, keys, pool, item, cancelled)

    def topk(
        self,
        k: int,
        by: Literal["query", "key"] = "query",
        *,
        head: int,
        item: int = 0,
        cancelled: Cancelled = never,
    ) -> edges.Edges:
        """Heaviest keys of each query, or heaviest queries of each key.

        Parameters
        ----------
        k
            How many, at least 1; cut to as many as there are.
        by
            ``query`` or ``key``.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        ValueError
            When `k` is less than 1, or `by` is neither.
        CancelledError
            When `cancelled` said so.
        """
        self._check(item, head=head)
        if k < 1:
            raise ValueError(f"topk gives at least 1 edge, not {k}")
        if by not in ("query", "key"):
            raise ValueError(f"edges are given by 'query' or by 'key', not by {by!r}")
        find = edges.by_query if by == "query" else edges.by_key
        return find(self.record, head, k, item, cancelled)

    def vectors(self, head: int, item: int = 0) -> NDArray[np.float32]:
        """Vectors of the keys that a head reads, as its scores use them, e.g. rotated.

        Returns
        -------
        numpy.ndarray
            Shape (keys, width), float32.

        Raises
        ------
        NoSuchHeadError, NoSuchItemError
            Both are IndexErrors.
        NotSeenError
            When the call's queries and keys were not seen, but only its weights.
        """
        self._check(item, head=head)
        self._check_seen()
        return neuron.vectors(self.record, head, item)

    def neuron(self, query: int, head: int, item: int = 0) -> neuron.Neuron:
        """How one query's weights in one head come about, from its vectors on.

        Raises
        ------
        NoSuchQueryError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors.
        NotSeenError
            When the call's queries and keys were not seen, but only its weights.
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
        pixels = tiles.tile(self.record, self._kept, head, queries, keys, pool, item, cancelled)
        return pixels.cpu().numpy()

    def _check_seen(self) -> None:
        if self.record.query is None:
            raise NotSeenError(self.index, self.tier, list(map(neuron.label, self.record.terms)))

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
