"""Samples the outputs of modules inside an attention module before it attended: a few rows each.

Projections and norms return queries and keys before a rotary embedding rotates them. These
tensors may be freed before the attention is computed, so the last tokens' rows are copied as they
are returned. Which modules attend is not known beforehand: the first call of every class is
sampled, and if it did not attend, later calls of the class are not sampled until one attends.

How a module rotates its vectors does not change, and copying takes about one hundredth of a pass:
once a model's modules were sampled with a text of some length, later calls are not sampled and
share the earlier samples. Only the records keep the samples alive: once the last record of a
model is deleted, the model's next call is sampled again.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

from attnlab.capture.guards.user_call import without_traceback
from attnlab.capture.inspection.origin import origin
from attnlab.capture.record.rotary_sample import RotarySample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

log = logging.getLogger(__name__)

ROWS = 16
"""Number of tokens that are sampled: the last ones, which a rotary embedding rotates furthest."""

WIDEST = 1 << 15
"""Maximum size of one token's output; larger ones, e.g. vocabulary scores, are not sampled."""

KEPT = 12
"""Number of modules whose outputs are sampled, the newest."""

ENOUGH = 8
"""Number of sampled tokens from which on a model is not sampled again."""

HEADS = 4
"""Number of heads of the queries and keys that are stored with a sample."""

_idle: WeakSet[type] = WeakSet()
"""Classes of modules that were called and did not attend."""

_seen: WeakKeyDictionary[Any, ref[RotarySample]] = WeakKeyDictionary()
"""The newest samples, by module that attended."""

_known: WeakKeyDictionary[Any, ref[RotarySample]] = WeakKeyDictionary()
"""Models whose modules need no further samples while this sample of theirs exists."""


class RunningModule:
    """One call of a module while it runs."""

    __slots__ = ("_length", "args", "attended", "kwargs", "module", "samples")

    def __init__(
        self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], sampled: bool
    ) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.samples: deque[torch.Tensor] | None = deque(maxlen=KEPT) if sampled else None
        self.attended = False
        self._length = -1

    @property
    def length(self) -> int:
        """Number of tokens that it was given; 0 if unknown."""
        if self._length < 0:
            given = (*self.args, *self.kwargs.values())
            sizes = (tensor.shape[-2] for tensor in given if _plain(tensor) and tensor.ndim >= 2)
            self._length = int(next(sizes, 0))
        return self._length


class ProjectionSamples:
    """Samples the outputs of the modules of one forward pass.

    Parameters
    ----------
    model, args, kwargs
        The outermost call.
    """

    def __init__(self, model: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> None:
        self._model = origin(model)
        self.active = _alive(_known, self._model) is None
        self._running = [RunningModule(model, args, kwargs or {}, sampled=self.active)]
        self.fault: Exception | None = None

    def enter(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Note that a module starts."""
        sampled = self.active and type(module) not in _idle
        self._running.append(RunningModule(module, args, kwargs, sampled))

    def leave(self) -> None:
        """Note that the innermost module has ended."""
        done = self._running.pop()
        if done.samples is not None and not done.attended:
            _idle.add(type(done.module))

    @property
    def given(self) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The arguments of the outermost call."""
        return self._running[0].args, self._running[0].kwargs

    @property
    def lengths(self) -> set[int]:
        """The numbers of tokens that the running modules were given."""
        return {running.length for running in self._running}

    @property
    def wants_results(self) -> bool:
        """Whether the running module may still attend, so that its parts' outputs are sampled."""
        running = self._running[-1]
        return running.samples is not None and not running.attended and self.fault is None

    def sample(self, result: Any) -> None:
        """Copy rows of the output of a part of the running module; never raises."""
        running = self._running[-1]
        if running.samples is None:
            return
        try:
            length = running.length
            if length > 1:
                for output in result if isinstance(result, tuple | list) else (result,):
                    if _plain(output):
                        running.samples.extend(_rows(output, length))
        except Exception as fault:
            log.exception("attnlab could not sample what a module returned")
            self.fault = without_traceback(fault)

    def sample_of(self, module: Any, query: torch.Tensor, key: torch.Tensor) -> RotarySample | None:
        """Return what was sampled before an attention call of a module.

        `query` and `key` have the shape (items, heads, tokens, width).
        """
        samples = self._samples(module, int(query.shape[2]), int(key.shape[2]))
        if samples:
            count = int(samples[0].shape[0])
            vectors = (_last(query, count), _last(key, count))
            rows = tuple(sample.to(query.device) for sample in samples)
            seen = RotarySample(rows, *vectors, int(key.shape[2]) - count)
            _seen[origin(module)] = ref(seen)
            if count >= ENOUGH:
                _known[self._model] = ref(seen)
            return seen
        return _alive(_seen, origin(module))

    def _samples(self, module: Any, queries: int, keys: int) -> tuple[torch.Tensor, ...]:
        """Return the samples of the module that attends, if they are of its last tokens."""
        count = min(ROWS, queries)
        if keys < queries:
            return ()
        indices = [index for index, running in enumerate(self._running) if running.module is module]
        # Some models attend in a separate module beside their projections.
        for index in (indices[-1], indices[-1] - 1) if indices else ():
            running = self._running[max(0, index)]
            if running.samples is None:
                _idle.discard(type(running.module))
            elif running.samples:
                running.attended = True
                return tuple(sample for sample in running.samples if sample.shape[0] == count)
        return ()


def _alive(samples: Mapping[Any, ref[RotarySample]], module: Any) -> RotarySample | None:
    """Look up a sample; None once all records with it are deleted."""
    found = None if module is None else samples.get(module)
    return None if found is None else found()


def _last(vectors: torch.Tensor, count: int) -> torch.Tensor:
    """Copy the last tokens of the first item, for some heads from the first to the last."""
    heads = int(vectors.shape[1])
    chosen = sorted({heads * index // HEADS for index in range(HEADS)})
    return vectors[0, chosen, -count:].clone()


def _rows(output: torch.Tensor, length: int) -> Iterator[torch.Tensor]:
    """Copy the last tokens of the first item, (tokens, width), along each axis that may be tokens.

    Common shapes are (items, tokens, width), (tokens, width), (items, tokens, heads, width) and
    (items, heads, tokens, width).
    """
    rows, output = min(ROWS, length), output.detach()
    # As few operations as possible: they run in the middle of the user's pass.
    for axis in range(min(output.ndim - 1, 3)):
        if output.shape[axis] != length:
            continue
        if axis == 0:
            last = output[-rows:]
        elif axis == 1:
            last = output[0, -rows:]
        else:
            last = output[0, :, -rows:].movedim(1, 0)
        if last.ndim > 2:
            last = last.flatten(1)
        if last.shape[1] <= WIDEST:
            yield last.clone()


def _plain(value: Any) -> bool:
    """Whether a value is a floating-point tensor that can be copied."""
    from attnlab.capture.inspection.plain_tensors import is_plain

    return is_plain(value) and value.is_floating_point()
