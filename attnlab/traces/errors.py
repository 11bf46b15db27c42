"""Errors for requests that a trace cannot answer; each message lists what is available."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoSuchSiteError(IndexError):
    """The trace has no site with this index."""

    def __init__(self, site: int, count: int) -> None:
        super().__init__(f"this trace has no site {site}, only sites 0 to {count - 1}")


class NoSuchHeadError(IndexError):
    """The site has no such head."""

    def __init__(self, site: int, head: int, count: int) -> None:
        super().__init__(f"site {site} has no head {head}, only heads 0 to {count - 1}")


class NoSuchQueryError(IndexError):
    """The site has no such query."""

    def __init__(self, site: int, query: int, count: int) -> None:
        super().__init__(f"site {site} has no query {query}, only queries 0 to {count - 1}")


class NoSuchKeyError(IndexError):
    """The site has no such key."""

    def __init__(self, site: int, key: int, count: int) -> None:
        super().__init__(f"site {site} has no key {key}, only keys 0 to {count - 1}")


class NoSuchDimensionError(IndexError):
    """The site's queries and keys have no such dimension, or were not recorded."""

    def __init__(self, site: int, dimension: int, width: int) -> None:
        available = (
            f", only dimensions 0 to {width - 1}" if width else ": only its weights are known"
        )
        super().__init__(f"site {site} has no dimension {dimension}{available}")


class NoSuchPartError(IndexError):
    """The site does not have these queries or keys."""

    def __init__(self, site: int, axis: str, part: object, count: int) -> None:
        super().__init__(
            f"{part} is not a valid part of the {axis} of site {site}: pass a non-empty range "
            f"with step 1 within range(0, {count})"
        )


class NoSuchItemError(IndexError):
    """The batch has no item with this index."""

    def __init__(self, item: int, count: int, where: str = "this trace") -> None:
        super().__init__(f"{where} has no batch item {item}, only items 0 to {count - 1}")


class NoSuchLayerError(IndexError):
    """The trace has no attention call with that layer, kind and stack."""

    def __init__(self, layer: int, kind: str | None, stack: str | None, available: str) -> None:
        requested = [f"layer {layer}"]
        requested += [f"of the kind {kind!r}"] if kind is not None else []
        requested += [f"in the stack {stack!r}"] if stack is not None else []
        super().__init__(f"this trace has no {' '.join(requested)}: it has {available}")


class AmbiguousLayerError(LookupError):
    """The trace has several attention calls with that layer."""

    def __init__(self, layer: int, sites: Sequence[tuple[str, str, int]]) -> None:
        # Each entry is the kind, stack and index of a site.
        super().__init__(f"layer {layer} has {len(sites)} attention calls: {_choice(sites)}")


def _choice(sites: Sequence[tuple[str, str, int]]) -> str:
    """Name the argument that finds each site, or as many of them as possible."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in sites))
    stacks = list(dict.fromkeys(stack for _, stack, _ in sites))
    if len(kinds) > 1 and (len(kinds) == len(sites) or len(kinds) >= len(stacks)):
        return f"choose one of the kinds {_listed(kinds)}, e.g. kind={kinds[0]!r}"
    if len(stacks) > 1:
        return f"choose one of the stacks {_listed(stacks)}, e.g. stack={stacks[0]!r}"
    indexes = [index for _, _, index in sites]
    listed = ", ".join(map(str, indexes))
    return f"they are the sites {listed}, e.g. trace.sites[{indexes[0]}]"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:-1])) + f" and {names[-1]!r}"


class NoPredictionsError(LookupError):
    """The call has no predictions of tokens."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"the recorded call of {model} has no predictions: they need the logits of a language "
            "model for every token of its text (e.g. of an AutoModelForCausalLM without "
            "logits_to_keep), or a call of generate() whose steps were recorded"
        )


class NotSeenError(LookupError):
    """The site has only weights: its queries and keys were not recorded."""

    def __init__(self, site: int, method: str, terms: Sequence[str]) -> None:
        known = f"its weights and the terms {', '.join(terms)}" if terms else "its weights"
        super().__init__(
            f"the queries and keys of site {site} were not recorded (capture method: "
            f"{method}), so its scores cannot be computed step by step; only {known} are known"
        )
