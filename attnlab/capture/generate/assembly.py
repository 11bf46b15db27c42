"""Combines the calls of one site in all passes of ``generate`` into one attention record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.generate.joined_steps import JoinedSteps, filled, joined
from attnlab.capture.generate.merged_terms import MergedTerms, Part, admit
from attnlab.capture.generate.rows import FirstRows, Rows, StepRows, part_of, rows_of
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.reading.kept_tensors import CERTIFIED_ITEMS
from attnlab.capture.record.attention_record import EarlierKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.capture.generate.returned_texts import Path
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
        self._parts: dict[tuple[object, ...], Part] = {}

    def record(self, site: SiteKey, first: AttentionRecord) -> AttentionRecord:
        """Return the record of a site over the whole text; `first` is the first pass's call.

        Raises
        ------
        UnreadableError
            If the calls cannot be combined.
        """
        stream, path = self._stream, self._path
        rows = list(rows_of(stream, path, site, first))
        queries = path.stop - path.start
        crosses = site in stream.crossing
        if crosses and any(row.keys != first.keys for row in rows):
            raise UnreadableError("its keys are neither the text nor those of an encoder")
        if first.items not in (stream.batch, stream.first.recorder.kept.items):
            raise UnreadableError(f"it attends over {first.items} items of {stream.batch} texts")
        # A sliding cache, or a first pass after tokens in the cache, may not have all keys.
        oldest = None if crosses else max(0, stream.start + stream.count - first.keys)
        keys = first.keys if oldest is None else path.stop - oldest
        parts = [self._part(row, oldest, keys) for row in rows]
        changes: dict[str, Any] = self._keys(rows, keys, oldest) | self._outputs(rows)
        if first.query is not None:
            offset = 0 if oldest is None else path.start - oldest
            changes["query"] = self._query(rows, queries)
            changes["terms"] = self._terms.of(parts, queries, keys, offset)
        if first.weights is not None:
            changes["weights"] = self._weights(rows, parts, queries, keys)
        calls = [row.call for row in rows if isinstance(row, StepRows)]
        doubts = [first.doubt, stream.faults.get(site, ""), *(call.doubt for call in calls)]
        doubts += [changes.pop("doubt", ""), self._changed(site, rows, changes)]
        return replace(first, **changes, doubt=next(filter(None, doubts), ""))

    def _part(self, row: Rows, oldest: int | None, keys: int) -> Part:
        """Describe where rows are in the whole call; the same object for sites that are alike."""
        if isinstance(row, FirstRows):
            return part_of(row, self._path.start, oldest, keys)
        # The steps keep these objects as long as this one exists.
        alike = id(row.block), id(row.call), row.start, oldest, keys
        part = self._parts.get(alike)
        if part is None:
            part = self._parts[alike] = part_of(row, self._path.start, oldest, keys)
        return part

    def _changed(self, site: SiteKey, rows: Sequence[Rows], changes: Mapping[str, Any]) -> str:
        """Return a doubt if the keys of the last step are not those that were recorded."""
        newest, last, key = self._stream.newest_keys(site), rows[-1], changes.get("key")
        if (
            newest is None
            or key is None
            or not isinstance(last, StepRows)
            or last.items is not None
        ):
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

    def _keys(self, rows: Sequence[Rows], count: int, oldest: int | None) -> dict[str, Any]:
        """Return the keys and values of the text, and those that earlier queries attended to."""
        first = rows[0]
        key, value = first.key, first.value
        if oldest is None or (key is None and value is None):
            return {"key": key, "value": value}
        # Without the unused keys of a static cache, and without guesses that were rejected.
        unused = max(0, first.keys - first.stop)
        used = first.keys - unused - (first.stop - first.start - first.count)
        steps = [row for row in rows[1:] if isinstance(row, StepRows)]
        if steps and all(row.call.changed is None for row in steps):
            missing = count - used - sum(row.count for row in steps)
            changes: dict[str, Any] = {"key": key, "value": value}
            if key is not None:
                changes["key"] = self._joined.after(key[:, :, :used], steps, "key", missing)
            if value is not None:
                changes["value"] = self._joined.after(value[:, :, :used], steps, "value", missing)
            return changes
        versions: list[Version] = [(0, [_until(key, used)], [_until(value, used)])]
        while steps:
            row = steps[0]
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
            end = next((n for n, step in enumerate(steps) if step.call.changed is not None), None)
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

    def _query(self, rows: Sequence[Rows], queries: int) -> torch.Tensor:
        """Put the queries of all passes together; NaN where no pass computed a row."""
        steps = [row for row in rows if isinstance(row, StepRows)]
        found = [
            tensor
            for row in rows
            if isinstance(row, FirstRows) and (tensor := row.query) is not None
        ]
        # Rows follow one another without gaps: only some before the first may not be computed.
        before = rows[0].start - self._path.start
        after = queries - before - sum(row.count for row in rows)
        some = found[0] if found else steps[0].query
        assert some is not None
        if before:
            found.insert(0, filled(some, before, torch.nan))
        leading = torch.cat(found, dim=2) if found else None
        result = self._joined.after(leading, steps, "query", after, torch.nan) if steps else leading
        if not steps and after:
            result = torch.cat([*found, filled(some, after, torch.nan)], dim=2)
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

    def _outputs(self, rows: Sequence[Rows]) -> dict[str, Any]:
        """Return the kernels' outputs that were kept, and their queries."""
        queries: list[int] = []
        outputs: list[torch.Tensor] = []
        for row in rows:
            kept = row.outputs
            # Of a text that ended before the others, later rows belong to another text.
            if kept is None or min(self._path.lengths) < row.start + row.count:
                continue
            positions, output = kept
            queries += [row.start - self._path.start + index for index in positions]
            outputs.append(output[:CERTIFIED_ITEMS])
        first = rows[0]
        if isinstance(first, FirstRows) and first.call.output is None:
            return {"rows": (), "output": None}  # The record has the reason.
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
