"""Keeps what a second pass says out of the user's cell.

A second pass runs the model's code again, and with it whatever that prints, logs or warns of.
Nothing of it may show, and nothing may be used up: what is said only once must still be said
in the user's own next pass.

What is put in place for the time of the pass is of the whole process, but acts on the threads
of such passes only: other threads print, log and warn as ever.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from attnlab.capture.frames import between
from attnlab.capture.interposition import Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Any]

STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")

ONCE = type(functools.lru_cache(lambda: None))
"""What libraries make of a logger's method that is to say something once."""


class Quiet:
    """Silences threads; the first puts everything in place, the last takes it away."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: dict[int, int] = {}
        self._patches: list[Patch] = []
        self._warned: list[tuple[str, type[Warning], int]] = []
        self._always: bool | None = None

    def begin(self) -> None:
        """Silence this thread."""
        with self._lock:
            if not self._threads:
                self._place()
            own = threading.get_ident()
            self._threads[own] = self._threads.get(own, 0) + 1

    def end(self) -> None:
        """Let this thread speak again."""
        with self._lock:
            own = threading.get_ident()
            self._threads[own] -= 1
            if not self._threads[own]:
                del self._threads[own]
            if not self._threads:
                self._remove()

    def _place(self) -> None:
        for owner, name, wrap in self._parts():
            # A stream of another make may have no room for an attribute.
            with contextlib.suppress(AttributeError, TypeError):
                self._patches.append(Patch.place(owner, name, wrap))
        torch = sys.modules.get("torch")
        if torch is not None:
            # What PyTorch's own code has warned of once, it cannot be made to forget.
            self._always = torch.is_warn_always_enabled()
            torch.set_warn_always(True)

    def _remove(self) -> None:
        while self._patches:
            self._patches.pop().undo()
        if self._always is not None:
            sys.modules["torch"].set_warn_always(self._always)
            self._always = None
        self._forget()

    def _parts(self) -> Iterator[tuple[Any, str, Callable[[Function], Function]]]:
        """List what is to be put in place: owner, attribute, and how it is wrapped."""
        for stream in {id(own): own for own in map(_stream, STREAMS) if own is not None}.values():
            yield stream, "write", self._gated(len)
            yield stream, "writelines", self._gated(lambda _: None)
        for publisher in _publishers():
            for name in ("publish", "clear_output"):
                if name in vars(publisher):
                    yield publisher, name, self._gated(lambda *_, **__: None)
        for owner in (*_below(logging.Logger), *_below(logging.LoggerAdapter)):
            for name, own in list(vars(owner).items()):
                if isinstance(own, ONCE):
                    yield owner, name, self._gated(lambda *_, **__: None)
        yield logging.Logger, "isEnabledFor", self._gated(lambda *_: False)
        yield logging.Logger, "handle", self._gated(lambda *_: None)
        yield warnings, "warn", self._unwarned
        yield warnings, "warn_explicit", self._gated(lambda *_, **__: None)
        yield warnings, "_showwarnmsg", self._unshown

    def _gated(self, instead: Function) -> Callable[[Function], Function]:
        """Make a function do something else on a silent thread."""

        def wrap(original: Function) -> Function:
            @functools.wraps(original)
            def gated(*args: Any, **kwargs: Any) -> Any:
                silent = threading.get_ident() in self._threads
                return (instead if silent else original)(*args, **kwargs)

            return gated

        return wrap

    def _unwarned(self, original: Function) -> Function:
        @functools.wraps(original)
        @between
        def warn(
            message: Any, category: Any = None, stacklevel: int = 1, *args: Any, **kwargs: Any
        ) -> None:
            if threading.get_ident() not in self._threads:
                original(message, category, stacklevel + 1, *args, **kwargs)

        return warn

    def _unshown(self, original: Function) -> Function:
        """Note the warnings of compiled code, which come here once they are registered."""

        @functools.wraps(original)
        def show(message: Any) -> None:
            if threading.get_ident() not in self._threads:
                original(message)
                return
            text = str(message.message)
            self._warned += [(text, message.category, line) for line in (message.lineno, 0)]

        return show

    def _forget(self) -> None:
        """Take what was warned of in vain out of the registries of what was warned of."""
        if not self._warned:
            return
        once = getattr(warnings, "onceregistry", {})
        for module in list(sys.modules.values()):
            registry = getattr(module, "__dict__", {}).get("__warningregistry__", {})
            for text, category, line in self._warned:
                registry.pop((text, category, line), None)
                once.pop((text, category), None)
        self._warned.clear()


def _stream(name: str) -> Any:
    return getattr(sys, name, None)


def _below(owner: type[Any]) -> list[type[Any]]:
    """List a class and those that are derived from it."""
    found = [owner]
    for derived in owner.__subclasses__():
        found += _below(derived)
    return list(dict.fromkeys(found))


def _publishers() -> list[type[Any]]:
    """List IPython's classes by which something is displayed."""
    library = sys.modules.get("IPython.core.displaypub")
    return [] if library is None else _below(library.DisplayPublisher)


_quiet = Quiet()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let nothing show, nor be used up, of what a block prints, logs or warns of."""
    _quiet.begin()
    try:
        yield
    finally:
        _quiet.end()
