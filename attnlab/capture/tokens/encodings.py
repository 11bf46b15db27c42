"""Finds the text that became the tokens of a model call, among remembered tokenizer calls.

While a cell is watched, each result of its tokenizers is remembered. The ids of a model call are
looked up among them, newest first, which gives the tokenizer, the text and the position of every
token in it. Ids that are not found (tokenized in another cell) are named with the only tokenizer
of the notebook that fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.other_tokenizers import (
    OtherTokenizer,
    is_of_transformers,
    unwrapped,
)
from attnlab.capture.tokens.tokens import TokenInfo, sendable
from attnlab.capture.tokens.vocabulary import VocabularyExcerpt, describe
from attnlab.capture.transformers_internals import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

KEPT = 64
"""Number of tokenizer calls that are remembered; a loop may tokenize a whole data set."""

SEARCHED = 512
"""Number of texts of a remembered batch that are compared."""

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
    """One call of a tokenizer: its arguments and its result."""

    tokenizer: Any
    text: Any
    pair: Any
    result: Any

    def items(self) -> Iterator[Encoded]:
        """Yield the encoding of each text of the call."""
        encodings = getattr(self.result, "encodings", None)
        if encodings:
            # With overflow, one text has several encodings, so the indices of both differ.
            counted = len(encodings) == (len(self.text) if _batched(self.text) else 1)
            for index, encoding in enumerate(encodings[:SEARCHED]):
                texts = self._texts(index) if counted else []
                yield self._encoded(list(encoding.ids), texts, encoding)
            return
        for index, ids in enumerate(_rows(self.result)[:SEARCHED]):
            texts = self._texts(index)
            yield self._encoded(ids, texts, self._again(ids, texts))

    def _encoded(self, ids: list[int], texts: list[str], encoding: Any | None) -> Encoded:
        spans = _spans(encoding, texts) if encoding is not None and texts else None
        return Encoded(self.tokenizer, ids, spans, "\n".join(texts) if texts else None)

    def _texts(self, index: int) -> list[str]:
        """Return the text at an index, or the texts of a pair; empty unless it is plain text."""
        given = [self.text] if self.pair is None else [self.text, self.pair]
        items = [_item(text, index) for text in given]
        texts = [item for item in items if item is not None]
        return texts if len(texts) == len(given) else []

    def _again(self, ids: list[int], texts: list[str]) -> Any | None:
        """Make an encoding for a result without one (``encode`` returns only ids)."""
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


def _item(given: Any, index: int) -> str | None:
    item = given[index] if _batched(given) and index < len(given) else given
    return item if isinstance(item, str) else None


def _rows(result: Any) -> list[list[int]]:
    """Return the ids of a result without encodings: a list, an entry of a mapping, or a tensor."""
    ids = result["input_ids"] if hasattr(result, "keys") and "input_ids" in result else result
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(ids, list) or not ids:
        return []
    rows = ids if isinstance(ids[0], list) else [ids]
    return [row for row in rows if all(isinstance(number, int) for number in row)]


def _spans(encoding: Any, texts: list[str]) -> Spans:
    """Return spans in the texts joined by a newline; the second text of a pair starts after it."""
    starts = [0, len(texts[0]) + 1]
    return [
        (-1, -1) if sequence is None else (start + starts[sequence], end + starts[sequence])
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]


@dataclass
class Encodings:
    """The tokenizer calls of a watched cell."""

    calls: deque[Remembered] = field(default_factory=lambda: deque(maxlen=KEPT))

    def find(self, ids: Sequence[int]) -> Encoded | None:
        """Find the newest encoding whose ids equal `ids`, apart from padding at either end."""
        wanted = list(ids)
        for call in reversed(list(self.calls)):  # Other threads may add calls meanwhile.
            padding = getattr(call.tokenizer, "pad_token_id", None)
            bare, skipped = _stripped(wanted, padding)
            for item in call.items():
                if item.ids == wanted:
                    return item
                unpadded, before = _stripped(item.ids, padding)
                if unpadded and unpadded == bare:
                    return Encoded(
                        item.tokenizer,
                        wanted,
                        _moved(item.spans, before, len(unpadded), skipped, len(wanted)),
                        item.text,
                    )
        return None


def _stripped(ids: list[int], padding: int | None) -> tuple[list[int], int]:
    """Return `ids` without padding at either end, and the number of ids cut off at the front."""
    first, last = 0, len(ids)
    while first < last and ids[first] == padding:
        first += 1
    while last > first and ids[last - 1] == padding:
        last -= 1
    return ids[first:last], first


def _moved(spans: Spans | None, before: int, count: int, skipped: int, total: int) -> Spans | None:
    if spans is None:
        return None
    moved = spans[before : before + count]
    return [(-1, -1)] * skipped + moved + [(-1, -1)] * (total - skipped - count)


def resolve(
    ids: Sequence[int],
    encodings: Encodings,
    namespace: Mapping[str, Any],
    model: Any,
    prompt: int | None = None,
    given: Any | None = None,
) -> tuple[list[TokenInfo], str | None, str]:
    """Return the tokens of a model call's ids, their text if known, and a note if it is not.

    If the model has generated some of the ids, only the first `prompt` were tokenized. A `given`
    tokenizer, of any library, replaces those of the notebook.

    Returns
    -------
    tuple of (tokens, text, note)
        `text` is None and `note` gives the reason if the tokenizer call was not seen.
    """
    found = encodings.find(ids[:prompt])
    if found is not None:
        text = None if found.text is None else sendable(found.text)
        rest = list(ids[len(found.ids) :])
        spans = found.spans
        if rest and spans is not None:
            spans = [*spans, *[(-1, -1)] * len(rest)]
        return describe(found.tokenizer, [*found.ids, *rest], spans), text, ""
    tokenizer = tokenizer_of(ids, encodings, namespace, model, prompt, given)
    tokens, note = described(ids, tokenizer)
    if tokenizer is not None and is_of_transformers(tokenizer):
        note = (
            "The text was tokenized outside the watched cell, so its original characters are "
            "unknown."
        )
    return tokens, None, note


def described(ids: Sequence[int], tokenizer: Any | None) -> tuple[list[TokenInfo], str]:
    """Return tokens as a tokenizer of any library names them, and a note if it does not."""
    if tokenizer is None:
        tokens = [TokenInfo(id=number, text=str(number), piece=str(number)) for number in ids]
        return (
            tokens,
            "These ids are not from a tokenizer of the notebook: tokens are shown as ids.",
        )
    if not is_of_transformers(tokenizer):
        return OtherTokenizer(tokenizer).describe(ids)
    return describe(tokenizer, ids), ""


def tokenizer_of(
    ids: Sequence[int],
    encodings: Encodings,
    namespace: Mapping[str, Any],
    model: Any,
    prompt: int | None = None,
    given: Any | None = None,
) -> Any | None:
    """Return the tokenizer that `resolve` names ids with; None if it shows them as numbers."""
    found = encodings.find(ids[:prompt])
    if found is not None:
        return found.tokenizer
    if given is not None:
        given = unwrapped(given)
        if not is_of_transformers(given):
            return given
        namespace = {"tokenizer": given}
    return fitting(ids, namespace, model)


def excerpt_of(tokenizer: Any, ids: Collection[int]) -> tuple[VocabularyExcerpt | None, str]:
    """Look up entries of a tokenizer of any library; a note states which exception it raised."""
    if is_of_transformers(tokenizer):
        return VocabularyExcerpt.of(tokenizer, ids), ""
    return OtherTokenizer(tokenizer).excerpt(ids)


def fitting(ids: Sequence[int], namespace: Mapping[str, Any], model: Any) -> Any | None:
    """Find the notebook's tokenizer: the model's by name, else the only one that has all `ids`."""
    # A copy, since other threads may assign to the notebook's names meanwhile.
    values = {id(value): value for value in list(namespace.values())}.values()
    tokenizers = [value for value in values if is_of_transformers(value)]
    highest = max(ids, default=0)
    fits = [tokenizer for tokenizer in tokenizers if len(tokenizer) > highest]
    name = checkpoint_name(getattr(model, "config", None))
    named = [tokenizer for tokenizer in fits if name and tokenizer.name_or_path == name]
    if named:
        return named[-1]
    return fits[0] if len(fits) == 1 else None
