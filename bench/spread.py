"""Formats times as their median and 95th percentile."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles


def spread(times: Sequence[float], digits: int = 0) -> str:
    """Format at least two times in milliseconds."""
    high = quantiles(times, n=20)[-1]
    return f"{median(times):.{digits}f} / {high:.{digits}f} ms"
