"""Silences the output of a pass that attnlab makes, and separates its random numbers.

Such a pass runs the model's code again, and with it whatever the code prints, logs, warns of and
draws. None of it may be visible or have lasting effects: a warning that appears only once must
still appear in the user's next pass.

The replacements that are installed during a pass affect the whole process, but change the behavior
only on the threads of such passes. There is one exception: a warning that PyTorch's C++ code shows
once per process is lost.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.patch import Patch
from attnlab.capture.isolation import random_functions
from attnlab.capture.python_internals import SHOW_WARNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attnlab.capture.isolation.random_generators import RandomGenerators

    Function = Callable[..., Any]

STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")

ONCE = type(functools.lru_cache(lambda: None))
"""Type of a logger's method that shows a message only once, as libraries define it."""


class OutputSilencer:
    """Silences threads; the first one installs the replacements, the last one removes them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: dict[int, list[RandomGenerators]] = {}
        self._patches: list[Patch] = []
        self._warned: list[tuple[str, type[Warning], int]] = []

    @property
    def depth(self) -> int:
        """How many times this thread is silenced."""
        return len(self._threads.get(threading.get_ident(), ()))

    def begin(self, generators: RandomGenerators) -> None:
        """Silence this thread, which uses these random generators."""
        with self._lock:
            if not self._threads:
                self._place()
            self._threads.setdefault(threading.get_ident(), []).append(generators)

    def end(self, depth: int) -> None:
        """Restore a depth of this thread; call it again if it was interrupted."""
        with self._lock:
            thread = threading.get_ident()
            generators = self._threads.get(thread, [])[:depth]
            if generators:
                self._threads[thread] = generators
            else:
                self._threads.pop(thread, None)
            if not self._threads:
                self._remove()

    def _place(self) -> None:
        for owner, name, wrap in self._parts():
            # Streams of some classes do not allow other attributes.
            with contextlib.suppress(AttributeError, TypeError):
                self._patches.append(Patch.apply(owner, name, wrap))

    def _remove(self) -> None:
        while self._patches:
            self._patches[-1].undo()
            self._patches.pop()
        self._forget()

    def _parts(self) -> Iterator[tuple[Any, str, Callable[[Function], Function]]]:
        """Yield the functions to replace: owner, attribute, and how it is wrapped."""
        for stream in {
            id(found): found for found in map(_stream, STREAMS) if found is not None
        }.values():
            yield stream, "write", self._gated(len)
            yield stream, "writelines", self._gated(lambda _: None)
        for publisher in _publishers():
            for name in ("publish", "clear_output"):
                if name in vars(publisher):
                    yield publisher, name, self._gated(lambda *_, **__: None)
        for owner in (*_below(logging.Logger), *_below(logging.LoggerAdapter)):
            for name, method in list(vars(owner).items()):
                if isinstance(method, ONCE):
                    yield owner, name, self._gated(lambda *_, **__: None)
        yield logging.Logger, "isEnabledFor", self._gated(lambda *_: False)
        yield logging.Logger, "handle", self._gated(lambda *_: None)
        yield warnings, "warn", self._unwarned
        yield warnings, "warn_explicit", self._gated(lambda *_, **__: None)
        yield warnings, SHOW_WARNING, self._unshown
        for module, name, replacement in random_functions.parts():
            yield module, name, self._drawn(replacement)

    def _gated(self, instead: Function) -> Callable[[Function], Function]:
        """Make a function do something else on a silenced thread."""

        def wrap(original: Function) -> Function:
            @functools.wraps(original)
            def gated(*args: Any, **kwargs: Any) -> Any:
                silent = threading.get_ident() in self._threads
                return (instead if silent else original)(*args, **kwargs)

            return gated

        return wrap

    def _drawn(
        self, replacement: Callable[[RandomGenerators], Function]
    ) -> Callable[[Function], Function]:
        """Make a function use the random generators of the thread's pass."""

        def wrap(original: Function) -> Function:
            @functools.wraps(original)
            def drawn(*args: Any, **kwargs: Any) -> Any:
                generators = self._threads.get(threading.get_ident())
                return (original if generators is None else replacement(generators[-1]))(
                    *args, **kwargs
                )

            return drawn

        return wrap

    def _unwarned(self, original: Function) -> Function:
        @functools.wraps(original)
        @hidden_frame
        def warn(
            message: Any, category: Any = None, stacklevel: int = 1, *args: Any, **kwargs: Any
        ) -> None:
            if threading.get_ident() not in self._threads:
                original(message, category, stacklevel + 1, *args, **kwargs)

        return warn

    def _unshown(self, original: Function) -> Function:
        """Note the warnings of compiled code, which arrive here once they are registered."""

        @functools.wraps(original)
        def show(message: Any) -> None:
            if threading.get_ident() not in self._threads:
                original(message)
                return
            text = str(message.message)
            self._warned += [(text, message.category, line) for line in (message.lineno, 0)]

        return show

    def _forget(self) -> None:
        """Remove the warnings that were not shown from the registries of shown warnings."""
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
    """List a class and all classes derived from it."""
    found = [owner]
    for derived in owner.__subclasses__():
        found += _below(derived)
    return list(dict.fromkeys(found))


def _publishers() -> list[type[Any]]:
    """List IPython's classes that display output."""
    library = sys.modules.get("IPython.core.displaypub")
    return [] if library is None else _below(library.DisplayPublisher)


_silencer = OutputSilencer()


@contextlib.contextmanager
def silenced(generators: RandomGenerators) -> Iterator[None]:
    """Hide what a block prints, logs and warns of, and separate its random numbers.

    Parameters
    ----------
    generators
        The random generators that the block uses.
    """
    depth = _silencer.depth
    try:
        _silencer.begin(generators)
        yield
    finally:
        try:
            _silencer.end(depth)
        except BaseException:
            _silencer.end(depth)
            raise
