"""A block whose model calls and tokenizer calls are observed."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.capture.feed.callsite import callsite
from attnlab.capture.feed.tokenized import Tokenized
from attnlab.capture.guards.user_call import without_traceback
from attnlab.capture.hooks.missed_calls import MissedCalls
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.tokens.encodings import KEPT, Remembered
from attnlab.capture.torch_internals import wrapped_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from attnlab.capture.feed.callsite import Callsite
    from attnlab.capture.isolation.isolated_model import IsolatedModel
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.capture.record.sequence_naming import SequenceNaming


log = logging.getLogger(__name__)


class Progress(Protocol):
    """Receives what a long call has computed so far."""

    def wanted(self) -> bool:
        """Whether anybody looks at it now; fast."""

    def show(self, call: RecordedCall) -> None:
        """Show an unfinished call; must return at once."""


@dataclass(eq=False)
class Observation:
    """One `observing` block.

    Attributes
    ----------
    open
        Whether new calls are recorded; calls that have already begun always are.
    missed
        The calls that were not recorded, and the reasons.
    fault
        The first reported error of attnlab.
    """

    on_call: Callable[[RecordedCall | Refusal], None]
    only: Any | None
    sequences: SequenceNaming
    fed: bool = False
    stop: Callable[[], bool] | None = None
    prompt: Callable[[], int | None] = lambda: None
    isolated: IsolatedModel | None = None
    progress: Progress | None = None
    tokenized: deque[Tokenized] = field(default_factory=lambda: deque(maxlen=KEPT))
    open: bool = True
    missed: MissedCalls = field(default_factory=MissedCalls)
    fault: Exception | None = None

    def __post_init__(self) -> None:
        """Store the modules that `only` consists of."""
        self._lock = threading.RLock()
        self._parts: dict[int, weakref.ref[Any]] = {}
        self._rejected_types: set[type] = set()
        if self.only is not None:
            self._store_parts()

    def accepts(self, module: Any) -> bool:
        """Whether to record a call of `module` for this block; a fast check."""
        if self.only is None or self.only is module:
            return True
        reference = self._parts.get(id(module))
        return reference is not None and reference() is module

    def admits(self, module: Any) -> bool:
        """Whether to record an outermost call of `module` for this block.

        More thorough than `accepts`: the submodule may be newer than the block, and calls of
        modules inside a compiled model are not intercepted.
        """
        if self.accepts(module):
            return True
        inner = wrapped_module(getattr(module, "_modules", {}))
        if inner is not None and self.accepts(inner):
            return True
        if type(module) in self._rejected_types:
            return False
        self._store_parts()
        if self.accepts(module):
            return True
        self._rejected_types.add(type(module))
        return False

    def tell(self, outcome: RecordedCall | Refusal) -> None:
        """Report an outcome to the block, from one thread at a time."""
        with self._lock:
            self.missed.reported = True
            if self.fault is not None and isinstance(outcome, Refusal):
                outcome = refusals.after(outcome, self.fault)
            self.on_call(outcome)

    def failed(self, fault: Exception) -> None:
        """Report an error of attnlab; never raises."""
        try:
            self.tell(refusals.internal(fault))
            self.fault = self.fault or without_traceback(fault)
        except Exception:
            log.exception("attnlab could not report an error")

    def _store_parts(self) -> None:
        modules = getattr(self.only, "modules", None)
        parts = list(modules()) if callable(modules) else []
        self._parts = {id(part): weakref.ref(part) for part in parts}

    def remember(
        self,
        tokenizer: Any,
        method: str,
        call: tuple[tuple[Any, ...], Mapping[str, Any]],
        result: Any,
        *,
        outermost: bool,
    ) -> None:
        """Note a tokenizer call; of a call inside another one, only the ids."""
        args, kwargs = call
        if method != "apply_chat_template":  # It calls the tokenizer itself.
            arguments = dict(zip(("text", "text_pair"), args, strict=False)) | dict(kwargs)
            text, text_pair = arguments.get("text"), arguments.get("text_pair")
            remembered = Remembered(tokenizer, text, text_pair, result)
            self.sequences.encodings.calls.append(remembered)
        if self.fed and outermost:
            position = callsite(self.sequences.namespace)
            tokenized = Tokenized.of(tokenizer, method, call, result, position)
            if tokenized is not None:
                self.tokenized.append(tokenized)


def callsites_of(observations: Iterable[Observation]) -> dict[int, Callsite | None]:
    """Locate a call that is about to begin, for the blocks that need it, by their id."""
    return {
        id(observation): callsite(observation.sequences.namespace)
        for observation in observations
        if observation.fed
    }
