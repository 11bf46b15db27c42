"""Combines the terms of the passes of ``generate`` into the terms of one call over the whole text.

Each pass has masks and biases for its own queries and keys. Whatever hides keys is combined into
one matrix, which is then expressed as causality, a window and hidden keys if it is no more than
that. Other terms must be the same operations in all passes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.capture.generate.visible import (
    added_by,
    causal_keys,
    visible_keys,
    window_keys,
)
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record import memory
from attnlab.capture.record.terms import (
    Bias,
    Causal,
    Fill,
    Floor,
    Mask,
    Scale,
    Softcap,
    Term,
    Window,
    identity_of,
    tensor_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

HIDING = (Causal, Window, Mask)

DIFFERENT = "its steps compute its scores with different operations"


@dataclass(frozen=True, eq=False)
class Part:
    """The terms of one pass, and where its queries and keys are in the whole call.

    Attributes
    ----------
    queries, keys
        Their positions in the whole call.
    given
        Number of keys that the pass was given: those at `keys`, and unused ones after them.
    first
        Which of the pass's queries is the first that is meant.
    of
        Number of the pass's queries.
    items
        As in `Segment`.
    terms
        Its terms.
    """

    queries: range
    keys: range
    given: int
    first: int
    of: int
    items: torch.Tensor | None
    terms: tuple[Term, ...]

    def cut(self, tensor: torch.Tensor) -> torch.Tensor:
        """Select the texts, queries and keys that are meant of (items, heads, queries, keys)."""
        if tensor.shape[0] > 1 and self.items is not None:
            tensor = tensor.index_select(0, self.items.to(tensor.device))
        if tensor.shape[2] > 1:
            tensor = tensor[:, :, self.first : self.first + len(self.queries)]
        return tensor[..., : len(self.keys)] if tensor.shape[3] > 1 else tensor


class MergedTerms:
    """Combines the terms of calls; remembers the results for layers that share their masks."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[object, tuple[Term, ...]]] = {}
        self._identities: dict[int, tuple[Part, tuple[object, ...]]] = {}

    def of(self, parts: Sequence[Part], queries: int, keys: int, offset: int) -> tuple[Term, ...]:
        """Return the terms of the whole call.

        Parameters
        ----------
        parts
            The passes, in order; queries of the whole call that no part has are not computed.
        queries, keys
            Their numbers in the whole call.
        offset
            Position of the first query among the keys.

        Raises
        ------
        UnreadableError
            If the terms cannot be combined, or would take too much memory.
        """
        identity = (queries, keys, offset, *map(self._identity, parts))
        if identity not in self._known:
            # The parts are kept, so that no other tensors get the same ids.
            self._known[identity] = (list(parts), _merged(parts, queries, keys, offset))
        return self._known[identity][1]

    def _identity(self, part: Part) -> tuple[object, ...]:
        """Return what identifies a part; computed once for the sites that share it."""
        known = self._identities.get(id(part))
        if known is None:
            terms = tuple(map(identity_of, part.terms))
            identity = part.queries, part.keys, part.given, part.first, *terms
            known = self._identities[id(part)] = part, identity
        return known[1]


def _merged(parts: Sequence[Part], queries: int, keys: int, offset: int) -> tuple[Term, ...]:
    lists = [_scoring(part) for part in parts]
    longest = max(lists, key=len)
    counts: Counter[type] = Counter()
    merged: list[Term] = []
    for term in longest:
        kind, number = type(term), counts[type(term)]
        counts[kind] += 1
        found = [_nth(terms, kind, number) for terms in lists]
        merged.append(_combined(kind, found, parts, queries, keys))
    if any(
        count > counts[kind] for terms in lists for kind, count in Counter(map(type, terms)).items()
    ):
        raise UnreadableError(DIFFERENT)
    return (*merged, *_hiding(parts, queries, keys, offset))


def _scoring(part: Part) -> list[Term]:
    """Return the terms that change scores of visible keys."""
    terms: list[Term] = []
    for term in part.terms:
        if isinstance(term, Mask):
            added = added_by(term.tensor)
            terms += [] if added is None else [added]
        elif not isinstance(term, HIDING):
            terms.append(term)
    return terms


def _nth(terms: Sequence[Term], kind: type, number: int) -> Term | None:
    found = [term for term in terms if type(term) is kind]
    return found[number] if number < len(found) else None


def _combined(
    kind: type, terms: list[Term | None], parts: Sequence[Part], queries: int, keys: int
) -> Term:
    """Combine one term of all parts; parts without it apply no such operation."""
    present = [term for term in terms if term is not None]
    if kind in (Softcap, Floor):
        values = {next(iter(vars(term).values())) for term in present}
        if len(present) < len(parts) or len(values) > 1:
            raise UnreadableError(DIFFERENT)
        return present[0]
    if kind is Scale:
        return _scaled(present, parts, queries, keys)
    if kind is Bias:
        tensors = [None if term is None else tensor_of(term) for term in terms]
        return Bias(_assembled(tensors, parts, queries, keys, 0))
    scores = {term.score for term in present if isinstance(term, Fill)}
    if len(scores) > 1:
        raise UnreadableError(DIFFERENT)
    wheres = [term.where if isinstance(term, Fill) else None for term in terms]
    return Fill(_assembled(wheres, parts, queries, keys, False), scores.pop())


def _scaled(terms: list[Term], parts: Sequence[Part], queries: int, keys: int) -> Term:
    factors = [term.factor for term in terms if isinstance(term, Scale)]
    if len(factors) < len(parts):
        raise UnreadableError(DIFFERENT)
    first = factors[0]
    if not isinstance(first, torch.Tensor):
        if all(factor == first for factor in factors):
            return terms[0]
        rows = torch.ones(1, 1, queries, 1)
        for part, factor in zip(parts, factors, strict=True):
            if isinstance(factor, torch.Tensor):
                raise UnreadableError(DIFFERENT)
            rows[:, :, part.queries.start : part.queries.stop] = factor
        return Scale(rows)
    if any(not isinstance(factor, torch.Tensor) for factor in factors):
        raise UnreadableError(DIFFERENT)
    same = all(
        factor.shape == first.shape and torch.equal(factor, first)
        for factor in factors
        if isinstance(factor, torch.Tensor)
    )
    if same and first.shape[2] == 1:
        return terms[0]
    tensors = [tensor for tensor in map(tensor_of, terms) if tensor is not None]
    width = keys if any(tensor.shape[3] > 1 for tensor in tensors) else 1
    return Scale(_assembled(tensors, parts, queries, width, 1))


def _assembled(
    tensors: Sequence[torch.Tensor | None],
    parts: Sequence[Part],
    queries: int,
    keys: int,
    default: float | bool,
) -> torch.Tensor:
    """Put tensors of parts together, (items, heads, queries, keys); `default` where there is none.

    If each part's tensor has one row for all queries, which continues those of earlier parts, the
    last of them is the result.
    """
    present = [
        (part, part.cut(tensor))
        for part, tensor in zip(parts, tensors, strict=True)
        if tensor is not None
    ]
    last_part, last = present[-1]
    if len(present) == len(parts) and len(last_part.keys) in (keys, 1) and last.shape[2] == 1:
        prefix = [
            torch.equal(tensor, last[..., part.keys.start : part.keys.stop])
            if tensor.shape[3] > 1
            else torch.equal(tensor, last)
            for part, tensor in present
            if tensor.shape[:3] == last.shape[:3]
        ]
        if len(prefix) == len(present) and all(prefix):
            return last
    items, heads = (max(tensor.shape[axis] for _, tensor in present) for axis in (0, 1))
    shape = (items, heads, queries, keys)
    admit(shape, last.element_size())
    result = last.new_full(shape, default)
    for part, tensor in present:
        target = result[:, :, part.queries.start : part.queries.stop]
        if keys > 1:
            target = target[..., part.keys.start : part.keys.stop]
        target.copy_(tensor.expand(target.shape))
    return result


def _hiding(parts: Sequence[Part], queries: int, keys: int, offset: int) -> list[Term]:
    """Return terms that hide the keys that the parts hide."""
    if all(_plainly_causal(part, offset) for part in parts):
        return [Causal(offset)]
    hides = [(part, _visible(part)) for part in parts]
    items, heads = (
        max([1, *(seen.shape[axis] for _, seen in hides if seen is not None)]) for axis in (0, 1)
    )
    device = next((seen.device for _, seen in hides if seen is not None), torch.device("cpu"))
    admit((items, heads, queries, keys), 1)
    whole = torch.zeros((items, heads, queries, keys), dtype=torch.bool, device=device)
    computed = torch.zeros((queries, 1), dtype=torch.bool, device=device)
    for part, seen in hides:
        rows = whole[:, :, part.queries.start : part.queries.stop]
        target = rows[..., part.keys.start : part.keys.stop]
        target.copy_(torch.ones((), dtype=torch.bool) if seen is None else seen)
        computed[part.queries.start : part.queries.stop] = True
    return _expressed(whole, computed, offset)


def _plainly_causal(part: Part, offset: int) -> bool:
    """Whether a part's queries attend to exactly the keys up to their own position."""
    if part.keys.start or len(part.keys) < part.given:
        return False
    position = part.queries.start + offset
    kinds = [term for term in part.terms if isinstance(term, HIDING)]
    if not kinds:
        return len(part.queries) == 1 and part.keys.stop == position + 1
    return (
        len(kinds) == 1
        and isinstance(kinds[0], Causal)
        and kinds[0].offset + part.first == position
        and part.keys.stop >= part.queries.stop + offset
    )


def _visible(part: Part) -> torch.Tensor | None:
    """Return what a part's queries attend to, (items or 1, heads or 1, queries, keys)."""
    seen = visible_keys(part.terms, part.of, part.given)
    if seen is None:
        if len(part.keys) < part.given:
            raise UnreadableError("it attends to unused keys of its cache")
        return None
    unused = seen[:, :, part.first : part.first + len(part.queries), len(part.keys) :]
    if bool(unused.any()):
        raise UnreadableError("it attends to unused keys of its cache")
    return part.cut(seen)


def _expressed(whole: torch.Tensor, computed: torch.Tensor, offset: int) -> list[Term]:
    """Express which keys are visible by as few numbers as possible."""
    queries, keys = whole.shape[2:]
    causal = causal_keys(queries, keys, offset).to(whole.device)
    columns = whole.any(dim=2, keepdim=True)
    # Of the last computed query, the visible keys before its own position.
    last = int(computed[:, 0].nonzero()[-1])
    newest = whole[..., last, :].any(dim=0).any(dim=0).nonzero()
    size = last + offset + 1 - int(newest[0]) if len(newest) else keys
    candidates: list[tuple[list[Term], torch.Tensor]] = [([Causal(offset)], causal)]
    if size < last + offset + 1:
        window = causal & window_keys(queries, keys, offset, size).to(whole.device)
        candidates.append(([Causal(offset), Window(size, offset)], window))
    for terms, seen in candidates:
        if _same(whole, seen, computed):
            return terms
        if _same(whole, seen & columns, computed):
            return [*terms, Mask(columns)]
    return [Mask(whole)]


def _same(whole: torch.Tensor, seen: torch.Tensor, computed: torch.Tensor) -> bool:
    return not bool(((whole != seen) & computed).any())


def admit(shape: tuple[int, ...], size: int) -> None:
    """Refuse a matrix over tokens that takes more memory than all traces may.

    Raises
    ------
    UnreadableError
        If it does.
    """
    nbytes = size
    for length in shape:
        nbytes *= length
    limit = memory.budget()
    if nbytes > limit:
        raise UnreadableError(
            f"its mask or bias over the whole text takes {memory.readable(nbytes)}, more than "
            f"{memory.readable(limit)} (set {memory.VARIABLE} for more)"
        )
