"""Notes calls that were not recorded while a block was open, to explain why."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from attnlab.capture.hooks import threads
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.tokens.tokens import sendable

NAMED = 3
"""Maximum number of module names in a message."""


@dataclass(eq=False)
class MissedCalls:
    """The calls that were not recorded, by reason.

    Attributes
    ----------
    reported
        Whether any call was reported to the block.
    running
        Calls that have not ended yet: the module's name and the thread's identifier.
    """

    reported: bool = False
    running: dict[object, tuple[str, int]] = field(default_factory=dict)
    _elsewhere: dict[str, str] = field(default_factory=dict)
    _others: dict[str, bool] = field(default_factory=dict)
    _quiet: dict[str, None] = field(default_factory=dict)
    _types: set[type] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asked(self) -> bool:
        """Whether there were calls that the user would expect to be recorded."""
        return bool(self.running or self._elsewhere or self._quiet)

    def elsewhere(self, module: Any, thread: str) -> None:
        """Note a call in a thread that does not belong to the block."""
        if thread not in self._elsewhere:
            with self._lock:
                self._elsewhere.setdefault(thread, refusals.name_of(module))

    def other(self, module: Any) -> None:
        """Note a call of a module that is not the watched one."""
        if type(module) not in self._types:
            with self._lock:
                self._types.add(type(module))
                self._others[refusals.name_of(module)] = refusals.has_attention(module)

    def quiet(self, module: Any) -> None:
        """Note a call that ran no attention, of a module that is not known to have any."""
        with self._lock:
            self._quiet.setdefault(refusals.name_of(module))

    def why(self, only: Any | None, scope: str) -> Refusal:
        """Explain why nothing was recorded.

        Parameters
        ----------
        only
            The watched model; None if calls of all modules are recorded.
        scope
            What was watched: "block" or "cell".
        """
        model = "a model" if only is None else refusals.name_of(only)
        with self._lock:
            running, elsewhere = list(self.running.values()), dict(self._elsewhere)
            others, quiet = dict(self._others), list(self._quiet)
        if running:
            name, ident = running[-1]
            return Refusal(
                f"{name} is still running in the thread “{sendable(threads.name_of(ident))}”",
                f"The {scope} ended before the call returned.",
                f"Wait for the thread in the {scope}, e.g. with thread.join().",
            )
        if elsewhere:
            thread, name = next(iter(elsewhere.items()))
            return Refusal(
                f"{name} was called in a thread that attnlab does not follow",
                f"The thread “{sendable(thread)}” was started outside of the {scope}.",
                f"Start the thread in the {scope}, or call the model in the {scope} itself.",
            )
        if quiet:
            return Refusal(
                "No attention was found",
                f"The {scope} called {_listed(quiet)}, which ran no attention.",
                "attnlab shows softmax attention: call a module that contains attention layers.",
            )
        if others:
            named = [name for name in others if others[name]] or list(others)
            same = " (another object of this class)" if model in named else ""
            return Refusal(
                f"{model}{same} was not called",
                f"The {scope} called {_listed(named)} instead.",
                f"Pass the model that the {scope} calls.",
            )
        remedy = f"Call {model} in the {scope}. Calls in other processes are not recorded."
        if only is None:
            return Refusal(
                "No model call was found", f"The {scope} called no torch module.", remedy
            )
        cause = f"The {scope} called neither the model nor one of its submodules."
        return Refusal(f"{model} was not called", cause, remedy)


def _listed(names: list[str]) -> str:
    others = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {others} more" if others > 0 else "")
