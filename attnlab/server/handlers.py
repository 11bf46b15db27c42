"""What answers each request of a panel."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attnlab.server import pictures
from attnlab.server.errors import RpcError, not_seen, trace_gone, version_mismatch
from attnlab.server.messages import (
    PROTOCOL,
    EdgesParams,
    ErrorCode,
    HeadParams,
    InitializeParams,
    InitializeResult,
    ItemParams,
    NeuronParams,
    PictureResult,
    RowParams,
    ScoresParams,
    SelectionParams,
    SubscribeParams,
    ThumbnailsParams,
    TileParams,
    UnsubscribeParams,
    VectorsParams,
)
from attnlab.server.request import Call, Handler, Notice, Reply
from attnlab.server.summaries import item_of
from attnlab.traces.errors import NotSeenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from attnlab.server.pictures import Drawn
    from attnlab.server.session import Session
    from attnlab.traces.site import Site
    from attnlab.traces.trace import Trace

SIZES = range(1, 513)
"""Sides of a thumbnail that may be asked for, in pixels."""


class Handlers:
    """The methods of `messages.REQUESTS` over one session.

    Parameters
    ----------
    session
        What is asked about.
    server
        Name and version of this software.
    capabilities
        As in `InitializeResult`.
    missing
        Finds what `InitializeResult.missing` says.
    """

    def __init__(
        self,
        session: Session,
        server: str,
        capabilities: Sequence[str],
        missing: Callable[[], list[str]],
    ) -> None:
        self._session = session
        self._server = server
        self._capabilities = list(capabilities)
        self._missing = missing
        self._scored: WeakKeyDictionary[Trace, dict[int, Drawn]] = WeakKeyDictionary()

    def table(self) -> Mapping[str, Handler]:
        """Return what answers each method."""
        return {
            "initialize": Handler(self._initialize),
            "state": Handler(lambda *_: (self._session.state(), [])),
            "subscribe": Handler(self._subscribe),
            "unsubscribe": Handler(self._unsubscribe),
            "trace/item": Handler(self._item),
            # Exact ones of a long text take seconds, in which a person asks for other things.
            "trace/thumbnails": Handler(
                self._thumbnails, computes=True, yields=lambda params: not params["sampled"]
            ),
            "trace/head": Handler(self._head, computes=True),
            "trace/row": Handler(self._row, computes=True),
            "trace/tile": Handler(self._tile, computes=True),
            "trace/edges": Handler(self._edges, computes=True),
            "trace/vectors": Handler(self._vectors, computes=True),
            "trace/neuron": Handler(self._neuron, computes=True),
            # All weights of all heads are read for them, which may take minutes.
            "trace/scores": Handler(self._scores, computes=True, yields=lambda _: True),
        }

    def notices(self) -> Mapping[str, Notice]:
        """Return what takes each of `messages.NOTIFICATIONS`, but for cancels."""
        return {"selection/didChange": self._select}

    def admit(self, client: str, method: str) -> None:
        """Refuse a client that has not initialized; note that the others are there."""
        if method != "initialize":
            with self._session.lock:
                self._session.clients.hear(client)

    def _initialize(self, call: Call, params: InitializeParams) -> Reply:
        if params["protocol"] != PROTOCOL:
            raise version_mismatch(params["protocol"])
        with self._session.lock:
            self._session.clients.greet(call.client)
            state = self._session.state()
        self._session.reselected()
        result = InitializeResult(
            protocol=PROTOCOL,
            server=self._server,
            session=self._session.name,
            capabilities=self._capabilities,
            missing=self._missing(),
            state=state,
        )
        return result, []

    def _subscribe(self, call: Call, params: SubscribeParams) -> Reply:
        if params["size"] != 0:
            _check_size(params["size"])
        with self._session.lock:
            self._session.clients.subscribe(call.client, params)
        self._session.reselected()
        return None, []

    def _unsubscribe(self, call: Call, params: UnsubscribeParams) -> Reply:
        with self._session.lock:
            self._session.clients.unsubscribe(call.client, params["panel"])
        self._session.reselected()
        return None, []

    def _select(self, client: str, params: SelectionParams) -> None:
        with self._session.lock:
            self._session.clients.select(client, params["panel"], params["selected"])
        self._session.reselected()

    def _item(self, _call: Call, params: ItemParams) -> Reply:
        return item_of(self._trace(params), params["item"]), []

    def _thumbnails(self, call: Call, params: ThumbnailsParams) -> Reply:
        _check_size(params["size"])
        of = self._trace(params), params["item"]
        wanted = params["size"], params["sampled"]
        portions = of[0].portions(wanted[0], sampled=wanted[1])
        stopped = _watched(call, "thumbnails", portions)
        return _picture(pictures.thumbnails(*of, *wanted, stopped))

    def _head(self, call: Call, params: HeadParams) -> Reply:
        trace, site = self._site(params)
        stopped = _watched(call, "head", site.portions)
        return _picture(pictures.head(trace, *_place(params), stopped))

    def _row(self, call: Call, params: RowParams) -> Reply:
        of = self._trace(params), params["item"]
        stopped = _watched(call, "row", 1)
        return _picture(pictures.row(*of, params["site"], params["query"], stopped))

    def _tile(self, call: Call, params: TileParams) -> Reply:
        trace, site = self._site(params)
        _check_tile(site, params)
        level, place = params["level"], (params["y"], params["x"])
        # How many rows are still to be read for it is known to the site alone.
        stopped = _watched(call, "tile", 0)
        return _picture(pictures.tile(trace, *_place(params), level, place, stopped))

    def _edges(self, call: Call, params: EdgesParams) -> Reply:
        trace, site = self._site(params)
        stopped = _watched(call, "edges", site.portions)
        return _picture(pictures.edges(trace, *_place(params), stopped))

    def _vectors(self, call: Call, params: VectorsParams) -> Reply:
        trace = self._trace(params)
        stopped = _watched(call, "vectors", 1)
        with _known(trace):
            return _picture(pictures.vectors(trace, *_place(params), stopped))

    def _neuron(self, call: Call, params: NeuronParams) -> Reply:
        trace = self._trace(params)
        stopped = _watched(call, "neuron", 1)
        with _known(trace):
            return _picture(pictures.neuron(trace, *_place(params), params["query"], stopped))

    def _scores(self, call: Call, params: ScoresParams) -> Reply:
        from attnlab.analysis import table

        trace = self._trace(params)
        # A few numbers that took long: kept for other panels, and for this one's next page.
        scored, item = self._scored.setdefault(trace, {}), params["item"]
        if item not in scored:
            stopped = _watched(call, "scores", table.portions(trace))
            scored[item] = pictures.scores(trace, item, stopped)
        return _picture(scored[item])

    def _trace(self, params: Any) -> Trace:
        trace = self._session.trace(params["trace"])
        if trace is None:
            raise trace_gone(params["trace"], self._session.dropped(params["trace"]))
        return trace

    def _site(self, params: Any) -> tuple[Trace, Site]:
        trace = self._trace(params)
        return trace, trace.at(params["site"], params["item"])[0]


def _place(params: Any) -> tuple[int, int, int]:
    return params["item"], params["site"], params["head"]


def _check_size(size: int) -> None:
    if size not in SIZES:
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.size must be {SIZES.start} to {SIZES.stop - 1} pixels, not {size}.",
        )


def _check_tile(site: Site, params: TileParams) -> None:
    level, levels = params["level"], pictures.levels(site)
    if not 0 <= level < levels:
        size = f"{site.queries} × {site.keys} weights"
        raise RpcError(
            ErrorCode.INVALID_PARAMS,
            f"params.level must be 0 to {levels - 1} in site {site.index}, whose heads have "
            f"{size}, not {level}.",
        )
    for axis, at, count in zip(
        ("y", "x"), (params["y"], params["x"]), pictures.tiles(site, level), strict=True
    ):
        if not 0 <= at < count:
            raise RpcError(
                ErrorCode.INVALID_PARAMS,
                f"params.{axis} must be 0 to {count - 1} at level {level} of site {site.index}, "
                f"not {at}.",
            )


@contextlib.contextmanager
def _known(trace: Trace) -> Iterator[None]:
    """Say where queries and keys are known, to who asks for those of a site that has none."""
    try:
        yield
    except NotSeenError as error:
        layers = {site.layer for site in trace.sites if site.record.query is not None}
        raise not_seen(error, sorted(layers)) from None


def _watched(call: Call, what: str, total: int) -> Callable[[], bool]:
    """Return what is polled before each of `total` portions of work: it also tells the client.

    A total of 0 says that it is not known.
    """
    portions = itertools.count()

    def stopped() -> bool:
        call.progress(next(portions), total, what)
        return call.stopped()

    return stopped


def _picture(drawn: Drawn) -> Reply:
    picture, data = drawn
    return PictureResult(picture=picture), [data]
