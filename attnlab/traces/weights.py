"""The one place that turns queries and keys into attention weights.

For query i and key j of a head::

    s[i, j] = scale * q[i] · k[j]
    s       = softcap * tanh(s / softcap)          where there is a softcap (Gemma 2)
    s       = s + bias[i, j] + mask[i, j]          -inf where the mask forbids
    a[i, j] = exp(s[i, j]) / (sum_j exp(s[i, j]) + exp(sink))

The last term belongs to models with attention sinks (gpt-oss): their rows sum to less
than one. Everything is computed in float32, whatever the model's type. A query that may
attend to no key at all (padding) has no weights: its row is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.records import Record

CHUNK_BYTES = 8 << 20
"""Weights computed at once; a head of 4,096 tokens alone has 64 MiB."""


def weights(record: Record, heads: slice, queries: slice | list[int]) -> torch.Tensor:
    """Exact attention weights of some heads and queries.

    Parameters
    ----------
    record
        The attention call.
    heads
        Which heads; a slice without step.
    queries
        Which queries: a slice without step, or indices.

    Returns
    -------
    torch.Tensor
        Shape (heads, queries, keys), float32, on the record's device; NaN in the rows of
        queries that may attend to no key.
    """
    chosen = range(record.heads)[heads]
    rows = list(range(record.queries)[queries]) if isinstance(queries, slice) else queries
    device = record.query.device
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        group = record.heads // record.groups
        owners = torch.tensor([head // group for head in chosen], device=device)
        query = record.query[heads][:, queries].float()
        scores = query @ record.key[owners].float().transpose(1, 2)
        scores *= record.scale
        if record.softcap is not None:
            scores.div_(record.softcap).tanh_().mul_(record.softcap)
        if record.bias is not None:
            scores += _part(record.bias, heads, queries)
        if record.mask is not None:
            mask = _part(record.mask, heads, queries)
            if mask.is_floating_point():
                scores += mask
                # Half of the type's lowest: masks are made of it, sometimes added up.
                scores.masked_fill_(mask <= torch.finfo(mask.dtype).min / 2, -torch.inf)
            else:
                scores.masked_fill_(~mask.bool(), -torch.inf)
        if record.causal or record.window is not None:
            scores.masked_fill_(_beyond(record, rows, device), -torch.inf)
        if record.sinks is None:
            return torch.softmax(scores, dim=-1)  # a row of -inf gives NaN
        sink = record.sinks[heads].float()[:, None, None].expand(-1, len(rows), 1)
        result = torch.softmax(torch.cat([scores, sink], dim=-1), dim=-1)[..., :-1]
        undefined = (scores == -torch.inf).all(dim=-1, keepdim=True)
        return result.masked_fill(undefined, torch.nan)


def chunks(record: Record, head: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Weights of one head in portions of queries, each of at most `CHUNK_BYTES`.

    Yields
    ------
    tuple of (queries, weights)
        Weights have the shape (queries, keys).
    """
    step = max(1, CHUNK_BYTES // (4 * record.keys))
    for start in range(0, record.queries, step):
        portion = slice(start, min(start + step, record.queries))
        yield portion, weights(record, slice(head, head + 1), portion)[0]


def _part(tensor: torch.Tensor, heads: slice, queries: slice | list[int]) -> torch.Tensor:
    """Cut the part of a mask or bias for some heads and queries; axes of size 1 serve all."""
    if tensor.shape[0] > 1:
        tensor = tensor[heads]
    return tensor[:, queries] if tensor.shape[1] > 1 else tensor


def _beyond(record: Record, rows: list[int], device: torch.device) -> torch.Tensor:
    """Shape (1, rows, keys): True for keys after the query, or before its window."""
    places = torch.tensor(rows, device=device)[:, None] + record.offset
    keys = torch.arange(record.keys, device=device)[None, :]
    beyond = torch.zeros((len(rows), record.keys), dtype=torch.bool, device=device)
    if record.causal:
        beyond |= keys > places
    if record.window is not None:
        beyond |= keys <= places - record.window
    return beyond[None]
