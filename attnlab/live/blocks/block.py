"""A ``with`` block whose model calls are recorded, and the trace of its newest call."""

from __future__ import annotations

import contextlib
import logging
import sys
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from torch import nn

from attnlab.analysis.recorded import Recorded
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.tokens.given_names import GivenNames
from attnlab.capture.watch import observing
from attnlab.traces.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from attnlab.capture.hooks.missed_calls import MissedCalls
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.record.recorded_call import RecordedCall


log = logging.getLogger(__name__)

YET = "nothing recorded yet: call the model inside the block"

PENDING = "Its attention is available after the call returns."


class NotRecordedError(RuntimeError):
    """There is no trace; the message explains why."""


class Block(Recorded):
    """The trace of the newest model call in a block; empty before the first call.

    The fields of a trace are read from the newest call's trace at each access. If there is none,
    the access raises `NotRecordedError`.

    Attributes
    ----------
    calls
        Traces of all calls, oldest first; if there are many, as many of the newest as fit into
        the memory budget (``ATTNLAB_MEMORY``).
    """

    def __init__(self) -> None:
        # A trace's constructor is not called: `__getattribute__` finds the fields.
        self._store = Store()
        self._count = 0
        # One attribute, because calls and reads may happen on different threads.
        self._newest: Recorded | str = YET
        """Trace of the newest call, or the reason why there is none."""

    @property
    def calls(self) -> list[Recorded]:
        """Traces of the block's calls, oldest first."""
        return [Recorded.of(trace) for trace in self._store.traces]

    def newest(self) -> Recorded:
        """Return the trace of the newest call.

        Raises
        ------
        NotRecordedError
            If the newest call was not recorded, or no call was made.
        """
        newest = self._newest
        if isinstance(newest, str):
            raise NotRecordedError(newest)
        return newest

    def add(self, outcome: RecordedCall | Refusal) -> None:
        """Add the outcome of a call: its recording, or the reason why there is none."""
        if isinstance(outcome, Refusal):
            self._newest = f"{outcome.title}. {outcome.cause} {outcome.remedy}"
            return
        trace = Recorded.from_call(outcome, f"block-{self._count}", "", 0, self._count)
        self._count += 1
        self._store.add(trace)
        self._newest = trace

    def close(self, missed: MissedCalls, model: Any) -> None:
        """End the block: if no call was recorded, find out why."""
        if self._newest == YET:
            why = missed.why(model, "block")
            remedy = f"{why.remedy} {PENDING}" if missed.running else why.remedy
            self._newest = f"nothing was recorded. {why.title}. {why.cause} {remedy}"

    def __getattribute__(self, name: str) -> Any:
        # Fields with a default are attributes of the class, which `__getattr__` is not called for.
        if name in FIELDS:
            return getattr(self.newest(), name)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a trace has no attribute {name!r}")

    def __repr__(self) -> str:
        reason = self._newest
        return f"<No trace: {reason}>" if isinstance(reason, str) else repr(reason)


FIELDS = frozenset(field.name for field in fields(Recorded))


def recording(
    model: Any, tokenizer: Any | None = None, tokens: Any | None = None
) -> AbstractContextManager[Block]:
    """Record the calls of a model in the block, and in threads that the block starts.

    Parameters
    ----------
    model
        The module whose calls, and those of its submodules, are recorded.
    tokenizer
        The tokenizer that made the input ids, if the block does not call it; None to find it
        among the names of the script or notebook.
    tokens
        The labels of the positions, see `attnlab.record`.

    Raises
    ------
    TypeError
        If `model` is not a torch module, or if `tokens` are not labels.
    ValueError
        If `tokens` is empty.
    """
    _check(model)
    return _recording(model, GivenNames.of(tokenizer, tokens))


@contextmanager
def _recording(model: Any, given: GivenNames) -> Iterator[Block]:
    block = Block()
    names = vars(sys.modules["__main__"])
    observation: Observation | None = None
    with contextlib.ExitStack() as stack:
        try:
            observation = stack.enter_context(observing(block.add, names, only=model, given=given))
        except Exception as fault:
            log.exception("attnlab could not open a block")
            block.add(refusals.internal(fault))
        try:
            yield block
        finally:
            stack.close()
            if observation is not None:
                _close(block, observation, model)


def _close(block: Block, observation: Observation, model: Any) -> None:
    """Close a block; an error in attnlab must not interrupt the user's code."""
    try:
        block.close(observation.missed, model)
    except Exception as fault:
        log.exception("attnlab could not close a block")
        block.add(refusals.internal(fault))


def _check(model: Any) -> None:
    if isinstance(model, nn.Module):
        return
    what = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    inner = getattr(model, "model", None)
    hint = "; its .model is one" if isinstance(inner, nn.Module) else ""
    raise TypeError(
        f"attnlab records a torch module, e.g. AutoModel.from_pretrained(…), not {what}{hint}"
    )
