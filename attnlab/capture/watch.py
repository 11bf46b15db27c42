"""The entry point of recording: watches the model calls of a block of code.

Forward passes are recorded if they run on the thread that entered `observing`, or on threads that
the block started or gave work to. Each thread records one call at a time, from the outermost
module's call to its return. Forward passes of all other threads run unchanged. An error inside
attnlab becomes a `Refusal` and never affects the user's call, its result or its exceptions.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnlab.capture.hooks.gate import Gate
from attnlab.capture.hooks.observation import Observation, Progress
from attnlab.capture.record.sequence_naming import SequenceNaming
from attnlab.capture.tokens.encodings import Encodings
from attnlab.capture.tokens.given_names import GivenNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from attnlab.capture.isolation.isolated_model import IsolatedModel
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal

log = logging.getLogger(__name__)

_gate = Gate()


@contextmanager
def observing(
    on_call: Callable[[RecordedCall | Refusal], None],
    namespace: Mapping[str, Any],
    only: Any | None = None,
    *,
    fed: bool = False,
    stop: Callable[[], bool] | None = None,
    prompt: Callable[[], int | None] = lambda: None,
    isolated: IsolatedModel | None = None,
    progress: Progress | None = None,
    given: GivenNames | None = None,
) -> Iterator[Observation]:
    """Record the model calls that the ``with`` block makes, also in threads that it starts.

    Neither torch nor transformers is imported; if the block imports them, they are watched
    from then on. On exit, also by an exception or an interrupt, everything is restored.

    Parameters
    ----------
    on_call
        Called after each outermost model call, on the thread that made it, with the recorded
        call or the reason why nothing was recorded; never by two threads at the same time. A call
        that began in the block may end after it. Exceptions that it raises are logged.
    namespace
        The notebook's global names; read only, to find a tokenizer for token ids whose tokenizer
        call was not seen.
    only
        Record only calls of this module and of its submodules; None for the outermost module of
        every call.
    fed
        Whether to note where the arguments of each call came from, and where in the cell the call
        is. The cell is the code whose globals are `namespace`.
    stop
        Polled while a model computes; once it returns True, `StoppedPass` is raised in the call.
    prompt
        Returns the number of prompt ids before those that the model generated; None if the model
        generated none.
    isolated
        The isolated copy that `only` belongs to, for a call that attnlab makes.
    progress
        Receives unfinished calls of ``generate``, at most twice per second.
    given
        The tokenizer and the labels that the user gave, if any.

    Yields
    ------
    attnlab.capture.hooks.observation.Observation
        The calls that were not recorded, and the reasons.
    """
    sequences = SequenceNaming(Encodings(), namespace, given or GivenNames())
    observation = Observation(on_call, only, sequences, fed, stop, prompt, isolated, progress)
    try:
        _gate.enter(observation)
        yield observation
    finally:
        try:
            _gate.leave(observation)
        except BaseException as fault:
            # An interrupt or an error inside attnlab came in between: complete what is missing.
            _gate.leave(observation)
            if not isinstance(fault, Exception):
                raise
            log.exception("attnlab could not leave a block")
            observation.failed(fault)
