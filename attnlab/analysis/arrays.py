"""The weights of a trace as labeled arrays, for xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.analysis.rows import portions
from attnlab.capture.record.memory import allow
from attnlab.traces.batch import corresponding_item
from attnlab.traces.cancellation import never
from attnlab.traces.errors import NoSuchSiteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def arrays(trace: Trace, sites: Iterable[int] | None = None) -> dict[int, xr.DataArray]:
    """Compute the weights of sites as labeled arrays.

    Parameters
    ----------
    trace
        The trace.
    sites
        Indices of sites in call order; all sites by default.

    Returns
    -------
    dict of int to xarray.DataArray
        For each site: float32 with dimensions (item, head, query, key). Coordinates: ``layer``;
        ``query_token`` (item, query) and ``key_token`` (item, key), the tokens as text.
        Attributes: ``kind``, ``stack``, ``method``, ``exact`` (0 or 1).

    Raises
    ------
    ImportError
        If xarray is not installed.
    NoSuchSiteError
        An IndexError that lists what exists.
    MemoryError
        If the arrays together exceed ``ATTNLAB_MEMORY``, or half of the free memory.
    """
    try:
        import xarray  # noqa: F401 - fail before anything is computed
    except ImportError as error:
        raise ImportError("to_xarray() needs xarray: pip install xarray") from error
    wanted = [
        _site(trace, index) for index in (range(len(trace.sites)) if sites is None else sites)
    ]
    size = sum(4 * trace.items * site.heads * site.queries * site.keys for site in wanted)
    allow(size, f"the weights of {len(wanted)} sites", "name fewer, e.g. to_xarray(sites=[0])", 0)
    return {site.index: _array(trace, site) for site in wanted}


def _site(trace: Trace, index: int) -> Site:
    if not 0 <= index < len(trace.sites):
        raise NoSuchSiteError(index, len(trace.sites))
    return trace.sites[index]


def _array(trace: Trace, site: Site) -> xr.DataArray:
    import xarray as xr

    shape = (trace.items, site.heads, site.queries, site.keys)
    numbers = torch.empty(shape, dtype=torch.float32, device="cpu")
    for item in range(trace.items):
        site_item = corresponding_item(item, trace.items, site.items)
        for heads, queries, portion in portions(site.record, site_item, site.keys, never):
            numbers[item, heads, queries] = portion.cpu()
    return xr.DataArray(
        numbers.numpy(),
        dims=("item", "head", "query", "key"),
        coords={
            "layer": site.layer,
            "query_token": (("item", "query"), _texts(trace, site.rows)),
            "key_token": (("item", "key"), _texts(trace, site.columns)),
        },
        name=site.name,
        attrs={
            "kind": site.kind,
            "stack": site.stack,
            "method": site.method,
            "exact": int(site.certificate.exact),
        },
    )


def _texts(trace: Trace, sequence: int) -> list[list[str]]:
    """Texts of the tokens along an axis, for each batch item of the trace."""
    items = trace.sequences[sequence].items
    indices = (corresponding_item(item, trace.items, len(items)) for item in range(trace.items))
    return [[token.text for token in items[index].tokens] for index in indices]
