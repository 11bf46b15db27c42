"""One-line descriptions of traces."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attnlab.capture.record.memory import readable

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from attnlab.capture.record.sequence import Sequence
    from attnlab.traces.site import Site


def describe(
    model: str, sequences: Several[Sequence], items: int, sites: Several[Site], nbytes: int
) -> str:
    """Describe a trace in one line, without computing weights or certificates."""
    lengths = " and ".join(f"{len(sequence)} {sequence.name}" for sequence in sequences)
    parts = [f"{lengths or 'no tokens'}, {_count(items, 'item')}"]
    parts += [_layers(kind, stack, members) for (kind, stack), members in _stacks(sites).items()]
    methods = Counter(site.method for site in sites)
    parts.append(
        "captured by " + ", ".join(f"{method} ({count})" for method, count in methods.items())
    )
    checked = [site.checked for site in sites if site.checked is not None]
    if checked:
        exact = sum(certificate.exact for certificate in checked)
        parts.append(f"{exact} of {len(checked)} checked sites are exact")
    return f"<Trace of {model}: {'; '.join([*parts, readable(nbytes)])}>"


def layers(sites: Several[Site]) -> str:
    """List the layers of each kind and stack, for error messages."""
    return "; ".join(
        f"{kind} {stack!r} with the layers "
        + ", ".join(dict.fromkeys(str(site.layer) for site in members))
        for (kind, stack), members in _stacks(sites).items()
    )


def _stacks(sites: Several[Site]) -> dict[tuple[str, str], list[Site]]:
    stacks: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        stacks.setdefault((site.kind, site.stack), []).append(site)
    return stacks


def _layers(kind: str, stack: str, sites: list[Site]) -> str:
    """Count layers and heads, e.g. "6 layers × 12 heads (decoder h.#.attn)"."""
    number = len({site.layer for site in sites})
    calls = "" if number == len(sites) else f" in {len(sites)} calls"
    heads = " or ".join(str(count) for count in sorted({site.heads for site in sites}))
    return f"{_count(number, 'layer')} × {heads} heads{calls} ({f'{kind} {stack}'.rstrip()})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
