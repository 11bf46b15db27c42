"""Measures the time of each read of a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch

from attnlab.analysis.scores import scores
from attnlab.capture.watch import observing
from attnlab.traces.site import Site
from attnlab.traces.trace import Trace
from bench.models import BERT, LLAMA, Shape

LENGTHS = (512, 4096)
SHAPES = (LLAMA, BERT)
SECONDS = 2.0
"""Approximate time spent on each read."""
ROUNDS = (3, 21)
SIDE = 256
THUMBNAIL = 32
HEAD = 4


def measure() -> Iterator[str]:
    """Measure all reads at all lengths."""
    yield "Time of one read (median); layer and head in the middle of the model."
    yield ""
    columns = [(shape, tokens) for shape in SHAPES for tokens in LENGTHS]
    names = [f"{shape.name.split(',')[0]}, {tokens:,} tokens" for shape, tokens in columns]
    yield f"| read | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(columns)}"
    table: dict[str, list[str]] = {}
    for shape, tokens in columns:
        trace = record(shape, tokens)
        for name, read in reads(trace).items():
            table.setdefault(name, []).append(timed(read))
        del trace
    for name, cells in table.items():
        yield f"| {name} | {' | '.join(cells)} |"


def record(shape: Shape, tokens: int) -> Trace:
    """Record one model call."""
    outcomes: list[Any] = []
    model = shape.make(None)
    with torch.no_grad(), observing(outcomes.append, {}):
        args, kwargs = shape.inputs(tokens)
        model(*args, **kwargs)
    return Trace.from_call(outcomes[0], id="bench", cell="", execution=0, index=0)


def reads(trace: Trace) -> dict[str, Callable[[], Any]]:
    """All reads, by their description."""
    site = trace.sites[len(trace.sites) // 2]
    length = site.keys
    corner, whole = range(length - SIDE, length), range(length)
    shape = (SIDE, SIDE)

    def fresh() -> Site:
        """Create a site without cached rows."""
        return Site(site.index, site.record, site.rows, site.columns)

    return {
        "a row in all heads of a layer": lambda: site.row(length - 1),
        "a head": lambda: site.weights(HEAD),
        f"a tile, {SIDE}², one weight per pixel": lambda: fresh().tile(HEAD, corner, corner, shape),
        "the same, with cached rows": lambda: site.tile(HEAD, corner, corner, shape),
        f"a tile, {SIDE}², the whole head": lambda: fresh().tile(HEAD, whole, whole, shape),
        "thumbnails of all heads, sampled": lambda: trace.thumbnails(THUMBNAIL, sampled=True),
        "thumbnails of all heads, exact": lambda: trace.thumbnails(THUMBNAIL),
        "the top 8 keys of each query": lambda: site.topk(8, head=HEAD),
        "the top 8 queries of each key": lambda: site.topk(8, "key", head=HEAD),
        "the neuron terms of a query": lambda: site.neuron(length - 1, HEAD),
        "head scores of a layer": lambda: scores(trace, site),
        "the certificate of a layer": lambda: fresh().certificate,
    }


def timed(read: Callable[[], Any]) -> str:
    """Measure a read, and format its median time in milliseconds."""
    spent: list[float] = []
    while len(spent) < ROUNDS[0] or (sum(spent) < SECONDS and len(spent) < ROUNDS[1]):
        began = time.perf_counter()
        read()
        spent.append(time.perf_counter() - began)
    milliseconds = 1000 * median(spent)
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"
