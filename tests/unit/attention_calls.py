"""Random attention calls, and their results computed plainly in double precision.

The computation shares no code with attnlab: it applies the definitions of the terms in NumPy, to
one whole matrix at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.terms import Bias, Causal, Fill, Floor, Mask, Scale, Softcap, Window
from attnlab.traces.site import Site
from attnlab.traces.trace import Trace

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def double(tensor):
    return tensor.to(torch.float64).numpy()


def expected_scores(record, item):
    """Return the scores after each step, (heads, queries, keys) each, in double precision."""
    shape = (record.heads, record.queries, record.keys)
    q, k = double(record.query.float())[item], double(record.key.float())[item]
    k = np.stack([k[h // (record.heads // record.groups)] for h in range(record.heads)])
    with np.errstate(all="ignore"):
        scores = np.stack([a @ b.T for a, b in zip(q, k, strict=True)])
        steps = [scores]
        i, j = np.indices(shape[1:])
        for term in record.terms:
            name = type(term).__name__
            held = {"Bias": "tensor", "Mask": "tensor", "Fill": "where", "Scale": "factor"}.get(
                name
            )
            held = None if held is None else getattr(term, held)
            if isinstance(held, torch.Tensor):
                lowest = torch.finfo(held.dtype).min / 2 if held.is_floating_point() else None
                full = np.broadcast_to(double(held)[item % held.shape[0]], shape)
            if name == "Scale":
                scores = scores * (full if isinstance(held, torch.Tensor) else held)
            elif name == "Softcap":
                scores = term.limit * np.tanh(scores / term.limit)
            elif name == "Bias":
                scores = scores + full
            elif name == "Mask" and lowest is None:
                scores = np.where(full != 0, scores, -np.inf)
            elif name == "Mask":
                scores = np.where(full <= lowest, -np.inf, scores + full)
            elif name == "Fill":
                scores = np.where(full != 0, term.score, scores)
            elif name == "Floor":
                scores = np.maximum(scores, term.score)
            elif name == "Causal":
                scores = np.where(j > i + term.offset, -np.inf, scores)
            elif name == "Window":
                scores = np.where(j <= i + term.offset - term.size, -np.inf, scores)
            steps.append(scores)
    return steps


def expected_weights(record, item):
    """Return the weights, (heads, queries, keys), in double precision."""
    if record.weights is not None:
        return double(record.weights)[item]
    scores = expected_scores(record, item)[-1]
    with np.errstate(all="ignore"):
        highest = scores.max(-1, keepdims=True)
        sink = -np.inf if record.sinks is None else double(record.sinks)[:, None, None]
        shift = np.maximum(highest, sink)
        powers = np.exp(scores - shift)
        result = powers / (powers.sum(-1, keepdims=True) + np.exp(sink - shift))
    undefined = ~np.isfinite(highest)
    return np.where(undefined, np.nan, result)


def randoms(draw, *shape, spread=1.0):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.randn(shape, generator=generator) * spread


def places(draw, items, heads, queries, keys):
    """Draw a shape of four axes, each full or 1."""
    return tuple(draw(st.sampled_from([1, n])) for n in (items, heads, queries, keys))


@st.composite
def terms(draw, kind, shape, dtype):
    """Draw a term that fits a call."""
    heads = shape[1]
    offset = draw(st.integers(-2, 4))
    if kind == "scale":
        return Scale(draw(st.floats(0.1, 1.5)))
    if kind == "scales":
        return Scale(randoms(draw, 1, heads, 1, 1).abs().to(dtype) + 0.1)
    if kind == "softcap":
        return Softcap(draw(st.floats(0.5, 5.0)))
    if kind == "bias":
        return Bias(randoms(draw, *places(draw, *shape)).to(dtype))
    if kind == "causal":
        return Causal(offset)
    if kind == "window":
        return Window(draw(st.integers(1, 6)), offset)
    if kind == "floor":
        return Floor(draw(st.floats(-3.0, 0.0)))
    chosen = randoms(draw, *places(draw, *shape)) > draw(st.sampled_from([-0.5, 0.5, 9.0]))
    if kind == "fill":
        return Fill(chosen, draw(st.sampled_from([-np.inf, -4.0, torch.finfo(torch.float64).min])))
    if kind == "mask":
        return Mask(~chosen)
    lowest = draw(st.sampled_from([torch.finfo(dtype).min, -np.inf]))
    return Mask(torch.zeros(chosen.shape, dtype=dtype).masked_fill(chosen, lowest))


KINDS = (
    "scale", "scales", "softcap", "bias", "causal", "window", "floor", "fill", "mask", "added mask",
)  # fmt: skip


@st.composite
def records(draw, seen=None):
    """Draw an attention call of any shape; not `seen`, only its weights are known."""
    items, groups, size = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    queries, keys = draw(st.integers(1, 11)), draw(st.integers(1, 11))
    heads, width = groups * size, draw(st.integers(1, 5))
    dtype = draw(st.sampled_from(DTYPES))
    about: dict[str, Any] = {
        "name": "attention",
        "stack": "#",
        "kind": "encoder",
        "layer": 0,
        "method": "interface",
    }
    if not (draw(st.integers(0, 4)) if seen is None else seen):
        weights = randoms(draw, items, heads, queries, keys).softmax(-1)
        weights[randoms(draw, items, heads, queries) > 1.5] = torch.nan
        return AttentionRecord(**about, weights=weights.to(dtype))
    query, key = (
        randoms(draw, items, heads, queries, width),
        randoms(draw, items, groups, keys, width),
    )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        flat = draw(st.sampled_from([query, key])).view(-1)
        flat[draw(st.integers(0, len(flat) - 1))] = draw(
            st.sampled_from([torch.nan, torch.inf, -torch.inf])
        )
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=5))
    shape = (items, heads, queries, keys)
    sinks = randoms(draw, heads, spread=2.0).to(dtype) if draw(st.booleans()) else None
    return AttentionRecord(
        **about,
        query=query.to(dtype),
        key=key.to(dtype),
        terms=tuple(draw(terms(kind, shape, dtype)) for kind in kinds),
        sinks=sinks,
    )


def site_of(record, index=0):
    return Site(index, record, 0, 0)


def trace_of(*records, items=None, **named):
    """Make a trace of records with unknown tokens."""
    about: dict[str, Any] = {"id": "t", "cell": "c", "execution": 1, "index": 0, "model": "Model"}
    about |= named
    return Trace(
        **about,
        sequences=[],
        sites=[site_of(record, index) for index, record in enumerate(records)],
        items=records[0].items if items is None else items,
        generated=None,
        notes=[],
        milliseconds=1.0,
        tried=False,
        running=False,
        predicted=None,
        steps=(),
    )


def plain(queries=5, keys=None, heads=2, terms=None, items=1, **parts):
    """Make a record of random numbers."""
    keys = queries if keys is None else keys
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(items, heads, length, 4, generator=generator)
        for length in (queries, keys, keys)
    )
    about: dict[str, Any] = {
        "name": "attention",
        "stack": "#",
        "kind": "encoder",
        "layer": 0,
        "method": "interface",
    }
    held = about | {"query": q, "key": k, "value": v} | parts
    return AttentionRecord(**held, terms=(Scale(0.5),) if terms is None else tuple(terms))
