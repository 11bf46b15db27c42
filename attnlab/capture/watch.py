"""Watching: the gate between a cell's model calls and their recordings.

Forward passes of the thread that entered `observing`, and of threads that were started in
the block or were given work by it, are recorded, in each thread one recording at a time,
from the outermost module's call to its return. Passes of any other thread go through
untouched. Whatever goes wrong in here becomes a `Refusal`; the user's call, its result and
its exceptions are the user's.
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
) -> Iterator[Observation]:
    """Record the model calls that the ``with`` block makes, also in threads that it starts.

    Neither torch nor transformers is imported; if the block imports them, they are watched
    from then on. On exit, also by an exception or an interrupt, everything is as before.

    Parameters
    ----------
    on_call
        Called after each outermost model call, on the thread that made it, with what was
        recorded or why nothing was; never on two threads at once. A call that a thread has
        begun in the block may end after it. Errors that it raises are logged, not passed on.
    namespace
        The notebook's names; read only, to find a tokenizer for ids whose tokenizer call
        was not seen.
    only
        Record calls of this module and of the modules that it consists of; None for the
        outermost module of every call.
    fed
        Whether to note how each call was fed, and where in the cell, which is the code whose
        globals are `namespace`.
    stop
        Polled while a model computes; once true, `StoppedPass` is raised out of its call.
    prompt
        Tells how many of a call's ids are the user's, where the model has written the others.

    Yields
    ------
    attnlab.capture.observation.Observation
        What it has missed, and why.
    """
    sequences = Sequences(Encodings(), namespace)
    observation = Observation(on_call, only, sequences, fed, stop, prompt)
    try:
        _gate.enter(observation)
        yield observation
    finally:
        _gate.leave(observation)
