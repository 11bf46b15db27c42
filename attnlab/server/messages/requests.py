"""Requests of panels and their results."""

from __future__ import annotations

from typing import TypedDict

# Needed at run time: the annotations are evaluated when a message is validated.
from attnlab.server.messages.pushes import State  # noqa: TC001
from attnlab.server.messages.trace import Focus, SelectionState  # noqa: TC001


class InitializeParams(TypedDict):
    """The first request of a client; requests before it are refused."""

    protocol: int
    client: str
    """Name and version of the client software."""
    capabilities: list[str]


class InitializeResult(TypedDict):
    """The kernel's capabilities and state."""

    protocol: int
    server: str
    """Name and version of the kernel's software."""
    session: str
    capabilities: list[str]
    """``busy/control`` and ``busy/subshell``: the channels on which requests are answered while
    a cell runs. Without either, requests wait until the cell has finished."""
    missing: list[str]
    """Packages that the kernel's environment lacks, as arguments of ``pip install``."""
    state: State


class SubscribeParams(TypedDict):
    """What a panel shows: a push of a new trace includes these payloads.

    Replaces the panel's previous subscription.
    """

    panel: str
    size: int
    """Side of a thumbnail in pixels; 0 for no thumbnails."""
    item: int
    """Batch item; the first one if the batch has fewer items."""
    focus: Focus | None
    heads: list[int]
    """Heads of the focused site that are drawn together."""
    query: int | None
    neuron: bool
    """Whether the panel shows the query by its dimensions."""
    pinned: str | None
    """Id of the trace that the panel is pinned to; the kernel drops other traces first."""


class UnsubscribeParams(TypedDict):
    """Ends the subscription of a panel."""

    panel: str


class BatchItemParams(TypedDict):
    """Requests the sequences of one batch item of a trace."""

    trace: str
    item: int


class SelectionParams(TypedDict):
    """The selection of a panel: reported by the panel, or set by Python."""

    panel: str
    selection: SelectionState


class CancelParams(TypedDict):
    """Cancels a waiting or running request."""

    id: int | str
