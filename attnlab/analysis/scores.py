"""Scores that characterize the heads of a site.

All logarithms are natural. ``a[i, j]`` is the weight of query i on key j. Means are over the n
queries that are not padding and attend to at least one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from attnlab.analysis.axis import axes
from attnlab.analysis.rows import RowStatistics
from attnlab.traces.batch import corresponding_item
from attnlab.traces.cancellation import Cancelled, never

if TYPE_CHECKING:
    from attnlab.analysis.axis import Axis
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

Numbers = NDArray[np.float64]

SINK = 0.3
"""A head is a sink head when its first key's importance exceeds this (arXiv 2410.10781)."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of all heads of a site, for one batch item.

    All are float64 of shape (heads,) unless noted. NaN means that a score is undefined: scores
    that compare positions (`self_token`, `previous_token`, `distance`, `distance_variance`,
    `induction`, `duplicate`, `importance`) are undefined for cross attention and for keys from
    a cache.

    Attributes
    ----------
    entropy
        Mean of ``-sum_j a[i, j] ln a[i, j]``, in nats (Clark et al. 2019, arXiv 1906.04341).
    confidence
        Mean of the largest weight of a row (Clark et al. 2019).
    self_token
        Mean of ``a[i, i]`` (HeadVis).
    previous_token
        Mean of ``a[i, i - 1]`` over the n - 1 queries that have a previous token (HeadVis).
    first_token
        Mean weight of the first token that is not padding.
    distance
        ``sum_ij a[i, j] |i - j| / n``, in tokens (HeadVis).
    distance_variance
        ``sum_ij a[i, j] |i - j|^2 / n - distance^2``, in squared tokens.
    induction
        ``sum a[i, p + 1]`` over earlier positions p with the same token as i, divided by the
        number of queries i with such a p (Elhage et al. 2021; Olsson et al. 2022,
        arXiv 2209.11895; HeadVis).
    duplicate
        ``sum(a * D) / sum(a)``, where D is 1 at (i, p) for such pairs, else 0
        (TransformerLens, ``head_detector.py``).
    importance
        Shape (heads, keys): ``sum_{i >= j} a[i, j]`` divided by the number of queries ``i >= j``
        (Gu et al. 2024, arXiv 2410.10781).
    """

    entropy: Numbers
    confidence: Numbers
    self_token: Numbers
    previous_token: Numbers
    first_token: Numbers
    distance: Numbers
    distance_variance: Numbers
    induction: Numbers
    duplicate: Numbers
    importance: Numbers

    @property
    def sink(self) -> NDArray[np.bool_]:
        """Whether each head is a sink head: `first_token` above 0.3 (Gu et al. 2024)."""
        return self.first_token > SINK


def scores(trace: Trace, site: Site, item: int = 0, cancelled: Cancelled = never) -> Scores:
    """Score all heads of a site.

    Parameters
    ----------
    trace
        The trace, which contains the tokens.
    site
        One of its sites.
    item
        Batch item of the trace.
    cancelled
        Called between portions.

    Raises
    ------
    NoSuchItemError
        An IndexError that lists what exists.
    CancelledError
        If `cancelled` returned true.
    """
    queries, keys = axes(trace, site, item)
    site_item = corresponding_item(item, trace.items, site.items)
    rows = RowStatistics.read(site.record, site_item, queries, keys, cancelled)
    return _scores(rows, queries, keys)


def _scores(rows: RowStatistics, queries: Axis, keys: Axis) -> Scores:
    counted = rows.counted
    comparable = counted if queries is keys else torch.zeros_like(counted)
    distance = _mean(rows.distance, comparable)
    received = rows.received
    return Scores(
        entropy=_mean(rows.entropy, counted).numpy(),
        confidence=_mean(rows.largest, counted).numpy(),
        self_token=_mean(rows.itself, comparable).numpy(),
        previous_token=_mean(rows.previous, comparable & _preceded(queries)).numpy(),
        first_token=_mean(rows.first, counted).numpy(),
        distance=distance.numpy(),
        distance_variance=(_mean(rows.square, comparable) - distance.square()).numpy(),
        induction=_mean(rows.induction, comparable & queries.repeats()).numpy(),
        duplicate=(
            (rows.duplicate * comparable).sum(-1) / (rows.total * comparable).sum(-1)
        ).numpy(),
        importance=(received / _later(comparable, received.shape[-1])).numpy(),
    )


def _mean(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Mean over the selected rows of each head; NaN if none is selected."""
    return (values * where).sum(-1) / where.sum(-1)


def _preceded(queries: Axis) -> torch.Tensor:
    """Whether each position has a previous one that is not padding: shape (queries,), bool."""
    return torch.cat([torch.zeros_like(queries.counted[:1]), queries.counted[:-1]])


def _later(comparable: torch.Tensor, keys: int) -> torch.Tensor:
    """Count the selected rows at or after each key: (heads, keys); NaN instead of zero."""
    if comparable.shape[-1] != keys:
        return torch.full((len(comparable), keys), torch.nan, dtype=torch.float64, device="cpu")
    later = comparable.double().flip(-1).cumsum(-1).flip(-1)
    return later.masked_fill(later == 0, torch.nan)
