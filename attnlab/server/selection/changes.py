"""Changes of a selection, checked against the trace that the panel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from attnlab.traces.errors import (
    NoSuchDimensionError,
    NoSuchHeadError,
    NoSuchKeyError,
    NoSuchQueryError,
)

if TYPE_CHECKING:
    from attnlab.server.messages import SelectionState
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def changed(selection: SelectionState, field: str, value: Any, trace: Trace) -> SelectionState:
    """Return a selection with one field changed, and the fields that depend on it.

    A new site keeps the parts of the selection that exist there. A new head outside `heads` is
    drawn alone. If new `heads` do not include the focused head, the first of them is focused.

    Parameters
    ----------
    field
        A field of `SelectionState`.
    value
        A value of the field's type.

    Raises
    ------
    NoSuchSiteError, NoSuchItemError, NoSuchHeadError, NoSuchQueryError, NoSuchKeyError,
    NoSuchDimensionError
        All are IndexErrors that give the valid range.
    """
    new = cast("SelectionState", {**selection, field: value})
    site, _ = trace.at(new["site"], new["item"])
    if field == "site":
        _fit(new, site)
    elif field == "head" and value not in new["heads"]:
        new["heads"] = [value]
    elif field == "heads":
        new["heads"] = sorted(set(value))
        if new["head"] not in new["heads"]:
            new["head"] = new["heads"][0]
    _check(new, site)
    return new


def _fit(selected: SelectionState, site: Site) -> None:
    selected["head"] = min(selected["head"], site.heads - 1)
    heads = [head for head in selected["heads"] if head < site.heads]
    selected["heads"] = heads if selected["head"] in heads else [selected["head"]]
    selected["query"] = _within(selected["query"], site.queries)
    selected["key"] = _within(selected["key"], site.keys)
    selected["dimension"] = _within(selected["dimension"], _width(site))


def _check(selected: SelectionState, site: Site) -> None:
    for head in [selected["head"], *selected["heads"]]:
        if not 0 <= head < site.heads:
            raise NoSuchHeadError(site.index, head, site.heads)
    query, key, dimension = selected["query"], selected["key"], selected["dimension"]
    if query is not None and not 0 <= query < site.queries:
        raise NoSuchQueryError(site.index, query, site.queries)
    if key is not None and not 0 <= key < site.keys:
        raise NoSuchKeyError(site.index, key, site.keys)
    if dimension is not None and not 0 <= dimension < _width(site):
        raise NoSuchDimensionError(site.index, dimension, _width(site))


def _within(index: int | None, count: int) -> int | None:
    return index if index is not None and index < count else None


def _width(site: Site) -> int:
    return 0 if site.record.query is None else site.record.query.shape[-1]
