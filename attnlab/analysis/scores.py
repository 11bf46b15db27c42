"""What each head of a site does, in a few numbers.

Natural logarithms throughout. ``a[i, j]`` is the weight of query i on key j; means are over
the n queries that are no padding and may attend to some key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from attnlab.analysis.axis import axes, own
from attnlab.analysis.rows import Rows
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
    """Scores of all heads of a site, for one item.

    All are float64 of shape (heads,) unless said otherwise. NaN stands where a score is not
    defined: of cross attention, and of a cache's keys, all that compare places (`self_token`,
    `previous_token`, `distance`, `distance_variance`, `induction`, `duplicate`,
    `importance`).

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
        Mean weight of the first token that is no padding.
    distance
        ``sum_ij a[i, j] |i - j| / n``, in tokens (HeadVis).
    distance_variance
        ``sum_ij a[i, j] |i - j|^2 / n - distance^2``, in squared tokens.
    induction
        ``sum a[i, p + 1]`` over earlier positions p that hold the same token as i, over the
        number of queries i that have such a p (Elhage et al. 2021; Olsson et al. 2022,
        arXiv 2209.11895; HeadVis).
    duplicate
        ``sum(a * D) / sum(a)``, where D is 1 at (i, p) for such pairs, else 0
        (TransformerLens, ``head_detector.py``).
    importance
        Shape (heads, keys): ``sum_{i >= j} a[i, j]`` over the number of queries ``i >= j``
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
        The trace, which knows the tokens.
    site
        One of its sites.
    item
        Which item of the trace's batch.
    cancelled
        Asked between portions.

    Raises
    ------
    NoSuchItemError
        An IndexError that says what there is.
    CancelledError
        When `cancelled` said so.
    """
    queries, keys = axes(trace, site, item)
    rows = Rows.read(site.record, own(trace, site, item), queries, keys, cancelled)
    return _scores(rows, queries, keys)


def _scores(rows: Rows, queries: Axis, keys: Axis) -> Scores:
    counted = rows.counted
    placed = counted if queries is keys else torch.zeros_like(counted)
    distance = _mean(rows.distance, placed)
    received = rows.received
    return Scores(
        entropy=_mean(rows.entropy, counted).numpy(),
        confidence=_mean(rows.largest, counted).numpy(),
        self_token=_mean(rows.own, placed).numpy(),
        previous_token=_mean(rows.previous, placed & _preceded(queries)).numpy(),
        first_token=_mean(rows.first, counted).numpy(),
        distance=distance.numpy(),
        distance_variance=(_mean(rows.square, placed) - distance.square()).numpy(),
        induction=_mean(rows.induction, placed & queries.repeats()).numpy(),
        duplicate=((rows.duplicate * placed).sum(-1) / (rows.total * placed).sum(-1)).numpy(),
        importance=(received / _later(placed, received.shape[-1])).numpy(),
    )


def _mean(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Mean over the rows that are chosen, by head; NaN where there is none."""
    return (values * where).sum(-1) / where.sum(-1)


def _preceded(queries: Axis) -> torch.Tensor:
    """Whether the position before each is there and is no padding: shape (queries,), bool."""
    return torch.cat([torch.zeros_like(queries.counted[:1]), queries.counted[:-1]])


def _later(placed: torch.Tensor, keys: int) -> torch.Tensor:
    """How many chosen rows are not before each key: (heads, keys), NaN where none is."""
    if placed.shape[-1] != keys:
        return torch.full((len(placed), keys), torch.nan, dtype=torch.float64, device="cpu")
    later = placed.double().flip(-1).cumsum(-1).flip(-1)
    return later.masked_fill(later == 0, torch.nan)
