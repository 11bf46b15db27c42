"""The rows of a site that the passes of ``generate`` computed for the returned texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.capture.generate.merged_terms import Part
from attnlab.capture.generate.returned_texts import FIRST
from attnlab.capture.reading.errors import UnreadableError

if TYPE_CHECKING:
    import torch

    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.generate.step import Block, StepCall
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.terms import Term


@dataclass(eq=False, slots=True)
class ComputedRows:
    """Rows of one pass.

    Attributes
    ----------
    call
        The attention call.
    first, count
        The queries of the call that are meant.
    start
        Position of the first of them in the text.
    stop
        Number of tokens after the pass.
    items
        As in `Segment`.
    """

    call: AttentionRecord | StepCall
    first: int
    count: int
    start: int
    stop: int
    items: torch.Tensor | None

    @property
    def weights(self) -> torch.Tensor | None:
        """Shape (items, heads, all queries, keys); None if they follow from queries and keys."""
        return self.call.weights

    @property
    def keys(self) -> int:
        """Number of keys that the call was given."""
        return self.call.keys

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the call."""
        return self.call.terms

    def _selected(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        """Select the items of the returned texts."""
        if tensor is None or self.items is None:
            return tensor
        return tensor.index_select(0, self.items.to(tensor.device))

    def _queries(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        """Select the items of the returned texts, and the queries that are meant."""
        selected = self._selected(tensor)
        return None if selected is None else selected[:, :, self.first : self.first + self.count]


@dataclass(eq=False, slots=True)
class FirstRows(ComputedRows):
    """Rows of the first pass."""

    call: AttentionRecord

    @property
    def query(self) -> torch.Tensor | None:
        """Shape (texts, heads, queries, width)."""
        return self._queries(self.call.query)

    @property
    def key(self) -> torch.Tensor | None:
        """All keys of the call, (texts, groups, keys, width)."""
        return self._selected(self.call.key)

    @property
    def value(self) -> torch.Tensor | None:
        """All values of the call, (texts, groups, keys, width)."""
        return self._selected(self.call.value)

    @property
    def of(self) -> int:
        """Number of queries of the call."""
        return self.call.queries

    @property
    def outputs(self) -> tuple[list[int], torch.Tensor] | None:
        """The kept outputs, and their queries, counted from the first that is meant."""
        output = self.call.output
        if output is None or (self.items is not None and int(self.items.max()) >= len(output)):
            return None  # Those of later items were not kept.
        chosen = {
            index: query - self.first
            for index, query in enumerate(self.call.rows)
            if self.first <= query < self.first + self.count
        }
        selected = self._selected(output)
        assert selected is not None
        return list(chosen.values()), selected[:, list(chosen)]


@dataclass(eq=False, slots=True)
class StepRows(ComputedRows):
    """Rows of a step, of all sites that share the call.

    Each method takes the index of a site on the first axis of the block's tensors.

    Attributes
    ----------
    block
        The tensors of the calls.
    """

    call: StepCall
    block: Block

    def query(self, index: int) -> torch.Tensor | None:
        """Return the queries, (texts, heads, queries, width)."""
        return self._of_call(self.block.query, index)

    def key(self, index: int) -> torch.Tensor | None:
        """Return the keys that the step added, (texts, groups, queries, width), if it added any."""
        return self._of_call(self.block.key, index)

    def value(self, index: int) -> torch.Tensor | None:
        """Return the values that the step added, (texts, groups, queries, width), if any."""
        return self._of_call(self.block.value, index)

    @property
    def changed(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """All keys and values of the call, if they are not those of the passes before."""
        if self.call.changed is None:
            return None
        key, value = map(self._selected, self.call.changed)
        assert key is not None
        assert value is not None
        return key, value

    @property
    def of(self) -> int:
        """Number of new queries of the step."""
        tensor = self.block.query
        if tensor is not None:
            return int(tensor.shape[3])
        return self.count if self.weights is None else int(self.weights.shape[2])

    @property
    def has_outputs(self) -> bool:
        """Whether the output of the step's last query was kept, and is one of these rows."""
        return self.block.outputs is not None and self.first + self.count >= self.of

    def output(self, index: int) -> torch.Tensor:
        """Return the kept output, that of the step's last query."""
        assert self.block.outputs is not None
        selected = self._selected(self.block.outputs[index])
        assert selected is not None
        return selected

    def _of_call(self, tensor: torch.Tensor | None, index: int) -> torch.Tensor | None:
        return None if tensor is None else self._queries(tensor[index])


Rows = FirstRows | StepRows


def first_rows(stream: Stream, path: Path, record: AttentionRecord) -> FirstRows:
    """Return the rows of the first pass; `record` is its call.

    Raises
    ------
    UnreadableError
        If the call has more queries than the pass has tokens, or none of these rows.
    """
    segment = path.segments[0]
    # Some layers compute only the rows of the last tokens.
    missing = stream.count - record.queries
    if missing < 0:
        raise UnreadableError("its queries are more than the text")
    first = max(0, segment.offset - missing)
    kept = segment.offset + segment.count - missing - first
    if segment.step != FIRST or kept <= 0:
        raise UnreadableError("its first pass computed no row of the text")
    begin = segment.start + max(0, missing - segment.offset)
    stop = stream.start + stream.count
    return FirstRows(record, first, kept, begin, stop, segment.items)


def part_of(rows: Rows, start: int, oldest: int | None, keys: int) -> Part:
    """Describe where rows are in the whole call.

    Parameters
    ----------
    start
        Position of the first query of the whole call in the text.
    oldest
        Position of its first key; None if the keys are not those of the text.
    keys
        Number of its keys.
    """
    first = rows.start - start
    positions = range(keys)
    if oldest is not None:
        positions = range(max(0, rows.stop - rows.keys) - oldest, rows.stop - oldest)
    return Part(
        range(first, first + rows.count),
        positions,
        rows.keys,
        rows.first,
        rows.of,
        rows.items,
        rows.terms,
    )
