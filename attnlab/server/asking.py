"""What Python may ask a panel to select, checked against the trace that the panel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from attnlab.traces.errors import (
    NoSuchHeadError,
    NoSuchKeyError,
    NoSuchNeuronError,
    NoSuchQueryError,
)

if TYPE_CHECKING:
    from attnlab.server.messages import Selected
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def changed(selected: Selected, part: str, value: Any, trace: Trace) -> Selected:
    """Change one part of a selection, and what else cannot stay as it was.

    Another site keeps of the selection what it has itself. A head that is not drawn with
    others is then drawn alone, and heads without the focused one focus the first of them.

    Parameters
    ----------
    part
        A field of `Selected`.
    value
        Of the field's type.

    Raises
    ------
    NoSuchSiteError, NoSuchItemError, NoSuchHeadError, NoSuchQueryError, NoSuchKeyError,
    NoSuchNeuronError
        All are IndexErrors and say what there is.
    """
    new = cast("Selected", {**selected, part: value})
    site, _ = trace.at(new["site"], new["item"])
    if part == "site":
        _fit(new, site)
    elif part == "head" and value not in new["heads"]:
        new["heads"] = [value]
    elif part == "heads":
        new["heads"] = sorted(set(value))
        if new["head"] not in new["heads"]:
            new["head"] = new["heads"][0]
    _check(new, site)
    return new


def _fit(selected: Selected, site: Site) -> None:
    selected["head"] = min(selected["head"], site.heads - 1)
    heads = [head for head in selected["heads"] if head < site.heads]
    selected["heads"] = heads if selected["head"] in heads else [selected["head"]]
    selected["query"] = _within(selected["query"], site.queries)
    selected["key"] = _within(selected["key"], site.keys)
    selected["neuron"] = _within(selected["neuron"], _width(site))


def _check(selected: Selected, site: Site) -> None:
    for head in [selected["head"], *selected["heads"]]:
        if not 0 <= head < site.heads:
            raise NoSuchHeadError(site.index, head, site.heads)
    query, key, neuron = selected["query"], selected["key"], selected["neuron"]
    if query is not None and not 0 <= query < site.queries:
        raise NoSuchQueryError(site.index, query, site.queries)
    if key is not None and not 0 <= key < site.keys:
        raise NoSuchKeyError(site.index, key, site.keys)
    if neuron is not None and not 0 <= neuron < _width(site):
        raise NoSuchNeuronError(site.index, neuron, _width(site))


def _within(index: int | None, count: int) -> int | None:
    return index if index is not None and index < count else None


def _width(site: Site) -> int:
    return 0 if site.record.query is None else site.record.query.shape[-1]
