"""The selection of the active panel, which Python can read, set and observe."""

from __future__ import annotations

import logging
import operator
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import traitlets

from attnlab.server.messages import SelectionState
from attnlab.server.selection.changes import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.server.endpoint import Endpoint
    from attnlab.server.session.selections import PanelSelection

logger = logging.getLogger(__name__)

TIMEOUT = 1.0
"""Seconds after which a request to a panel no longer counts."""

NO_PANEL = (
    "no panel shows attention: open it in JupyterLab with the command “Show Attention”, and "
    "run a cell that is tagged “attention”"
)


class _Requested(traitlets.TraitType[Any, Any]):
    """A field of the selection; assigning it sends a request to the panel.

    The value is the one reported by the panel, set with `HasTraits.set_trait`.
    """

    def __set__(self, obj: Any, value: Any) -> None:
        if value is None and not self.metadata.get("clears"):
            raise traitlets.TraitError(f"{self.name} cannot be None: one is always selected")
        obj._request(self.name, self._validate(obj, value))


class _Index(_Requested, traitlets.Int[Any, Any]):
    """An integer of any type, e.g. a numpy integer."""

    def validate(self, obj: Any, value: Any) -> int:
        try:
            return operator.index(value)
        except TypeError:
            self.error(obj, value)


class _Indices(_Requested, traitlets.List[int]):
    """A list of integers."""


class _Choice(_Requested, traitlets.Enum[str]):
    """One of several strings."""


def _index(about: str, *, clears: bool = False) -> Any:
    return _Index(None, allow_none=True, help=about).tag(clears=clears)


@dataclass(frozen=True)
class _Request:
    """A selection that was requested from a panel, until the panel reports it."""

    panel: str
    selection: SelectionState
    until: float


class Selection(traitlets.HasTraits):
    """The selection of the most recently used panel.

    Every field can be read, assigned and observed, e.g. ``attnlab.selection.query = 8`` or
    ``attnlab.selection.observe(print, names="head")``. Assigning a field sends a request to the
    panel; the new value can be read, and observers are called, when the panel has applied it.
    Without a panel all fields are None.

    Observers run on the thread that receives the panel's messages, also while a cell runs;
    their exceptions are logged.
    """

    item = _index("Batch item.")
    site = _index("Index of the attention call, in call order.")
    layer = traitlets.Int(
        None, allow_none=True, read_only=True, help="The model's number of the layer."
    )
    kind = traitlets.Unicode(
        None, allow_none=True, read_only=True, help="``encoder``, ``decoder`` or ``cross``."
    )
    head = _index("The focused head.")
    heads = _Indices(
        _Index(),
        default_value=None,
        allow_none=True,
        minlen=1,
        help="The heads that are drawn together, including `head`.",
    )
    query = _index("Position of the query, or None.", clears=True)
    key = _index("Position of the key, or None.", clears=True)
    dimension = _index("A dimension of the head's queries and keys, or None.", clears=True)
    pairs = _Choice(
        list(get_args(get_type_hints(SelectionState)["pairs"])),
        default_value=None,
        allow_none=True,
        help="For two sentences, from which to which: ``all``, ``aa``, ``bb``, ``ab``, ``ba``.",
    )

    def __init__(self) -> None:
        super().__init__()
        self._endpoint: Endpoint | None = None
        self._lock = threading.RLock()
        self._stale = self._updating = False
        self._requested: _Request | None = None

    def __repr__(self) -> str:
        if self.head is None:
            return "Selection(no panel shows attention)"
        parts = {"layer": self.layer} if self.layer is not None else {"site": self.site}
        parts["head"] = self.head
        rest = {"item": 0, "heads": [self.head], "query": None, "key": None}
        rest |= {"dimension": None, "pairs": "all"}
        parts |= {
            name: getattr(self, name)
            for name, usual in rest.items()
            if getattr(self, name) != usual
        }
        return f"Selection({', '.join(f'{name}={value!r}' for name, value in parts.items())})"

    @property
    def attached(self) -> bool:
        """Whether it is attached to a kernel's server."""
        return self._endpoint is not None

    def attach(self, endpoint: Endpoint) -> None:
        """Read and set the selections of a kernel's panels from now on."""
        self._endpoint = endpoint
        endpoint.session.observe_selection(self._update)
        self._update()

    def observe(
        self,
        handler: Callable[..., Any],
        names: Any = traitlets.All,
        type: Any = "change",  # noqa: A002 - as in traitlets
    ) -> None:
        """Call `handler` with each change; its exceptions are logged."""
        super().observe(_Guarded(handler), names, type)

    def unobserve(
        self,
        handler: Callable[..., Any],
        names: Any = traitlets.All,
        type: Any = "change",  # noqa: A002 - as in traitlets
    ) -> None:
        """Stop calling `handler`."""
        super().unobserve(_Guarded(handler), names, type)

    # --- reports of panels ------------------------------------------------------------------

    def _update(self) -> None:
        """Take the current selection over.

        Only one thread does so at a time: another one marks the selection as stale and returns,
        so that it does not wait for observers.
        """
        with self._lock:
            self._stale = True
            if self._updating:
                return
            self._updating = True
        while True:
            with self._lock:
                self._updating = self._stale
                if not self._stale:
                    return
                self._stale = False
            try:
                self._read()
            except Exception:
                logger.exception("attnlab.selection could not follow its panel")

    def _read(self) -> None:
        assert self._endpoint is not None
        found = self._endpoint.session.selected()
        fields: dict[str, Any] = dict.fromkeys(self.trait_names())
        if found is not None:
            panel, trace = found
            with self._lock:
                if self._requested is not None and self._requested.selection == panel.selection:
                    self._requested = None
            fields |= panel.selection
            if trace is not None and 0 <= panel.selection["site"] < len(trace.sites):
                site = trace.sites[panel.selection["site"]]
                fields |= {"layer": site.layer, "kind": site.kind}
        with self.hold_trait_notifications():
            for name in self.trait_names():
                self.set_trait(name, fields[name])

    # --- requests of Python -----------------------------------------------------------------

    def _request(self, field: str, value: Any) -> None:
        if self._endpoint is None:
            raise RuntimeError(NO_PANEL)
        # A cell may select in a trace that it has just made.
        self._endpoint.session.settle()
        panel, trace = self._endpoint.session.selected() or (None, None)
        if panel is None or trace is None:
            raise RuntimeError(NO_PANEL)
        with self._lock:
            selection = changed(self._latest(panel), field, value, trace)
            self._requested = _Request(panel.panel, selection, time.monotonic() + TIMEOUT)
            # Under the lock, so that the panel receives requests of several threads in order.
            self._endpoint.select(panel, selection)

    def _latest(self, panel: PanelSelection) -> SelectionState:
        """Return the selection that a panel will have after it has applied the last request."""
        requested = self._requested
        if requested is None or requested.panel != panel.panel:
            return panel.selection
        expired = requested.until < time.monotonic()
        return panel.selection if expired else requested.selection


@dataclass(frozen=True)
class _Guarded:
    """An observer whose exceptions are logged, so that other observers are called."""

    handler: Callable[..., Any]

    def __call__(self, change: Any) -> None:
        try:
            self.handler(change)
        except Exception:
            logger.exception("an observer of attnlab.selection failed")


selection = Selection()
"""`attnlab.selection`: the selection of this process."""
