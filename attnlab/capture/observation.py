"""Who looks at the model calls of some threads, and what their tokenizers have made."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.callsite import callsite
from attnlab.capture.encodings import KEPT, Remembered
from attnlab.capture.missed import Missed
from attnlab.capture.tokenized import Tokenized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.call import Call, Refusal
    from attnlab.capture.sequences import Sequences


@dataclass(eq=False)
class Observation:
    """One `observing` block.

    Attributes
    ----------
    open
        Whether calls that begin now are recorded. Those that began before are, in any case.
    missed
        The calls of which nothing was recorded, to say why.
    """

    on_call: Callable[[Call | Refusal], None]
    only: Any | None
    sequences: Sequences
    fed: bool = False
    stop: Callable[[], bool] | None = None
    prompt: Callable[[], int | None] = lambda: None
    tokenized: deque[Tokenized] = field(default_factory=lambda: deque(maxlen=KEPT))
    open: bool = True
    missed: Missed = field(default_factory=Missed)

    def __post_init__(self) -> None:
        """Remember the modules that `only` consists of."""
        self._lock = threading.RLock()
        self._parts: dict[int, weakref.ref[Any]] = {}
        self._strangers: set[type] = set()
        if self.only is not None:
            self._learn()

    def accepts(self, module: Any) -> bool:
        """Whether a call of `module` is to be recorded for this block; quick."""
        if self.only is None or self.only is module:
            return True
        reference = self._parts.get(id(module))
        return reference is not None and reference() is module

    def admits(self, module: Any) -> bool:
        """Whether an outermost call of `module` is to be recorded for this block.

        More thorough than `accepts`: a part may be newer than the block, and a compiled
        model calls nothing that could be seen.
        """
        if self.accepts(module):
            return True
        inner = getattr(module, "_modules", {}).get("_orig_mod")
        if inner is not None and self.accepts(inner):
            return True
        if type(module) in self._strangers:
            return False
        self._learn()
        if self.accepts(module):
            return True
        self._strangers.add(type(module))
        return False

    def tell(self, outcome: Call | Refusal) -> None:
        """Hand on what was recorded; of several threads one after the other."""
        with self._lock:
            self.missed.told = True
            self.on_call(outcome)

    def _learn(self) -> None:
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
        """Note a call of a tokenizer; one of another call of it is known by its ids alone."""
        args, kwargs = call
        if method != "apply_chat_template":  # It calls the tokenizer itself.
            given = dict(zip(("text", "text_pair"), args, strict=False)) | dict(kwargs)
            remembered = Remembered(tokenizer, given.get("text"), given.get("text_pair"), result)
            self.sequences.encodings.calls.append(remembered)
        if self.fed and outermost:
            place = callsite(self.sequences.namespace)
            tokenized = Tokenized.of(tokenizer, method, call, result, place)
            if tokenized is not None:
                self.tokenized.append(tokenized)
