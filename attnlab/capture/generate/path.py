"""Follows the texts that ``generate`` returned through its passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.generate.returned_texts import FIRST, Path, Segment, UnmatchedError

if TYPE_CHECKING:
    from attnlab.capture.generate.stream import Stream


def path_of(
    stream: Stream,
    returned: torch.Tensor | None,
    given: int | None,
    kept: int | None = None,
    given_ids: int = 0,
) -> Path:
    """Follow the returned texts through the passes.

    Parameters
    ----------
    stream
        The passes.
    returned
        Shape (texts, tokens): the ids that ``generate`` returned; None if unknown.
    given
        Number of tokens that ``generate`` was given; None if unknown.
    kept
        Number of items of the first pass that were kept; None for all.
    given_ids
        Number of ids of each text that ``generate`` was given, and may return before the generated
        ones although the model was given embeddings.

    Raises
    ------
    UnmatchedError
        If the passes did not compute these texts.
    """
    spans = _spans(stream)
    first = stream.start + stream.count
    shift = None if returned is None else _shift(stream, returned, given)
    if given is None or stream.ids is None:
        prompt = first
    else:
        prompt = given + (shift if shift is not None else stream.start)
    if shift is None:
        shift = prompt - (given_ids if stream.ids is None else 0)
    ends = _ends(stream, spans, returned, shift)
    items = _items(stream, ends)
    if kept is not None and kept < stream.batch:
        texts = next((n for n, item in enumerate(items[FIRST]) if item >= kept), len(ends))
        if any(item >= kept for row in items.values() for item in row[:texts]) or not texts:
            raise UnmatchedError("its batch takes too much memory")
        ends, items = ends[:texts], {step: row[:texts] for step, row in items.items()}
        returned = None if returned is None else returned[:texts]
    return _path(stream, spans, items, returned, prompt, shift, ends)


def _spans(stream: Stream) -> list[tuple[int, int, int]]:
    """Return the passes and the positions that they computed for good: (step, start, stop).

    In assisted decoding, a later pass replaces the tokens that were rejected.
    """
    passes = [(FIRST, stream.start, stream.start + stream.count)]
    passes += [(index, step.start, step.stop) for index, step in enumerate(stream.steps)]
    spans, limit = [], stream.stop
    for index, start, stop in reversed(passes):
        if start < min(stop, limit):
            spans.append((index, start, min(stop, limit)))
            limit = start
    return spans[::-1]


def _pass_ids(stream: Stream, step: int) -> torch.Tensor | None:
    return stream.ids if step == FIRST else stream.steps[step].ids


@dataclass(frozen=True)
class _End:
    """Where one text ends: the step, the item of that step, and the number of tokens."""

    step: int
    item: int
    length: int


def _ends(
    stream: Stream,
    spans: list[tuple[int, int, int]],
    returned: torch.Tensor | None,
    shift: int,
) -> list[_End]:
    last, _, stop = spans[-1]
    if returned is None:
        return [_End(last, item, stop) for item in range(stream.batch)]
    if spans[0][0] != FIRST:
        raise UnmatchedError("its steps replaced what its first pass computed")
    rows = returned.tolist()
    step_ids = {step: _tolist(_pass_ids(stream, step)) for step, _, _ in spans}
    parents = [_tolist(step.parents) for step in stream.steps]
    ends = []
    for text, row in enumerate(rows):
        likely, candidates = _candidates(stream, text, len(rows))
        end = None
        for step, start, stop in spans:
            ids = step_ids[step]
            if step != FIRST:
                before = parents[step]
                if before is not None:
                    candidates = [
                        item for item in range(stream.batch) if before[item] in candidates
                    ]
            if ids is None:
                end = _End(step, candidates[0], stop)
                continue
            want = row[max(0, start - shift) : max(0, stop - shift)]
            lengths = {item: _agreement(ids[item], want) for item in candidates}
            best = max(lengths.values(), default=0)
            if not best:
                break
            candidates = [item for item in candidates if lengths[item] == best]
            item = likely if likely in candidates else candidates[0]
            end = _End(step, item, start + best)
            if best < stop - start:
                break
        if end is None:
            raise UnmatchedError("what it returned does not begin with what it was given")
        ends.append(end)
    return ends


def _candidates(stream: Stream, text: int, texts: int) -> tuple[int, list[int]]:
    """Return which item of the first pass a text probably continues, and all that it may."""
    likely = text * stream.batch // texts
    if stream.beams:
        # Every beam of a prompt descends from the first one.
        first = likely - likely % stream.beams
        return first, list(range(first, first + stream.beams))
    if stream.ids is None and texts <= stream.batch:
        return likely, [likely]
    return likely, list(range(stream.batch))


def _shift(stream: Stream, returned: torch.Tensor, given: int | None) -> int | None:
    """Return the position of the first returned token in the text.

    None if the returned tokens do not begin with those that the model was given: then they are
    only the generated ones.
    """
    if stream.ids is None:
        return None
    # In assisted decoding, the first pass is given guesses as well.
    length = stream.count if given is None else min(stream.count, given)
    known = stream.ids[None, :, :length].to(returned.device)
    # A text may begin with the tokens in the cache, or with some or none of them.
    for offset in (stream.start, *range(int(returned.shape[1]) - length + 1)):
        part = returned[:, None, offset : offset + length]
        if part.shape[2] == length and bool((part == known).all(-1).any(1).all()):
            shift: int = stream.start - offset
            return shift
    return None


def _items(stream: Stream, ends: list[_End]) -> dict[int, list[int]]:
    """Return, by step, the item of each text; of texts that have ended before, item 0."""
    result: dict[int, list[int]] = {}
    current = [0] * len(ends)
    for step in range(len(stream.steps) - 1, FIRST - 1, -1):
        current = [
            end.item if end.step == step else item for end, item in zip(ends, current, strict=True)
        ]
        result[step] = current
        if step != FIRST:
            before = _tolist(stream.steps[step].parents)
            if before is not None:
                current = [before[item] for item in current]
    return result


def _path(
    stream: Stream,
    spans: list[tuple[int, int, int]],
    items: dict[int, list[int]],
    returned: torch.Tensor | None,
    prompt: int,
    shift: int,
    ends: list[_End],
) -> Path:
    lengths = [end.length for end in ends]
    longest = max(lengths)
    chosen_until = _chosen_until(stream, ends, items)
    segments = []
    for step, start, stop in spans:
        if start >= longest:
            break
        first = stream.start if step == FIRST else stream.steps[step].start
        same = items[step] == list(range(stream.batch))
        chosen = None if same else torch.tensor(items[step])
        count = min(stop, longest) - start
        segments.append(Segment(step, start - first, count, start, chosen))
    ids = _ids_of(stream, segments, len(ends))
    context = None
    if returned is not None:
        rows = returned.tolist()
        tails = [row[max(0, prompt - shift) :] for row in rows]
        if shift < prompt and stream.ids is not None:
            before = stream.start - shift
            context = [row[:before] for row in rows] if before else None
            ids = [row[before:] for row in rows]
        elif ids is not None:
            given = prompt - stream.start
            ids = [row[:given] + tail for row, tail in zip(ids, tails, strict=True)]
        return Path(segments, stream.start, prompt, lengths, chosen_until, ids, context, tails)
    written = (
        _ids_of(stream, [part for part in segments if part.start >= prompt], len(ends))
        if ids is None
        else [row[prompt - stream.start :] for row in ids]
    )
    written = written or [[]] * len(ends)
    return Path(segments, stream.start, prompt, lengths, chosen_until, ids, context, written)


def _chosen_until(stream: Stream, ends: list[_End], items: dict[int, list[int]]) -> list[int]:
    """Return, by text, the number of tokens that it was given or that were chosen for it."""
    # One more token was chosen after the last one that was passed to the model.
    counts = [end.length + 1 for end in ends]
    if any(step.parents is not None for step in stream.steps):
        return counts  # The rows changed places; what was filled in was not passed to the model.
    rows = items[FIRST]
    return [min(count, stream.endings.of(row)) for count, row in zip(counts, rows, strict=True)]


def _ids_of(stream: Stream, segments: list[Segment], texts: int) -> list[list[int]] | None:
    """Return the ids of the segments' tokens by text; None if some are unknown."""
    result: list[list[int]] = [[] for _ in range(texts)]
    for segment in segments:
        ids = _pass_ids(stream, segment.step)
        if ids is None:
            return None
        chosen = ids if segment.items is None else ids.index_select(0, segment.items.to(ids.device))
        part = chosen[:, segment.offset : segment.offset + segment.count].tolist()
        for row, new in zip(result, part, strict=True):
            row.extend(new)
    return result


def _agreement(ids: list[int], want: list[int]) -> int:
    """Return how many first ids are those that were returned."""
    count = 0
    for one, other in zip(ids, want, strict=False):
        if one != other:
            break
        count += 1
    return count


def _tolist(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.tolist()
