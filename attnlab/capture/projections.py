"""What the modules inside an attention gave before it attended: a few rows of each.

Projections and norms give queries and keys before a rotary embedding turns them. Nobody
holds these tensors until the attention is computed, so the last tokens' rows are copied as
they come. Which modules attend is not known beforehand: of every class the first call is
sampled, and of a class that did not attend no further one until it does.

How a module turns its vectors stays as it is, and copying costs some hundredths of a pass:
once a model's modules have been seen with a text of some length, its later calls are left
alone, and share what was seen then.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

log = logging.getLogger(__name__)

ROWS = 16
"""How many tokens are sampled: the last, which a rotary embedding has turned furthest."""

WIDEST = 1 << 15
"""Numbers of one token; what has more, e.g. scores of a vocabulary, is no query or key."""

KEPT = 12
"""Of how many modules' outputs a sample is held, the newest."""

ENOUGH = 8
"""Of how many tokens a sample must be for a model not to be sampled again."""

HEADS = 4
"""How many heads of the queries, and of the keys, are kept beside a sample."""

_idle: WeakSet[type] = WeakSet()
"""Classes of modules that were called and did not attend."""

_seen: WeakKeyDictionary[Any, Unturned] = WeakKeyDictionary()
"""The newest samples of modules that attended."""

_known: WeakSet[Any] = WeakSet()
"""Models whose modules need no further samples."""


@dataclass(frozen=True, eq=False)
class Unturned:
    """Vectors of some last tokens of one item, as an attention had them and before.

    Attributes
    ----------
    samples
        Shapes (tokens, any width): what parts of the module gave.
    query, key
        Shapes (heads, tokens, width): what it attended with, of a few heads.
    first
        Position of the first of the tokens.
    """

    samples: tuple[torch.Tensor, ...]
    query: torch.Tensor
    key: torch.Tensor
    first: int

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors held."""
        return (*self.samples, self.query, self.key)


class Running:
    """One call of a module, while it runs."""

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
        """How many tokens it was given; 0 where that cannot be told."""
        if self._length < 0:
            given = (*self.args, *self.kwargs.values())
            sizes = (own.shape[-2] for own in given if _plain(own) and own.ndim >= 2)
            self._length = int(next(sizes, 0))
        return self._length


class Projections:
    """Samples what the modules of one forward pass return.

    Parameters
    ----------
    model, args, kwargs
        The outermost call.
    """

    def __init__(self, model: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> None:
        self.wanted = model not in _known
        self._model = model
        self._running = [Running(model, args, kwargs or {}, sampled=self.wanted)]
        self._faulty = False

    def enter(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Know a module as running."""
        sampled = self.wanted and type(module) not in _idle
        self._running.append(Running(module, args, kwargs, sampled))

    def leave(self) -> None:
        """Know the newest module as done."""
        done = self._running.pop()
        if done.samples is not None and not done.attended:
            _idle.add(type(done.module))

    @property
    def given(self) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arguments of the outermost call."""
        return self._running[0].args, self._running[0].kwargs

    @property
    def lengths(self) -> set[int]:
        """How many tokens the modules that are running were given."""
        return {own.length for own in self._running}

    @property
    def waits(self) -> bool:
        """Whether the running module may yet attend, so that what its parts give is sampled."""
        own = self._running[-1]
        return own.samples is not None and not own.attended and not self._faulty

    def saw(self, result: Any) -> None:
        """Copy rows of what a part of the running module has returned; never raises."""
        own = self._running[-1]
        if own.samples is None:
            return
        try:
            length = own.length
            if length > 1:
                for output in result if isinstance(result, tuple | list) else (result,):
                    if _plain(output):
                        own.samples.extend(_rows(output, length))
        except Exception:
            self._faulty = True
            log.exception("attnlab could not sample what a module returned")

    def of(self, module: Any, query: torch.Tensor, key: torch.Tensor) -> Unturned | None:
        """Give what was seen before an attention, (items, heads, tokens, width), of a module."""
        samples = self._samples(module, int(query.shape[2]), int(key.shape[2]))
        if samples:
            count = int(samples[0].shape[0])
            own = (_last(query, count), _last(key, count))
            places = tuple(sample.to(query.device) for sample in samples)
            seen = _seen[module] = Unturned(places, *own, int(key.shape[2]) - count)
            if count >= ENOUGH:
                _known.add(self._model)
            return seen  # Another thread may have put its own there meanwhile.
        return _seen.get(module)

    def _samples(self, module: Any, queries: int, keys: int) -> tuple[torch.Tensor, ...]:
        count = min(ROWS, queries)
        if keys < queries:
            return ()
        places = [at for at, own in enumerate(self._running) if own.module is module]
        # Some models attend in a module of its own, beside their projections.
        for at in (places[-1], places[-1] - 1) if places else ():
            own = self._running[max(0, at)]
            if own.samples is None:
                _idle.discard(type(own.module))
            elif own.samples:
                own.attended = True
                return tuple(sample for sample in own.samples if sample.shape[0] == count)
        return ()


def _last(vectors: torch.Tensor, count: int) -> torch.Tensor:
    """Copy the last tokens of the first item, for some heads from the first to the last."""
    heads = int(vectors.shape[1])
    chosen = sorted({heads * place // HEADS for place in range(HEADS)})
    return vectors[0, chosen, -count:].clone()


def _rows(output: torch.Tensor, length: int) -> Iterator[torch.Tensor]:
    """Copy the last tokens of the first item, (tokens, width), along each axis that may be theirs.

    (items, tokens, width), (tokens, width), (items, tokens, heads, width) and
    (items, heads, tokens, width) are common.
    """
    rows, output = min(ROWS, length), output.detach()
    # As few operations as can be: they run in the middle of the user's pass.
    for axis in range(min(output.ndim - 1, 3)):
        if output.shape[axis] != length:
            continue
        if axis == 0:
            own = output[-rows:]
        elif axis == 1:
            own = output[0, -rows:]
        else:
            own = output[0, :, -rows:].movedim(1, 0)
        if own.ndim > 2:
            own = own.flatten(1)
        if own.shape[1] <= WIDEST:
            yield own.clone()


def _plain(value: Any) -> bool:
    """Whether something is a tensor of floating numbers that can be copied."""
    from attnlab.capture.plain import plain

    return plain(value) and value.is_floating_point()
