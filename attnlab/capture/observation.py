"""Who looks at the model calls of a thread, and what the thread's tokenizers have made."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.callsite import callsite
from attnlab.capture.encodings import KEPT, Remembered
from attnlab.capture.tokenized import Tokenized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.call import Call, Refusal
    from attnlab.capture.sequences import Sequences


@dataclass(eq=False)
class Observation:
    """One `observing` block."""

    on_call: Callable[[Call | Refusal], None]
    only: Any | None
    sequences: Sequences
    fed: bool = False
    stop: Callable[[], bool] | None = None
    prompt: Callable[[], int | None] = lambda: None
    thread: int = field(default_factory=threading.get_ident)
    tokenized: deque[Tokenized] = field(default_factory=lambda: deque(maxlen=KEPT))

    def accepts(self, module: Any) -> bool:
        """Whether a call of `module` is to be recorded for this block."""
        return self.only is None or self.only is module

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
