"""What was called while a block was open and has left no recording, and so why there is none."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from attnlab.capture import refusals, threads
from attnlab.capture.call import Refusal
from attnlab.capture.tokens import sendable

NAMED = 3
"""Most names in one sentence."""


@dataclass(eq=False)
class Missed:
    """The calls that nothing was recorded of, by why.

    Attributes
    ----------
    told
        Whether the block has been told of any call.
    running
        Calls that have begun and not ended: the module's name, the thread's identifier.
    """

    told: bool = False
    running: dict[object, tuple[str, int]] = field(default_factory=dict)
    _elsewhere: dict[str, str] = field(default_factory=dict)
    _others: dict[str, bool] = field(default_factory=dict)
    _quiet: dict[str, None] = field(default_factory=dict)
    _types: set[type] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asked(self) -> bool:
        """Whether calls were made that a person would have expected to be recorded."""
        return bool(self.running or self._elsewhere or self._quiet)

    def elsewhere(self, module: Any, thread: str) -> None:
        """Note a call in a thread that is not followed."""
        if thread not in self._elsewhere:
            with self._lock:
                self._elsewhere.setdefault(thread, refusals.name_of(module))

    def other(self, module: Any) -> None:
        """Note a call of another module than the given one."""
        if type(module) not in self._types:
            with self._lock:
                self._types.add(type(module))
                self._others[refusals.name_of(module)] = refusals.has_attention(module)

    def quiet(self, module: Any) -> None:
        """Note a call that ran no attention, and of which none was to be expected."""
        with self._lock:
            self._quiet.setdefault(refusals.name_of(module))

    def why(self, only: Any | None, place: str) -> Refusal:
        """Say why nothing was recorded.

        Parameters
        ----------
        only
            The given model; None where calls of all modules are recorded.
        place
            What was looked at: "block" or "cell".
        """
        model = "a model" if only is None else refusals.name_of(only)
        with self._lock:
            running, elsewhere = list(self.running.values()), dict(self._elsewhere)
            others, quiet = dict(self._others), list(self._quiet)
        if running:
            name, ident = running[-1]
            return Refusal(
                f"{name} is still running in the thread “{sendable(threads.name_of(ident))}”",
                f"The {place} ended before the call returned.",
                f"Wait for the thread in the {place}, e.g. with thread.join().",
            )
        if elsewhere:
            thread, name = next(iter(elsewhere.items()))
            return Refusal(
                f"{name} was called in a thread that attnlab does not follow",
                f"The thread “{sendable(thread)}” was started outside of the {place}.",
                f"Start the thread in the {place}, or call the model in the {place} itself.",
            )
        if quiet:
            return Refusal(
                "No attention was found",
                f"The {place} called {_listed(quiet)}, which ran no attention.",
                "attnlab shows softmax attention: call a module that has some.",
            )
        if others:
            named = [name for name in others if others[name]] or list(others)
            same = " (another object of this class)" if model in named else ""
            return Refusal(
                f"{model}{same} was not called",
                f"The {place} called {_listed(named)} instead.",
                "Name the model that is called.",
            )
        remedy = f"Call {model} in the {place}. Calls in other processes are not seen."
        if only is None:
            return Refusal(
                "No model call was found", f"The {place} called no torch module.", remedy
            )
        cause = f"The {place} called neither it nor a module inside it."
        return Refusal(f"{model} was not called", cause, remedy)


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
