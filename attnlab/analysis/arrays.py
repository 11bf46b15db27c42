"""The weights of a trace as labelled arrays, for xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from attnlab.analysis.axis import own
from attnlab.analysis.rows import portions
from attnlab.capture.memory import VARIABLE, budget, readable
from attnlab.traces.cancellation import never
from attnlab.traces.errors import NoSuchSiteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def arrays(trace: Trace, sites: Iterable[int] | None = None) -> dict[int, xr.DataArray]:
    """Compute the weights of sites as labelled arrays.

    Parameters
    ----------
    trace
        The trace.
    sites
        Indices of sites in call order; all where none are named.

    Returns
    -------
    dict of int to xarray.DataArray
        By site: float32 of dimensions (item, head, query, key). Coordinates: ``layer``;
        ``query_token`` (item, query) and ``key_token`` (item, key), the tokens as text.
        Attributes: ``kind``, ``stack``, ``tier``, ``exact`` (0 or 1).

    Raises
    ------
    ImportError
        Where xarray is not installed.
    NoSuchSiteError
        An IndexError that says what there is.
    MemoryError
        Where the arrays together exceed the budget of memory, ``ATTNLAB_MEMORY``.
    """
    try:
        import xarray  # noqa: F401 - said before anything is computed
    except ImportError as error:
        raise ImportError("to_xarray() needs xarray: pip install xarray") from error
    wanted = [
        _site(trace, index) for index in (range(len(trace.sites)) if sites is None else sites)
    ]
    size = sum(4 * trace.items * site.heads * site.queries * site.keys for site in wanted)
    if size > budget():
        raise MemoryError(
            f"the weights of {len(wanted)} sites take {readable(size)}, above the budget of "
            f"{readable(budget())}: name fewer sites, e.g. to_xarray(sites=[0]), or set "
            f"{VARIABLE} higher"
        )
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
        for heads, queries, portion in portions(
            site.record, own(trace, site, item), site.keys, never
        ):
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
            "tier": site.tier,
            "exact": int(site.certificate.exact),
        },
    )


def _texts(trace: Trace, sequence: int) -> list[list[str]]:
    """Texts of an axis's tokens, by item of the trace's batch."""
    items = trace.sequences[sequence].items
    texts = (items[item * len(items) // trace.items] for item in range(trace.items))
    return [[token.text for token in text.tokens] for text in texts]
