"""Which text became the tokens of a model call: the tokenizer's calls, remembered.

While a cell is watched, each result of its tokenizers is kept. A model call's ids are
then looked up among them, newest first, which gives the tokenizer, the text and every
token's place in it. Ids found nowhere (tokenized in another cell) are still named by
the one tokenizer of the notebook that fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens import TokenInfo, sendable
from attnlab.capture.vocabulary import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEPT = 64
"""Tokenizer calls remembered; a loop that tokenizes a data set must not be kept whole."""

SEARCHED = 512
"""Items of one remembered batch that are compared."""

Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Encoded:
    """One text as a tokenizer encoded it."""

    tokenizer: Any
    ids: list[int]
    spans: Spans | None
    text: str | None


@dataclass(frozen=True)
class Remembered:
    """One call of a tokenizer: what it was given and what it returned."""

    tokenizer: Any
    text: Any
    pair: Any
    result: Any

    def items(self) -> Iterator[Encoded]:
        """Each text of the call, encoded."""
        encodings = getattr(self.result, "encodings", None)
        if encodings:
            # With overflow one text has several encodings: then texts cannot be counted off.
            counted = len(encodings) == (len(self.text) if _batched(self.text) else 1)
            for place, encoding in enumerate(encodings[:SEARCHED]):
                texts = self._texts(place) if counted else []
                yield self._encoded(list(encoding.ids), texts, encoding)
            return
        for place, ids in enumerate(_rows(self.result)[:SEARCHED]):
            texts = self._texts(place)
            yield self._encoded(ids, texts, self._again(ids, texts))

    def _encoded(self, ids: list[int], texts: list[str], encoding: Any | None) -> Encoded:
        spans = _spans(encoding, texts) if encoding is not None and texts else None
        return Encoded(self.tokenizer, ids, spans, "\n".join(texts) if texts else None)

    def _texts(self, place: int) -> list[str]:
        """Give the text of an item, or the two of a pair; empty where it is no plain text."""
        given = [self.text] if self.pair is None else [self.text, self.pair]
        items = [_item(text, place) for text in given]
        texts = [item for item in items if item is not None]
        return texts if len(texts) == len(given) else []

    def _again(self, ids: list[int], texts: list[str]) -> Any | None:
        """Make an encoding for a result that has none (``encode`` gives bare ids)."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None or not texts:
            return None
        for specials in (True, False):
            encoding = backend.encode(*texts, add_special_tokens=specials)
            if list(encoding.ids) == ids:
                return encoding
        return None


def _batched(text: Any) -> bool:
    return isinstance(text, list | tuple)


def _item(given: Any, place: int) -> str | None:
    item = given[place] if _batched(given) and place < len(given) else given
    return item if isinstance(item, str) else None


def _rows(result: Any) -> list[list[int]]:
    """Ids of a tokenizer's result without encodings: bare, in a mapping, or a tensor."""
    ids = result["input_ids"] if hasattr(result, "keys") and "input_ids" in result else result
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(ids, list) or not ids:
        return []
    rows = ids if isinstance(ids[0], list) else [ids]
    return [row for row in rows if all(isinstance(number, int) for number in row)]


def _spans(encoding: Any, texts: list[str]) -> Spans:
    """Spans in the texts joined by a newline; a pair's second text starts after it."""
    starts = [0, len(texts[0]) + 1]
    return [
        (-1, -1) if own is None else (start + starts[own], end + starts[own])
        for (start, end), own in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]


@dataclass
class Encodings:
    """The tokenizer calls of a watched cell."""

    calls: deque[Remembered] = field(default_factory=lambda: deque(maxlen=KEPT))

    def find(self, ids: Sequence[int]) -> Encoded | None:
        """Find the encoding whose ids are `ids`, padding at either end aside; the newest first."""
        wanted = list(ids)
        for call in reversed(list(self.calls)):  # Other threads may add some meanwhile.
            padding = getattr(call.tokenizer, "pad_token_id", None)
            bare, skipped = _stripped(wanted, padding)
            for item in call.items():
                if item.ids == wanted:
                    return item
                own, before = _stripped(item.ids, padding)
                if own and own == bare:
                    return Encoded(
                        item.tokenizer,
                        wanted,
                        _moved(item.spans, before, len(own), skipped, len(wanted)),
                        item.text,
                    )
        return None


def _stripped(ids: list[int], padding: int | None) -> tuple[list[int], int]:
    """`ids` without padding at either end, and how many were cut off the front."""
    first, last = 0, len(ids)
    while first < last and ids[first] == padding:
        first += 1
    while last > first and ids[last - 1] == padding:
        last -= 1
    return ids[first:last], first


def _moved(spans: Spans | None, before: int, count: int, skipped: int, total: int) -> Spans | None:
    if spans is None:
        return None
    own = spans[before : before + count]
    return [(-1, -1)] * skipped + own + [(-1, -1)] * (total - skipped - count)


def resolve(
    ids: Sequence[int],
    encodings: Encodings,
    namespace: Mapping[str, Any],
    model: Any,
    prompt: int | None = None,
) -> tuple[list[TokenInfo], str | None, str]:
    """Tokens of a model call's ids, their text where known, and a note where it is not.

    Of ids that the model has lengthened itself, the first `prompt` were tokenized.

    Returns
    -------
    tuple of (tokens, text, note)
        `text` is None and `note` says why where the tokenizer's call was not seen.
    """
    found = encodings.find(ids[:prompt])
    if found is not None:
        text = None if found.text is None else sendable(found.text)
        rest = list(ids[len(found.ids) :])
        spans = found.spans
        if rest and spans is not None:
            spans = [*spans, *[(-1, -1)] * len(rest)]
        return describe(found.tokenizer, [*found.ids, *rest], spans), text, ""
    tokenizer = fitting(ids, namespace, model)
    if tokenizer is not None:
        note = "The text was tokenized outside the watched cell: its characters are not known."
        return describe(tokenizer, ids), None, note
    tokens = [TokenInfo(id=number, text=str(number), piece=str(number)) for number in ids]
    return tokens, None, "No tokenizer of the notebook made these ids: tokens show as numbers."


def fitting(ids: Sequence[int], namespace: Mapping[str, Any], model: Any) -> Any | None:
    """Find the notebook's tokenizer: the model's by name, else the only one that fits `ids`."""
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    # A copy, since other threads may write to the notebook's names meanwhile; `type`, since
    # `isinstance` may run a proxy's own code.
    values = {id(value): value for value in list(namespace.values())}.values()
    tokenizers = [value for value in values if issubclass(type(value), PreTrainedTokenizerBase)]
    highest = max(ids, default=0)
    fits = [tokenizer for tokenizer in tokenizers if len(tokenizer) > highest]
    name = getattr(getattr(model, "config", None), "_name_or_path", "")
    named = [tokenizer for tokenizer in fits if name and tokenizer.name_or_path == name]
    if named:
        return named[-1]
    return fits[0] if len(fits) == 1 else None
