"""Combines the calls of one site in all passes of ``generate`` into one attention record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.generate.joined_steps import JoinedSteps, filled, joined
from attnlab.capture.generate.merged_terms import MergedTerms, Part, admit
from attnlab.capture.generate.rows import first_rows, part_of
from attnlab.capture.generate.shared_steps import SharedSteps
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.reading.kept_tensors import CERTIFIED_ITEMS
from attnlab.capture.record.attention_record import EarlierKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.generate.rows import FirstRows, Rows
    from attnlab.capture.generate.shared_steps import SiteSteps, StepGroup
    from attnlab.capture.generate.step import SiteKey
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.record.attention_record import AttentionRecord

    Version = tuple[int, list[torch.Tensor | None], list[torch.Tensor | None]]


class SiteAssembly:
    """Combines the calls of the sites of a stream.

    Parameters
    ----------
    stream, path
        The passes, and the texts that were returned.
    """

    def __init__(self, stream: Stream, path: Path) -> None:
        self._stream, self._path = stream, path
        self._terms = MergedTerms()
        self._joined = JoinedSteps()
        self._steps = SharedSteps(stream, path)
        self._parts: dict[tuple[object, ...], tuple[StepGroup, list[Part]]] = {}

    def record(self, site: SiteKey, call: AttentionRecord) -> AttentionRecord:
        """Return the record of a site over the whole text; `call` is the first pass's call.

        Raises
        ------
        UnreadableError
            If the calls cannot be combined.
        """
        stream, path = self._stream, self._path
        first, steps = first_rows(stream, path, call), self._steps.of(site)
        queries = path.stop - path.start
        crosses = site in stream.crossing
        if crosses and steps.group.key_counts - {call.keys}:
            raise UnreadableError("its keys are neither the text nor those of an encoder")
        if call.items not in (stream.batch, stream.first.recorder.kept.items):
            raise UnreadableError(f"it attends over {call.items} items of {stream.batch} texts")
        # A sliding cache, or a first pass after tokens in the cache, may not have all keys.
        oldest = None if crosses else max(0, stream.start + stream.count - call.keys)
        keys = call.keys if oldest is None else path.stop - oldest
        parts = [part_of(first, path.start, oldest, keys)]
        parts += self._parts_of(steps.group, oldest, keys)
        changes: dict[str, Any] = self._keys(first, steps, keys, oldest)
        changes |= self._outputs(first, steps)
        if call.query is not None:
            offset = 0 if oldest is None else path.start - oldest
            changes["query"] = self._query(first, steps, queries)
            changes["terms"] = self._terms.of(parts, queries, keys, offset)
        if call.weights is not None:
            rows: list[Rows] = [first, *steps.group.rows]
            changes["weights"] = self._weights(rows, parts, queries, keys)
        doubts = [call.doubt, stream.faults.get(site, ""), steps.group.doubt]
        doubts += [changes.pop("doubt", ""), self._changed(site, steps, changes)]
        return replace(call, **changes, doubt=next(filter(None, doubts), ""))

    def _parts_of(self, group: StepGroup, oldest: int | None, keys: int) -> list[Part]:
        """Describe where the rows of steps are in the whole call."""
        # The group is kept, so that no other one gets the same id.
        identity = id(group), oldest, keys
        if identity not in self._parts:
            parts = [part_of(row, self._path.start, oldest, keys) for row in group.rows]
            self._parts[identity] = group, parts
        return self._parts[identity][1]

    def _changed(self, site: SiteKey, steps: SiteSteps, changes: Mapping[str, Any]) -> str:
        """Return a doubt if the keys of the last step are not those that were recorded."""
        newest, key = self._stream.newest_keys(site), changes.get("key")
        if newest is None or key is None or not steps:
            return ""
        last = steps.group.rows[-1]
        if last.items is not None:
            return ""
        if last.call.changed is not None or self._stream.recomputed:
            return ""  # They were compared in each step.
        if site in self._stream.crossing:
            old, new = key, newest
        else:
            count = min(last.keys, last.stop)
            end = last.start + last.count - (self._path.stop - int(key.shape[2]))
            unaccepted = last.stop - last.start - last.count
            new = newest[:, :, : count - unaccepted]
            old = key[:, :, end - int(new.shape[2]) : end]
        same = old.shape == new.shape and torch.equal(old, new.detach())
        return "" if same else "its cache changed earlier keys during generate()"

    def _keys(
        self, first: FirstRows, steps: SiteSteps, count: int, oldest: int | None
    ) -> dict[str, Any]:
        """Return the keys and values of the text, and those that earlier queries attended to."""
        key, value = first.key, first.value
        if oldest is None or (key is None and value is None):
            return {"key": key, "value": value}
        # Without the unused keys of a static cache, and without guesses that were rejected.
        unused = max(0, first.keys - first.stop)
        used = first.keys - unused - (first.stop - first.start - first.count)
        if steps and steps.group.changed is None:
            missing = count - used - steps.group.count
            changes: dict[str, Any] = {"key": key, "value": value}
            if key is not None:
                changes["key"] = self._joined.after(key[:, :, :used], steps, "key", missing)
            if value is not None:
                changes["value"] = self._joined.after(value[:, :, :used], steps, "value", missing)
            return changes
        versions: list[Version] = [(0, [_until(key, used)], [_until(value, used)])]
        while steps:
            row = steps.group.rows[0]
            if row.changed is not None:
                keys, values = row.changed
                stop = int(keys.shape[2]) - (row.stop - row.start - row.count)
                begin = row.start - self._path.start
                dropped = max(0, row.stop - int(keys.shape[2]) - oldest)
                versions.append(
                    (begin, [_after(dropped, keys, stop)], [_after(dropped, values, stop)])
                )
                steps = steps[1:]
                continue
            end = steps.group.changed
            same, steps = steps[:end], steps[len(steps) if end is None else end :]
            versions[-1][1].append(self._joined.after(None, same, "key"))
            versions[-1][2].append(self._joined.after(None, same, "value"))
        found = [
            (begin, _of_count(keys, count), _of_count(values, count))
            for begin, keys, values in versions
        ]
        *before, (_, key, value) = found
        stops = [begin for begin, _, _ in found[1:]]
        earlier = tuple(
            EarlierKeys(stop, keys, values)
            for stop, (_, keys, values) in zip(stops, before, strict=True)
            if keys is not None
        )
        return {"key": key, "value": value, "earlier": earlier}

    def _query(self, first: FirstRows, steps: SiteSteps, queries: int) -> torch.Tensor:
        """Put the queries of all passes together; NaN where no pass computed a row."""
        # Rows follow one another without gaps: only some before the first may not be computed.
        before = first.start - self._path.start
        after = queries - before - first.count - steps.group.count
        result = first.query
        assert result is not None
        if before:
            result = torch.cat([filled(result, before, torch.nan), result], dim=2)
        if steps:
            result = self._joined.after(result, steps, "query", after, torch.nan)
        elif after:
            result = torch.cat([result, filled(result, after, torch.nan)], dim=2)
        assert result is not None
        for text, length in enumerate(self._path.lengths):
            if length < self._path.stop:
                result[text, :, length - self._path.start :] = torch.nan
        return result

    def _weights(
        self, rows: Sequence[Rows], parts: Sequence[Part], queries: int, keys: int
    ) -> torch.Tensor:
        """Put the weights of all passes together."""
        result = None
        for row, part in zip(rows, parts, strict=True):
            if row.weights is None:
                raise UnreadableError("the weights of some steps were not seen")
            tensor = part.cut(row.weights)
            if result is None:
                shape = (self._path.texts, int(tensor.shape[1]), queries, keys)
                admit(shape, tensor.element_size())
                result = tensor.new_full(shape, torch.nan)
            target = result[:, :, part.queries.start : part.queries.stop]
            target.zero_()
            target[..., part.keys.start : part.keys.stop] = tensor
        assert result is not None
        for text, length in enumerate(self._path.lengths):
            result[text, :, length - self._path.start :] = torch.nan
        return result

    def _outputs(self, first: FirstRows, steps: SiteSteps) -> dict[str, Any]:
        """Return the kernels' outputs that were kept, and their queries."""
        if first.call.output is None:
            return {"rows": (), "output": None}  # The record has the reason.
        queries: list[int] = []
        outputs: list[torch.Tensor] = []
        # Of a text that ended before the others, later rows belong to another text.
        shortest = min(self._path.lengths)
        if (kept := first.outputs) is not None and first.start + first.count <= shortest:
            queries += [first.start - self._path.start + index for index in kept[0]]
            outputs.append(kept[1][:CERTIFIED_ITEMS])
        for row, index in zip(steps.group.rows, steps.indices, strict=True):
            if row.has_outputs and row.start + row.count <= shortest:
                queries.append(row.start - self._path.start + row.count - 1)
                outputs.append(row.output(index)[:CERTIFIED_ITEMS])
        if not outputs:
            return {"rows": (), "output": None, "doubt": "no output of its rows was kept"}
        return {"rows": tuple(queries), "output": torch.cat(outputs, dim=1)}


def _after(count: int, tensor: torch.Tensor, stop: int) -> torch.Tensor:
    """Return the first keys or values, after zeros for those that a sliding cache has dropped."""
    items, groups, _, width = tensor.shape
    return torch.cat([tensor.new_zeros((items, groups, count, width)), tensor[:, :, :stop]], dim=2)


def _until(tensor: torch.Tensor | None, stop: int) -> torch.Tensor | None:
    """Return the first keys or values."""
    return None if tensor is None else tensor[:, :, :stop]


def _of_count(tensors: Sequence[torch.Tensor | None], count: int) -> torch.Tensor | None:
    """Join keys or values along the text; zeros for tokens that no query attends to."""
    return joined(tensors, count - sum(int(one.shape[2]) for one in tensors if one is not None))
