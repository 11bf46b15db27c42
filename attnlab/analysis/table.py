"""The heads of a trace as a table: one row per head, with its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnlab.analysis import rows
from attnlab.analysis.scores import Scores, scores
from attnlab.traces.cancellation import Cancelled, never

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnlab.traces.trace import Trace

COLUMNS = (
    "entropy",
    "confidence",
    "self_token",
    "previous_token",
    "first_token",
    "sink",
    "distance",
    "distance_variance",
    "induction",
    "duplicate",
)
"""The scores in the table, each a field of `attnlab.analysis.scores.Scores`."""


def heads(trace: Trace, item: int = 0, cancelled: Cancelled = never) -> pd.DataFrame:
    """List all heads of a trace with their scores.

    Parameters
    ----------
    trace
        The trace.
    item
        Batch item of the trace.
    cancelled
        Called between portions.

    Returns
    -------
    pandas.DataFrame
        One row per head, in call order. Columns: ``site``, ``stack``, ``kind``, ``layer``,
        ``head``, ``group``, ``method``, ``exact``, and the scores.

    Raises
    ------
    ImportError
        If pandas is not installed.
    NoSuchItemError
        An IndexError that lists what exists.
    CancelledError
        If `cancelled` returned true.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("heads() makes a pandas table: pip install 'pandas>=2'") from error
    lines: list[dict[str, Any]] = []
    for site in trace.sites:
        found = scores(trace, site, item, cancelled)
        exact = site.certificate.exact
        lines += [
            {
                "site": site.index,
                "stack": site.stack,
                "kind": site.kind,
                "layer": site.layer,
                "head": head,
                "group": head // (site.heads // site.groups),
                "method": site.method,
                "exact": exact,
                **{name: getattr(found, name)[head] for name in COLUMNS},
            }
            for head in range(site.heads)
        ]
    return pd.DataFrame(lines)


def numbers(trace: Trace, item: int = 0, cancelled: Cancelled = never) -> NDArray[np.float32]:
    """Score all heads of a trace, as one array.

    Returns
    -------
    numpy.ndarray
        Shape (heads of all sites in order, `COLUMNS`), float32; `sink` is 0 or 1. NaN where
        a score is undefined.

    Raises
    ------
    NoSuchItemError
        An IndexError that lists what exists.
    CancelledError
        If `cancelled` returned true; it is called `portions` times.
    """
    columns = [_columns(scores(trace, site, item, cancelled)) for site in trace.sites]
    return np.concatenate(columns).astype(np.float32)


def portions(trace: Trace) -> int:
    """How often `cancelled` is called while all heads are scored."""
    return sum(rows.count(site.record) for site in trace.sites)


def _columns(found: Scores) -> NDArray[np.float64]:
    known = {name: getattr(found, name) for name in COLUMNS}
    # A comparison with NaN is false, which would mean that the head is not a sink head.
    known["sink"] = np.where(np.isnan(found.first_token), np.nan, found.sink)
    return np.stack([known[name] for name in COLUMNS], axis=1)
