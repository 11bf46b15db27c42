"""The heads of a trace as a table: one line each, with its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.analysis.scores import scores
from attnlab.traces.cancellation import Cancelled, never

if TYPE_CHECKING:
    import pandas as pd

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
        Which item of its batch.
    cancelled
        Asked between portions.

    Returns
    -------
    pandas.DataFrame
        One line a head, in call order. Columns: ``site``, ``stack``, ``kind``, ``layer``,
        ``head``, ``group``, ``tier``, ``exact``, and the scores.

    Raises
    ------
    ImportError
        Where pandas is not installed.
    NoSuchItemError
        An IndexError that says what there is.
    CancelledError
        When `cancelled` said so.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("heads() makes a pandas table: pip install 'pandas>=2'") from error
    lines: list[dict[str, Any]] = []
    for site in trace.sites:
        own = scores(trace, site, item, cancelled)
        exact = site.certificate.exact
        lines += [
            {
                "site": site.index,
                "stack": site.stack,
                "kind": site.kind,
                "layer": site.layer,
                "head": head,
                "group": head // (site.heads // site.groups),
                "tier": site.tier,
                "exact": exact,
                **{name: getattr(own, name)[head] for name in COLUMNS},
            }
            for head in range(site.heads)
        ]
    return pd.DataFrame(lines)
