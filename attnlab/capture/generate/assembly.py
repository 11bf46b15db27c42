"""Combines the calls of one site in all passes of ``generate`` into one attention record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from attnlab.capture.generate.merged_terms import MergedTerms, Part, admit
from attnlab.capture.generate.path import FIRST
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.reading.kept_tensors import CERTIFIED_ITEMS
from attnlab.capture.record.attention_record import EarlierKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.generate.path import Path
    from attnlab.capture.generate.step import Block, SiteKey, StepCall
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.reading.noted_attention import NotedAttention
    from attnlab.capture.record.attention_record import AttentionRecord


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one site that one pass computed, and that belong to the returned texts.

    Attributes
    ----------
    record
        The first pass's call; None for a step.
    block, call
        The call of a step; None for the first pass.
    first, count
        The queries of the pass's call that are meant.
    start
        Position of the first of them in the text.
    items
        As in `Segment`.
    """

    record: AttentionRecord | None
    block: Block | None
    call: StepCall | None
    first: int
    count: int
    start: int
    items: torch.Tensor | None

    def tensor(self, name: str) -> torch.Tensor | None:
        """Return a tensor of the call: (texts, heads or groups, …)."""
        if self.record is not None:
            return self.selected(getattr(self.record, name))
        assert self.block is not None
        assert self.call is not None
        tensor = getattr(self.block, name)
        return self.selected(None if tensor is None else tensor[self.call.index])

    def selected(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        """Select the items of the returned texts."""
        if tensor is None or self.items is None:
            return tensor
        return tensor.index_select(0, self.items.to(tensor.device))

    @property
    def terms(self) -> tuple[object, ...]:
        """The terms of the call."""
        source = self.record if self.record is not None else self.call
        assert source is not None
        return source.terms


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

    def record(self, site: SiteKey, noted: NotedAttention) -> AttentionRecord:
        """Return the record of a site over the whole text.

        Raises
        ------
        UnreadableError
            If the calls cannot be combined.
        """
        crosses = site in self._stream.crossing
        rows = list(self._rows(site, noted))
        first = noted.record
        fault = self._stream.faults.get(site, "")
        doubts = [first.doubt, fault, *(row.call.doubt for row in rows if row.call is not None)]
        return replace(
            first,
            **self._vectors(rows, first, crosses),
            **self._outputs(rows),
            doubt=next(filter(None, doubts), ""),
        )

    def _rows(self, site: SiteKey, noted: NotedAttention) -> Iterator[Rows]:
        stream = self._stream
        for segment in self._path.segments:
            if segment.step == FIRST:
                given = stream.count
                # Some layers compute only the rows of the last tokens.
                missing = given - noted.record.queries
                first = max(0, segment.offset - missing)
                count = segment.offset + segment.count - missing - first
                start = segment.start + max(0, missing - segment.offset)
                if count > 0:
                    yield Rows(noted.record, None, None, first, count, start, segment.items)
                continue
            step = stream.steps[segment.step]
            if site not in step.calls:
                raise UnreadableError("it was not called in every step of generate()")
            block, call = step.calls[site]
            yield Rows(
                None, block, call, segment.offset, segment.count, segment.start, segment.items
            )

    def _vectors(
        self, rows: list[Rows], first: AttentionRecord, crosses: bool
    ) -> dict[str, object]:
        """Return the queries, keys, values, terms and weights of the whole call."""
        path = self._path
        queries = path.stop - path.start
        if crosses:
            keys, values = self._crossed(rows[0])
            offset, count, earlier = 0, first.keys, ()
        else:
            oldest = self._oldest(rows, first)
            keys, values, earlier = self._keys(rows, first, oldest)
            offset, count = path.start - oldest, path.stop - oldest
        parts = [self._part(row, crosses, offset, count) for row in rows]
        result: dict[str, object] = {"rotary_sample": first.rotary_sample}
        if first.query is not None:
            query = self._spread(rows, "query", queries)
            result |= {"query": query, "key": keys, "earlier": earlier}
            result["terms"] = self._terms.of(parts, queries, count, offset)
        result["value"] = values
        if first.weights is not None:
            result["weights"] = self._weights(rows, parts, queries, count)
        return result

    def _oldest(self, rows: list[Rows], first: AttentionRecord) -> int:
        """Return the position of the first key that any query was given."""
        return max(0, self._stream.start + self._stream.count - first.keys)

    def _part(self, row: Rows, crosses: bool, offset: int, keys: int) -> Part:
        record, call = row.record, row.call
        if record is not None:
            given, of, end = record.keys, record.queries, self._stream.start + self._stream.count
        else:
            assert call is not None
            assert row.block is not None
            assert row.block.query is not None or call.weights is not None
            of = int((row.block.query if row.block.query is not None else call.weights).shape[-2])
            given, end = call.keys, row.start - row.first + of
        first_query = row.start - self._path.start
        positions = range(keys)
        if not crosses:
            oldest = self._path.start - offset
            positions = range(max(0, end - given) - oldest, end - oldest)
        return Part(
            range(first_query, first_query + row.count),
            positions,
            given,
            row.first,
            of,
            row.items,
            row.terms,  # type: ignore[arg-type]
        )

    def _crossed(self, row: Rows) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        return row.tensor("key"), row.tensor("value")

    def _keys(
        self, rows: list[Rows], first: AttentionRecord, oldest: int
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, tuple[EarlierKeys, ...]]:
        """Return the keys and values of the text, and those that earlier queries attended to."""
        versions: list[tuple[int, list[torch.Tensor], list[torch.Tensor]]] = []
        path, filled = self._path, 0
        for row in rows:
            if row.record is not None:
                if row.record.key is None and row.record.value is None:
                    return None, None, ()
                unused = self._stream.start + self._stream.count - oldest
                stop = path.segments[0].start + path.segments[0].count - oldest
                key, value = row.tensor("key"), row.tensor("value")
                parts = [
                    None if tensor is None else tensor[:, :, : min(unused, stop)]
                    for tensor in (key, value)
                ]
                versions.append((0, [parts[0]], [parts[1]]))  # type: ignore[list-item]
                filled = min(unused, stop)
                continue
            call = row.call
            assert call is not None
            end = row.start + row.count - oldest
            if call.changed is not None:
                key, value = (row.selected(tensor) for tensor in call.changed)
                assert key is not None
                assert value is not None
                versions.append((row.start - path.start, [key[:, :, :end]], [value[:, :, :end]]))
            else:
                for name, into in (("key", versions[-1][1]), ("value", versions[-1][2])):
                    tensor = row.tensor(name)
                    if tensor is not None:
                        into.append(tensor[:, :, row.first : row.first + row.count])
            filled = end
        length = path.stop - oldest
        whole = []
        for begin, keys, values in versions:
            whole.append((begin, _joined(keys, length), _joined(values, length)))
        *before, (_, key, value) = whole
        stops = [begin for begin, _, _ in whole[1:]]
        earlier = tuple(
            EarlierKeys(stop, keys, values)
            for stop, (_, keys, values) in zip(stops, before, strict=True)
        )
        return key, value, earlier

    def _spread(self, rows: list[Rows], name: str, queries: int) -> torch.Tensor:
        """Put the rows of all passes together; NaN where no pass computed a row."""
        tensors = []
        for row in rows:
            tensor = row.tensor(name)
            assert tensor is not None
            tensors.append(tensor[:, :, row.first : row.first + row.count])
        items, heads, _, width = tensors[0].shape
        shape = (items, heads, queries, width)
        result = tensors[0].new_full(shape, torch.nan) if self._gaps(rows, queries) else None
        if result is None:
            return torch.cat(tensors, dim=2)
        for row, tensor in zip(rows, tensors, strict=True):
            begin = row.start - self._path.start
            result[:, :, begin : begin + row.count] = tensor
        for text, length in enumerate(self._path.lengths):
            result[text, :, length - self._path.start :] = torch.nan
        return result

    def _gaps(self, rows: list[Rows], queries: int) -> bool:
        computed = sum(row.count for row in rows)
        return computed < queries or min(self._path.lengths) < self._path.stop

    def _weights(
        self, rows: list[Rows], parts: list[Part], queries: int, keys: int
    ) -> torch.Tensor:
        """Put the weights of all passes together."""
        result = None
        for row, part in zip(rows, parts, strict=True):
            source = row.record.weights if row.record is not None else row.call.weights  # type: ignore[union-attr]
            if source is None:
                raise UnreadableError("the weights of some steps were not seen")
            tensor = part.cut(source)
            if result is None:
                shape = (self._path.texts, int(tensor.shape[1]), queries, keys)
                admit(shape, tensor.element_size())
                result = tensor.new_full(shape, torch.nan)
            target = result[:, :, part.queries.start : part.queries.stop]
            target.zero_()
            target[..., part.keys.start : part.keys.stop] = tensor
        assert result is not None
        return result

    def _outputs(self, rows: list[Rows]) -> dict[str, object]:
        """Return the kernels' outputs that were kept, and their queries."""
        queries: list[int] = []
        outputs: list[torch.Tensor] = []
        for row in rows:
            kept = self._first_outputs(row) if row.record is not None else self._last_output(row)
            if kept is not None:
                positions, output = kept
                queries += [row.start - self._path.start + index for index in positions]
                outputs.append(output[:CERTIFIED_ITEMS])
        if not outputs:
            return {"rows": (), "output": None, "doubt": "no output of its steps was kept"}
        return {"rows": tuple(queries), "output": torch.cat(outputs, dim=1)}


    def _first_outputs(self, row: Rows) -> tuple[list[int], torch.Tensor] | None:
        """Return the kept outputs of the first pass, and their queries from the row's first on."""
        assert row.record is not None
        output = row.record.output
        if output is None or (row.items is not None and int(row.items.max()) >= len(output)):
            return None  # Those of later items were not kept.
        chosen = [
            (index, query - row.first)
            for index, query in enumerate(row.record.rows)
            if row.first <= query < row.first + row.count
        ]
        selected = row.selected(output)
        assert selected is not None
        return [query for _, query in chosen], selected[:, [index for index, _ in chosen]]

    def _last_output(self, row: Rows) -> tuple[list[int], torch.Tensor] | None:
        """Return the kept output of a step, that of its last query."""
        assert row.block is not None
        output, query = row.tensor("output"), row.block.query
        size = row.count if query is None else int(query.shape[3])
        if output is None or row.first + row.count < size:
            return None
        if min(self._path.lengths) < row.start + row.count:
            return None  # Some texts have ended before.
        return [row.count - 1], output


def _joined(tensors: list[torch.Tensor], length: int) -> torch.Tensor | None:
    """Join keys or values along the text; zeros for tokens that no query attends to."""
    if not tensors or tensors[0] is None:
        return None
    have = sum(int(tensor.shape[2]) for tensor in tensors)
    if have < length:
        items, groups, _, width = tensors[0].shape
        tensors = [*tensors, tensors[0].new_zeros((items, groups, length - have, width))]
    return torch.cat(tensors, dim=2)
