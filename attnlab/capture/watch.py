"""Watching: the gate between a cell's model calls and their recordings.

Forward passes of the thread that entered `observing` are recorded, one recording at a
time, from the outermost module's call to its return. Passes of any other thread go
through untouched. Whatever goes wrong in here becomes a `Refusal`; the user's call, its
result and its exceptions are the user's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnlab.capture.encodings import Encodings
from attnlab.capture.gate import Gate
from attnlab.capture.observation import Observation
from attnlab.capture.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from attnlab.capture.call import Call, Refusal

_gate = Gate()


@contextmanager
def observing(
    on_call: Callable[[Call | Refusal], None],
    namespace: Mapping[str, Any],
    only: Any | None = None,
    *,
    fed: bool = False,
    stop: Callable[[], bool] | None = None,
    prompt: Callable[[], int | None] = lambda: None,
) -> Iterator[None]:
    """Record the model calls that this thread makes in the ``with`` block.

    Neither torch nor transformers is imported; if the block imports them, they are watched
    from then on. On exit, also by an exception or an interrupt, everything is as before.

    Parameters
    ----------
    on_call
        Called after each outermost model call, on the thread that made it, with what was
        recorded or why nothing was. Errors that it raises are logged, not passed on.
    namespace
        The notebook's names; read only, to find a tokenizer for ids whose tokenizer call
        was not seen.
    only
        Record calls of this module alone; None for the outermost module of every call.
    fed
        Whether to note how each call was fed, and where in the cell, which is the code whose
        globals are `namespace`.
    stop
        Polled while a model computes; once true, `StoppedPass` is raised out of its call.
    prompt
        Tells how many of a call's ids are the user's, where the model has written the others.
    """
    sequences = Sequences(Encodings(), namespace)
    observation = Observation(on_call, only, sequences, fed, stop, prompt)
    try:
        _gate.enter(observation)
        yield
    finally:
        _gate.leave(observation)
