"""Payloads: arrays for the views, and the keys by which they are requested.

A payload repeats the fields of its key. Its array is in a binary buffer of the same message.
The method ``trace/KIND`` requests a payload; to add a kind, define its type here and add it to
`Payload` and `PAYLOADS`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, NotRequired, TypedDict


class TraceKey(TypedDict):
    """Identifies a payload of all sites."""

    trace: str
    item: int
    """Batch item."""


class RowKey(TraceKey):
    """Identifies a payload of one query in all heads of a site."""

    site: int
    query: int


class HeadKey(TraceKey):
    """Identifies a payload of one head."""

    site: int
    head: int


class TileKey(HeadKey):
    """Identifies a tile of one head."""

    level: int
    y: int
    x: int


class NeuronKey(HeadKey):
    """Identifies a payload of one query of one head."""

    query: int


class ThumbnailsParams(TraceKey):
    """Parameters of thumbnails.

    Sampled thumbnails are fast and may miss the largest weight of a pixel. If sampling would
    not save time, the thumbnails are exact, and `sampled` of the payload is false.
    """

    size: int
    """Maximum side in pixels."""
    sampled: bool


class PayloadArray(TypedDict):
    """An array in a binary buffer of the message, little-endian and in C order."""

    shape: list[int]
    buffer: int
    """Index into the message's buffers."""


class ThumbnailsPayload(TraceKey, PayloadArray):
    """Max-pooled weights of every head, scaled by 255; NaN is 0.

    The shape is (heads of all sites in order, min(size, most queries of a site), min(size, most
    keys of a site)). In a site of length N and a thumbnail of side S, position i is in pixel
    floor(i * S / N); if N < S, pixel j shows position floor(j * N / S).
    """

    kind: Literal["thumbnails"]
    dtype: Literal["u1"]
    sampled: bool
    """Whether only some of the queries were computed, so that a pixel may miss its largest
    weight."""


class HeadPayload(HeadKey, PayloadArray):
    """The exact weights of one head: (queries, keys)."""

    kind: Literal["head"]
    dtype: Literal["f4"]


class RowPayload(RowKey, PayloadArray):
    """The exact weights of one query in all heads of a site: (heads, keys)."""

    kind: Literal["row"]
    dtype: Literal["f4"]


class TilePayload(TileKey, PayloadArray):
    """A part of a head: 256 × 256 pixels, or fewer at the end of an axis.

    At level L a pixel is the maximum of 2^L × 2^L weights; tile (y, x) begins at query
    256 · 2^L · y and key 256 · 2^L · x. At the last level one pixel covers the whole head.
    Level 0 is exact and has dtype ``f4``. Other levels have dtype ``u1`` and are scaled by 254.
    NaN weights are ignored; a pixel without any other weight is NaN, which is 255 in ``u1``.
    """

    kind: Literal["tile"]
    dtype: Literal["f4", "u1"]


class TopkPayload(HeadKey, PayloadArray):
    """The top-k weights of each query: (queries, 2k + 1).

    A row has the k largest weights in descending order, then their keys, then the sum of the
    remaining weights. A query without keys has NaN weights and the keys -1.
    """

    kind: Literal["topk"]
    dtype: Literal["f4"]


class VectorsPayload(HeadKey, PayloadArray):
    """The key vectors of one head: (keys, width). Refused if only its weights are known."""

    kind: Literal["vectors"]
    dtype: Literal["f4"]
    pairs: NotRequired[list[list[float]]]
    """Pairs of dimensions that a rotary embedding rotates together, as (first, second, period in
    tokens; 0 if unknown). Absent without rotary embedding."""


class NeuronPayload(NeuronKey, PayloadArray):
    """One query of one head by dimensions. Refused if only the weights are known.

    The array has one axis: the query vector (width); the scores (keys) after each step in
    `labels`, -inf if masked; the weights (keys); the score and the weight of the learned sink,
    NaN if the head has none.
    """

    kind: Literal["neuron"]
    dtype: Literal["f4"]
    labels: list[str]
    """Names of the steps from the dot products to the scores."""


class ScoresPayload(TraceKey, PayloadArray):
    """Scores of all heads: (heads of all sites in order, scores in `labels`); NaN if undefined."""

    kind: Literal["scores"]
    dtype: Literal["f4"]
    labels: list[str]
    """Names of the scores."""


Payload = (
    ThumbnailsPayload
    | HeadPayload
    | RowPayload
    | TilePayload
    | TopkPayload
    | VectorsPayload
    | NeuronPayload
    | ScoresPayload
)
"""An array for a view: one of these types, by `kind`."""


class PayloadTypes(NamedTuple):
    """The message types of one kind of payload."""

    key: Any
    params: Any
    payload: Any


PAYLOADS = {
    "thumbnails": PayloadTypes(TraceKey, ThumbnailsParams, ThumbnailsPayload),
    "head": PayloadTypes(HeadKey, HeadKey, HeadPayload),
    "row": PayloadTypes(RowKey, RowKey, RowPayload),
    "tile": PayloadTypes(TileKey, TileKey, TilePayload),
    "topk": PayloadTypes(HeadKey, HeadKey, TopkPayload),
    "vectors": PayloadTypes(HeadKey, HeadKey, VectorsPayload),
    "neuron": PayloadTypes(NeuronKey, NeuronKey, NeuronPayload),
    "scores": PayloadTypes(TraceKey, TraceKey, ScoresPayload),
}
"""The fields that identify a payload, by kind."""
