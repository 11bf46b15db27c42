"""The selection of the panel that was used last, as Python reads, sets and observes it."""

from __future__ import annotations

import logging
import operator
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import traitlets

from attnlab.server.asking import changed
from attnlab.server.messages import Selected

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.server.endpoint import Endpoint
    from attnlab.server.selections import Told

logger = logging.getLogger(__name__)

ANSWER = 1.0
"""Seconds for which a panel may be about to answer what was asked of it."""

NO_PANEL = (
    "no panel shows attention: open it in JupyterLab with the command “Show Attention”, and "
    "run a cell that is tagged “attention”"
)


class _Asked(traitlets.TraitType[Any, Any]):
    """A part of a selection that is asked of the panel when it is assigned.

    Its value is what the panel has told, which `HasTraits.set_trait` puts here.
    """

    def __set__(self, obj: Any, value: Any) -> None:
        if value is None and not self.metadata.get("clears"):
            raise traitlets.TraitError(f"{self.name} cannot be None: there is always one")
        obj._ask(self.name, self._validate(obj, value))


class _Number(_Asked, traitlets.Int[Any, Any]):
    """An integer of any kind, e.g. numpy's."""

    def validate(self, obj: Any, value: Any) -> int:
        try:
            return operator.index(value)
        except TypeError:
            self.error(obj, value)


class _Numbers(_Asked, traitlets.List[int]):
    """Integers."""


class _Word(_Asked, traitlets.Enum[str]):
    """One of some words."""


def _number(about: str, *, clears: bool = False) -> Any:
    return _Number(None, allow_none=True, help=about).tag(clears=clears)


@dataclass(frozen=True)
class _Asking:
    """What was asked of a panel that has not answered yet."""

    panel: str
    selected: Selected
    until: float


class Selection(traitlets.HasTraits):
    """What is selected in the panel that was used last.

    Every part can be read, assigned and observed, e.g. ``attnlab.selection.query = 8`` or
    ``attnlab.selection.observe(print, names="head")``. Assigning a part asks the panel,
    which is the one that selects: the new value can be read, and is observed, as soon as
    the panel has taken it. Without a panel all parts are None.

    Observers run on the thread that hears of the panel, also while a cell runs; what they
    raise is logged.
    """

    item = _number("Which item of the batch.")
    site = _number("Which attention call, in call order.")
    layer = traitlets.Int(
        None, allow_none=True, read_only=True, help="The model's number of the call's layer."
    )
    kind = traitlets.Unicode(
        None, allow_none=True, read_only=True, help="``encoder``, ``decoder`` or ``cross``."
    )
    head = _number("The head that is looked at.")
    heads = _Numbers(
        _Number(),
        default_value=None,
        allow_none=True,
        minlen=1,
        help="The heads that are drawn together, `head` among them.",
    )
    query = _number("A query's position, or None.", clears=True)
    key = _number("A key's position, or None.", clears=True)
    neuron = _number("A dimension of the head's queries and keys, or None.", clears=True)
    pairs = _Word(
        list(get_args(get_type_hints(Selected)["pairs"])),
        default_value=None,
        allow_none=True,
        help="Of two sentences, from which to which: ``all``, ``aa``, ``bb``, ``ab``, ``ba``.",
    )

    def __init__(self) -> None:
        super().__init__()
        self._endpoint: Endpoint | None = None
        self._lock = threading.RLock()
        self._stale = self._taking = False
        self._asking: _Asking | None = None

    def __repr__(self) -> str:
        if self.head is None:
            return "Selection(no panel shows attention)"
        parts = {"layer": self.layer} if self.layer is not None else {"site": self.site}
        parts["head"] = self.head
        rest = {"item": 0, "heads": [self.head], "query": None, "key": None}
        rest |= {"neuron": None, "pairs": "all"}
        parts |= {
            name: getattr(self, name)
            for name, usual in rest.items()
            if getattr(self, name) != usual
        }
        return f"Selection({', '.join(f'{name}={value!r}' for name, value in parts.items())})"

    def attach(self, endpoint: Endpoint) -> None:
        """Read the selections of a kernel's panels from now on."""
        self._endpoint = endpoint
        endpoint.session.follow(self._follow)
        self._follow()

    def observe(
        self,
        handler: Callable[..., Any],
        names: Any = traitlets.All,
        type: Any = "change",  # noqa: A002 - as in traitlets
    ) -> None:
        """Call `handler` with each change; what it raises is logged."""
        super().observe(_Guarded(handler), names, type)

    def unobserve(
        self,
        handler: Callable[..., Any],
        names: Any = traitlets.All,
        type: Any = "change",  # noqa: A002 - as in traitlets
    ) -> None:
        """Call `handler` no longer."""
        super().unobserve(_Guarded(handler), names, type)

    # --- what panels tell -------------------------------------------------------------------

    def _follow(self) -> None:
        """Take over what is selected now.

        One thread at a time: another one leaves it to that, rather than wait for observers.
        """
        with self._lock:
            self._stale = True
            if self._taking:
                return
            self._taking = True
        while True:
            with self._lock:
                self._taking = self._stale
                if not self._stale:
                    return
                self._stale = False
            try:
                self._take()
            except Exception:
                logger.exception("attnlab.selection could not follow its panel")

    def _take(self) -> None:
        assert self._endpoint is not None
        found = self._endpoint.session.selected()
        parts: dict[str, Any] = dict.fromkeys(self.trait_names())
        if found is not None:
            told, trace = found
            with self._lock:
                if self._asking is not None and self._asking.selected == told.selected:
                    self._asking = None
            parts |= told.selected
            if trace is not None and 0 <= told.selected["site"] < len(trace.sites):
                site = trace.sites[told.selected["site"]]
                parts |= {"layer": site.layer, "kind": site.kind}
        with self.hold_trait_notifications():
            for name in self.trait_names():
                self.set_trait(name, parts[name])

    # --- what Python asks -------------------------------------------------------------------

    def _ask(self, part: str, value: Any) -> None:
        if self._endpoint is None:
            raise RuntimeError(NO_PANEL)
        # A cell may select in what it has itself just made.
        self._endpoint.session.settle()
        found = self._endpoint.session.selected()
        told, trace = found or (None, None)
        if told is None or trace is None:
            raise RuntimeError(NO_PANEL)
        with self._lock:
            selected = changed(self._latest(told), part, value, trace)
            self._asking = _Asking(told.panel, selected, time.monotonic() + ANSWER)
            # Under the lock, so that a panel hears of several threads in their order.
            self._endpoint.select(told, selected)

    def _latest(self, told: Told) -> Selected:
        """Return what a panel will have selected once it has done what was asked of it."""
        asking = self._asking
        if asking is None or asking.panel != told.panel or asking.until < time.monotonic():
            return told.selected
        return asking.selected


@dataclass(frozen=True)
class _Guarded:
    """An observer whose errors are its own: others are called, and the panel is served."""

    handler: Callable[..., Any]

    def __call__(self, change: Any) -> None:
        try:
            self.handler(change)
        except Exception:
            logger.exception("an observer of attnlab.selection failed")


selection = Selection()
"""The one of this process; `attnlab.selection`."""
