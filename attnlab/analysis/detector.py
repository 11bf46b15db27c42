"""How far each head's weights lie on a pattern.

After TransformerLens, ``head_detector.py``: a pattern D is a matrix of zeros and ones, and
a head's score is ``sum(a * D) / sum(a)``: 1 where all its weight lies on the pattern.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from attnlab.analysis.axis import axes, own
from attnlab.analysis.rows import portions
from attnlab.traces.cancellation import Cancelled, never

if TYPE_CHECKING:
    from attnlab.analysis.axis import Axis
    from attnlab.analysis.scores import Numbers
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

Pattern = Literal["previous", "duplicate", "induction"]
"""The token before; an earlier place of the same token; the place after such a place."""


def detect(
    trace: Trace,
    site: Site,
    pattern: Pattern,
    item: int = 0,
    *,
    exclude_first: bool = False,
    exclude_self: bool = False,
    cancelled: Cancelled = never,
) -> Numbers:
    """Score all heads of a site against a pattern.

    Parameters
    ----------
    trace
        The trace, which knows the tokens.
    site
        One of its sites.
    pattern
        What is looked for.
    item
        Which item of the trace's batch.
    exclude_first
        Leave out all weight on the first key, often a sink.
    exclude_self
        Leave out all weight of queries on themselves.
    cancelled
        Asked between portions.

    Returns
    -------
    numpy.ndarray
        Shape (heads,), float64, from 0 to 1; NaN where queries and keys are not one
        sequence, or no weight is left.

    Raises
    ------
    NoSuchItemError
        An IndexError that says what there is.
    CancelledError
        When `cancelled` said so.
    """
    found, total = torch.zeros(2, site.heads, dtype=torch.float64, device="cpu")
    queries, keys = axes(trace, site, item)
    if queries is keys:
        place = own(trace, site, item)
        for heads, part, weights in portions(site.record, place, keys.first + 1, cancelled):
            matrix = weights.cpu().double().nan_to_num(0.0)
            matrix[:, ~queries.counted[part]] = 0.0
            if exclude_first:
                matrix[..., keys.first] = 0.0
            if exclude_self:
                matrix.diagonal(part.start, -2, -1).zero_()
            drawn = _drawn(pattern, keys, part)[:, : matrix.shape[-1]]
            found[heads] += (matrix * drawn).sum((-2, -1))
            total[heads] += matrix.sum((-2, -1))
    result: Numbers = (found / total).numpy()
    return result


def _drawn(pattern: Pattern, axis: Axis, queries: slice) -> torch.Tensor:
    """Draw the rows of a pattern: (queries, positions), bool."""
    if pattern == "previous":
        places = torch.arange(len(axis.ids), device="cpu")
        return places[None] == places[queries, None] - 1
    same = axis.same(queries)
    if pattern == "induction":
        return torch.cat([torch.zeros_like(same[:, :1]), same[:, :-1]], dim=1)
    return same
