"""A trace in a few words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attnlab.capture.memory import readable

if TYPE_CHECKING:
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace


def describe(trace: Trace) -> str:
    """Tell what a trace holds, in one line; computes no weights and no certificates."""
    lengths = " and ".join(f"{len(own)} {own.name}" for own in trace.sequences)
    told = [f"{lengths or 'no tokens'}, {_count(trace.items, 'item')}"]
    told += [_layers(kind, stack, sites) for (kind, stack), sites in _stacks(trace).items()]
    tiers = Counter(site.tier for site in trace.sites)
    told.append("read by " + ", ".join(f"{tier} ({count})" for tier, count in tiers.items()))
    checked = [site.checked for site in trace.sites if site.checked is not None]
    if checked:
        exact = sum(certificate.exact for certificate in checked)
        told.append(f"{exact} of {len(checked)} checked are exact")
    return f"<Trace of {trace.model}: {'; '.join([*told, readable(trace.nbytes)])}>"


def layers(trace: Trace) -> str:
    """List the layers of each kind and stack."""
    return "; ".join(
        f"{kind} {stack!r} with the layers "
        + ", ".join(dict.fromkeys(str(site.layer) for site in sites))
        for (kind, stack), sites in _stacks(trace).items()
    )


def _stacks(trace: Trace) -> dict[tuple[str, str], list[Site]]:
    stacks: dict[tuple[str, str], list[Site]] = {}
    for site in trace.sites:
        stacks.setdefault((site.kind, site.stack), []).append(site)
    return stacks


def _layers(kind: str, stack: str, sites: list[Site]) -> str:
    """Tell layers and heads, e.g. "6 layers × 12 heads (decoder h.#.attn)"."""
    number = len({site.layer for site in sites})
    calls = "" if number == len(sites) else f" in {len(sites)} calls"
    heads = " or ".join(str(count) for count in sorted({site.heads for site in sites}))
    return f"{_count(number, 'layer')} × {heads} heads{calls} ({f'{kind} {stack}'.rstrip()})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
