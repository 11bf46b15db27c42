"""Finds the site that a layer or an index names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.traces.description import layers
from attnlab.traces.errors import AmbiguousLayerError, NoSuchLayerError, NoSuchSiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.record.attention_record import Kind
    from attnlab.traces.site import Site


def by_layer(
    sites: Sequence[Site], layer: int, kind: Kind | None = None, stack: str | None = None
) -> Site:
    """Find the only site with a layer, and with a kind and a stack if they are given.

    Raises
    ------
    NoSuchLayerError, AmbiguousLayerError
        The first lists the layers, the second the candidates.
    """
    found = [
        site
        for site in sites
        if site.layer == layer and kind in (None, site.kind) and stack in (None, site.stack)
    ]
    if not found:
        raise NoSuchLayerError(layer, kind, stack, layers(sites))
    if len(found) > 1:
        raise AmbiguousLayerError(layer, [(site.kind, site.stack, site.index) for site in found])
    return found[0]


def by_index(sites: Sequence[Site], index: int) -> Site:
    """Return the site with an index.

    Raises
    ------
    NoSuchSiteError
        An IndexError that states the valid indices.
    """
    if not 0 <= index < len(sites):
        raise NoSuchSiteError(index, len(sites))
    return sites[index]
