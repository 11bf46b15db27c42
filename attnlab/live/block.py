"""A ``with`` block whose model calls are recorded, and the trace that comes of them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

from attnlab.analysis.recorded import Recorded
from attnlab.capture.call import Refusal
from attnlab.capture.watch import observing
from attnlab.traces.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.call import Call
    from attnlab.capture.missed import Missed
    from attnlab.capture.observation import Observation


YET = "nothing recorded yet: call the model inside the block"

PENDING = "Its attention is here once the call has returned."


class NotRecordedError(RuntimeError):
    """There is no trace, and the message says why."""


class Block(Recorded):
    """The trace of a block's newest model call, which is empty until there is one.

    Asking an empty one for anything raises `NotRecordedError`.

    Attributes
    ----------
    calls
        Traces of all calls, oldest first; of many, the newest that the budget of memory
        (``ATTNLAB_MEMORY``) has room for.
    """

    def __init__(self) -> None:
        self._store = Store()
        self._made = 0
        self._why = YET

    @property
    def calls(self) -> list[Recorded]:
        """Traces of the block's calls, oldest first."""
        return [Recorded.of(trace) for trace in self._store.traces]

    def newest(self) -> Recorded:
        """Return the trace of the newest call.

        Raises
        ------
        NotRecordedError
            Where the newest call was not recorded, or none was made.
        """
        if self._why:
            raise NotRecordedError(self._why)
        return self.calls[-1]

    def take(self, outcome: Call | Refusal) -> None:
        """Become the trace of a call, or empty with the reason why it has none."""
        own = {name: vars(self)[name] for name in ("_store", "_made", "_why")}
        if isinstance(outcome, Refusal):
            own["_why"] = f"{outcome.title}. {outcome.cause} {outcome.remedy}"
        else:
            trace = Recorded.from_call(outcome, f"block-{self._made}", "", 0, self._made)
            self._store.add(trace)
            own |= {"_made": self._made + 1, "_why": "", **vars(trace)}
        # All at once: the call may have been made in another thread than the one that reads.
        object.__setattr__(self, "__dict__", own)

    def close(self, missed: Missed, model: Any) -> None:
        """Say from now on, where nothing came, why."""
        if self._why == YET:
            why = missed.why(model, "block")
            remedy = f"{why.remedy} {PENDING}" if missed.running else why.remedy
            self._why = f"nothing was recorded. {why.title}. {why.cause} {remedy}"

    def __getattr__(self, name: str) -> Any:
        # Only asked where an attribute is missing: before the first call, those of a trace.
        if name in Recorded.__dataclass_fields__:
            raise NotRecordedError(vars(self)["_why"])
        raise AttributeError(f"a trace has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<No trace: {self._why}>" if self._why else super().__repr__()


@contextmanager
def recording(model: Any, tokenizer: Any | None = None) -> Iterator[Block]:
    """Record the calls of a model that are made in the block, or in threads that it starts.

    Parameters
    ----------
    model
        The module whose calls are recorded, and those of the modules that it consists of.
    tokenizer
        The tokenizer of its ids, where the block does not call it; None to find it among
        the names of the script or notebook.

    Raises
    ------
    TypeError
        Where `model` is no module of torch.
    """
    _check(model)
    block = Block()
    names = vars(sys.modules["__main__"]) if tokenizer is None else {"tokenizer": tokenizer}
    observation: Observation | None = None
    try:
        with observing(block.take, names, only=model) as observation:
            yield block
    finally:
        if observation is not None:
            block.close(observation.missed, model)


def _check(model: Any) -> None:
    if isinstance(model, nn.Module):
        return
    what = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    inner = getattr(model, "model", None)
    hint = "; its .model is one" if isinstance(inner, nn.Module) else ""
    raise TypeError(
        f"attnlab records a torch module, e.g. AutoModel.from_pretrained(…), not {what}{hint}"
    )
