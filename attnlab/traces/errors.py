"""What can be asked of a trace that it does not have; each says what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.traces.site import Site


class NoSuchSiteError(IndexError):
    """The trace has no such attention call."""

    def __init__(self, site: int, count: int) -> None:
        super().__init__(f"site {site} is not in this trace: it has the sites 0 to {count - 1}")


class NoSuchHeadError(IndexError):
    """The site has no such head."""

    def __init__(self, site: int, head: int, count: int) -> None:
        super().__init__(f"head {head} is not in site {site}: it has the heads 0 to {count - 1}")


class NoSuchQueryError(IndexError):
    """The site has no such query."""

    def __init__(self, site: int, query: int, count: int) -> None:
        super().__init__(
            f"query {query} is not in site {site}: it has the queries 0 to {count - 1}"
        )


class NoSuchKeyError(IndexError):
    """The site has no such key."""

    def __init__(self, site: int, key: int, count: int) -> None:
        super().__init__(f"key {key} is not in site {site}: it has the keys 0 to {count - 1}")


class NoSuchNeuronError(IndexError):
    """The site's queries and keys have no such dimension, or were not seen."""

    def __init__(self, site: int, neuron: int, width: int) -> None:
        has = f"it has the neurons 0 to {width - 1}" if width else "only its weights are known"
        super().__init__(f"neuron {neuron} is not in site {site}: {has}")


class NoSuchPartError(IndexError):
    """The site has no such part of its queries or keys."""

    def __init__(self, site: int, axis: str, part: object, count: int) -> None:
        super().__init__(
            f"{part} is no part of the {axis} of site {site}: give a range without step, "
            f"of at least one and within range(0, {count})"
        )


class NoSuchItemError(IndexError):
    """The batch has no such item."""

    def __init__(self, item: int, count: int, where: str = "this trace") -> None:
        super().__init__(f"item {item} is not in {where}: it holds the items 0 to {count - 1}")


class NoSuchLayerError(IndexError):
    """The trace has no attention call with that layer, kind and stack."""

    def __init__(self, layer: int, kind: str | None, stack: str | None, has: str) -> None:
        named = [f"of the kind {kind!r}"] if kind is not None else []
        named += [f"in the stack {stack!r}"] if stack is not None else []
        asked = " ".join([f"layer {layer}", *named])
        super().__init__(f"{asked} is not in this trace: it has {has}")


class AmbiguousLayerError(LookupError):
    """The trace has several attention calls with that layer."""

    def __init__(self, layer: int, sites: Sequence[Site]) -> None:
        super().__init__(f"layer {layer} has {len(sites)} attention calls: {_choice(sites)}")


def _choice(sites: Sequence[Site]) -> str:
    kinds = list(dict.fromkeys(site.kind for site in sites))
    if len(kinds) > 1:
        return f"name one of their kinds {_listed(kinds)}, e.g. kind={kinds[0]!r}"
    stacks = list(dict.fromkeys(site.stack for site in sites))
    if len(stacks) > 1:
        return f"name one of their stacks {_listed(stacks)}, e.g. stack={stacks[0]!r}"
    places = ", ".join(str(site.index) for site in sites)
    return f"they are the sites {places}, e.g. trace.sites[{sites[0].index}]"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:-1])) + f" and {names[-1]!r}"


class NotSeenError(LookupError):
    """The site keeps its weights alone: its queries and keys were not seen."""

    def __init__(self, site: int, tier: str, terms: Sequence[str]) -> None:
        known = f"the terms {', '.join(terms)}" if terms else "no terms"
        super().__init__(
            f"the queries and keys of site {site} were not seen (it was read by {tier!r}), so "
            f"its scores cannot be taken apart: it has its weights, and {known} are known"
        )
