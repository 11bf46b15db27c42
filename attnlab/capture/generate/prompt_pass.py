"""The pass that repeats the prompt of ``generate``, and the tokens that stay after an edited one.

An edited prompt is computed again as the first pass computes it. The generated tokens are not
generated again: they stay after the prompt, marked as stale and without rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import caches
from attnlab.capture.feed.model_inputs import arguments
from attnlab.capture.generate.merged_terms import MergedTerms, Part
from attnlab.capture.inspection.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from attnlab.capture.generate.recording import GenerateRecording
    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.capture.tokens.tokens import TokenInfo

TRANSIENT = frozenset(
    {"cache_position", "use_cache", "logits_to_keep", "decoder_position_ids", "encoder_outputs",
     "return_dict", "output_attentions", "output_hidden_states", "next_sequence_length",
     "is_first_iteration"}
)  # fmt: skip
"""Arguments of the first pass that do not change what it computes of its tokens."""


def prompt_arguments(recording: GenerateRecording, stream: Stream, path: Path) -> dict[str, Any]:
    """Return keyword arguments of a pass of the model over the prompt of ``generate``."""
    first = stream.first
    given = _lasting(arguments(first.model, first.args, first.kwargs), stream.start)
    if first.inputs.decoder is not None:
        encoder = next((part for part in recording.parts if part.inputs.ids), None)
        if encoder is not None:
            given = _lasting(arguments(encoder.model, encoder.args, encoder.kwargs), 0) | given
    chosen = path.items_of_first
    if chosen != list(range(stream.batch)):
        given = {name: _selected(value, chosen, stream.batch) for name, value in given.items()}
    prompt = path.prompt - path.start
    if path.ids is not None and prompt > stream.count and "input_ids" in given:
        # The prompt was given in several pieces.
        ids = given["input_ids"]
        given = {name: value for name, value in given.items() if not _spans(value, stream.count)}
        given["input_ids"] = ids.new_tensor([row[:prompt] for row in path.ids])
    return given


def _lasting(given: Mapping[str, Any], start: int) -> dict[str, Any]:
    """Leave out caches that ``generate`` created, and what depends on them."""
    return {
        name: value
        for name, value in given.items()
        if value is not None and name not in TRANSIENT and (start or not caches(value))
    }


def _selected(value: Any, items: list[int], batch: int) -> Any:
    if not is_tensor(value) or not value.ndim or value.shape[0] != batch:
        return value
    return value.index_select(0, value.new_tensor(items).long())


def _spans(value: Any, tokens: int) -> bool:
    return is_tensor(value) and value.ndim >= 2 and tokens in value.shape[1:]


def with_stale_tokens(call: RecordedCall, written: Sequence[Sequence[TokenInfo]]) -> RecordedCall:
    """Append tokens that were generated from another prompt to a call over a prompt."""
    count = len(written[0]) if written else 0
    main = call.sequences[0]
    if not count or len(main.items) != len(written):
        return call
    items = [
        replace(item, tokens=[*item.tokens, *(replace(token, stale=True) for token in tokens)])
        for item, tokens in zip(main.items, written, strict=True)
    ]
    terms = MergedTerms()
    records = [
        _lengthened(record, terms, count if rows == 0 else 0, count if columns == 0 else 0)
        for record, (rows, columns) in zip(call.records, call.axes, strict=True)
    ]
    sequences = [replace(main, items=items), *call.sequences[1:]]
    return replace(call, sequences=sequences, records=records, generated=len(main))


def _lengthened(
    record: AttentionRecord, terms: MergedTerms, queries: int, keys: int
) -> AttentionRecord:
    """Add queries that attend to nothing, and keys that no query attends to."""
    if not queries and not keys:
        return record
    import torch

    rows, columns = record.queries, record.keys
    changes: dict[str, Any] = {}
    if record.query is not None and record.key is not None:
        part = Part(range(rows), range(columns), columns, 0, rows, None, record.terms)
        changes["query"] = _padded(record.query, queries, torch.nan)
        changes["key"] = _padded(record.key, keys, 0)
        changes["terms"] = terms.of([part], rows + queries, columns + keys, columns - rows)
    if record.value is not None:
        changes["value"] = _padded(record.value, keys, 0)
    if record.weights is not None:
        wide = torch.nn.functional.pad(record.weights, (0, keys))
        changes["weights"] = _padded(wide, queries, torch.nan)
    return replace(record, **changes)


def _padded(tensor: torch.Tensor, count: int, value: float) -> torch.Tensor:
    import torch

    return torch.nn.functional.pad(tensor, (0, 0, 0, count), value=value)
