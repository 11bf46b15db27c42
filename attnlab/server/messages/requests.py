"""What a panel asks of the kernel."""

from __future__ import annotations

from typing import TypedDict

# Not for type checking alone: the annotations are read when a message is checked.
from attnlab.server.messages.pushes import State  # noqa: TC001
from attnlab.server.messages.trace import Focus, Picture, Selected  # noqa: TC001


class InitializeParams(TypedDict):
    """The first request of a client; any other before it is refused."""

    protocol: int
    client: str
    """Name and version of the client's software."""
    capabilities: list[str]


class InitializeResult(TypedDict):
    """What the kernel can do and what it holds."""

    protocol: int
    server: str
    """Name and version of the kernel's software."""
    session: str
    capabilities: list[str]
    """``busy/subshell`` or ``busy/control``: how requests are answered while a cell runs;
    neither where they wait until it ends."""
    missing: list[str]
    """What the kernel's environment lacks, as arguments of ``pip install``."""
    state: State


class SubscribeParams(TypedDict):
    """What a panel shows; a push brings just that. Replaces the panel's last subscription."""

    panel: str
    size: int
    """Side of a thumbnail, in pixels; 0 for none."""
    item: int
    """Which item of a batch; the first of one that has fewer."""
    focus: Focus | None
    heads: list[int]
    """Heads of the focused site that are drawn together."""
    query: int | None
    neuron: bool
    """Whether the query is shown taken apart."""
    pinned: str | None
    """The trace that the panel keeps to; the kernel drops others before it."""


class UnsubscribeParams(TypedDict):
    """The panel is gone."""

    panel: str


class ItemParams(TypedDict):
    """Asks for the sequences of one item of a trace's batch."""

    trace: str
    item: int


class ThumbnailsParams(TypedDict):
    """Asks for max-pooled pictures of every head.

    Sampled ones come soon and may lack a pixel's largest weight; where sampling would save
    nothing they are exact, and the picture says so.
    """

    trace: str
    item: int
    size: int
    sampled: bool


class HeadParams(TypedDict):
    """Asks for the exact weights of one head."""

    trace: str
    item: int
    site: int
    head: int


class RowParams(TypedDict):
    """Asks for the exact weights of one query in all heads of a site."""

    trace: str
    item: int
    site: int
    query: int


class TileParams(TypedDict):
    """Asks for a tile of one head; see `Picture` for levels and places."""

    trace: str
    item: int
    site: int
    head: int
    level: int
    y: int
    x: int


class EdgesParams(TypedDict):
    """Asks for the heaviest keys of each query of one head."""

    trace: str
    item: int
    site: int
    head: int


class VectorsParams(TypedDict):
    """Asks for the key vectors of one head; refused where only weights are known."""

    trace: str
    item: int
    site: int
    head: int


class NeuronParams(TypedDict):
    """Asks for one query of one head, taken apart; refused where only weights are known."""

    trace: str
    item: int
    site: int
    head: int
    query: int


class ScoresParams(TypedDict):
    """Asks for the scores of all heads."""

    trace: str
    item: int


class SelectionParams(TypedDict):
    """What is selected in a panel, told by it, or asked of it by Python."""

    panel: str
    selected: Selected


class PictureResult(TypedDict):
    """The picture asked for."""

    picture: Picture


class CancelParams(TypedDict):
    """Cancels the request of this id, waiting or running."""

    id: int | str
