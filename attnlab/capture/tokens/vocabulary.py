"""Reads a tokenizer's vocabulary: its entries, how they are written, and which are special."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.tokens import Style, TokenInfo, display, display_entries, sendable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, eq=False)
class VocabularyExcerpt:
    """Some entries of a vocabulary, without the tokenizer: the notebook may delete it.

    Attributes
    ----------
    style
        How the vocabulary writes its entries.
    pieces
        The entries by id; bytes if the tokenizer returns those.
    literal
        The ids of entries that are written as text: special and added tokens.
    """

    style: Style
    pieces: Mapping[int, str | bytes]
    literal: frozenset[int]

    @classmethod
    def of(cls, tokenizer: Any, ids: Iterable[int]) -> VocabularyExcerpt:
        """Look up entries; their texts are made later, since that takes ten times as long."""
        pieces = {number: _piece(tokenizer, number) for number in ids}
        literal = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        return cls(style(tokenizer), pieces, frozenset(literal & pieces.keys()))

    def text(self, number: int) -> str:
        """Return the text of a token on its own; the id for an entry that is not included."""
        piece = self.pieces.get(number)
        if piece is None:
            return str(number)
        if isinstance(piece, bytes):
            return display_entries([piece])[0][0]
        return display([piece], self.style, [number in self.literal])[0][0]


def style(tokenizer: Any) -> Style:
    """Return how the vocabulary of a tokenizer writes its entries, according to its decoder."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        if hasattr(tokenizer, "byte_decoder"):
            return Style.BYTES
        if hasattr(tokenizer, "sp_model"):
            return Style.SPACES
        return Style.WORDPIECE if hasattr(tokenizer, "wordpiece_tokenizer") else Style.PLAIN
    return backend_style(backend)


def backend_style(backend: Any) -> Style:
    """Return how the vocabulary of a tokenizer of the tokenizers library writes its entries."""
    # The decoder reverses the pre-tokenizer; a tokenizer may have only one of them.
    for component in (backend.decoder, backend.pre_tokenizer, backend.model):
        found = _named(component)
        if "ByteLevel" in found:
            return Style.BYTES
        if found & {"Metaspace", "ByteFallback", "▁"}:
            return Style.SPACES
        if "WordPiece" in found:
            return Style.WORDPIECE
    return Style.PLAIN


def _named(component: Any) -> set[str]:
    """Return all names in a component's description, e.g. {"Sequence", "ByteFallback", "▁"}.

    The description of a model contains its whole vocabulary, so only its class is read.
    """
    if component is None:
        return set()
    name = type(component).__name__
    if name in ("WordPiece", "BPE", "Unigram", "WordLevel"):
        return {"Metaspace"} if name == "Unigram" else {name}
    found: set[str] = {name}
    pending: list[Any] = [json.loads(component.__getstate__())]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, str):
            found.add(item)
    return found


def describe(
    tokenizer: Any, ids: Sequence[int], spans: Sequence[tuple[int, int]] | None = None
) -> list[TokenInfo]:
    """Return the tokens of `ids`, as they are to be shown.

    Parameters
    ----------
    tokenizer
        The tokenizer that `ids` belong to.
    ids
        Token ids, including padding.
    spans
        For each token, its first character and one past its last; (-1, -1) if unknown.
    """
    special = set(tokenizer.all_special_ids)
    added = tokenizer.added_tokens_decoder
    pieces = [_piece(tokenizer, number) for number in ids]
    literal = [number in special or number in added for number in ids]
    shown = display(pieces, style(tokenizer), literal)
    positions = spans if spans is not None else [(-1, -1)] * len(ids)
    return [
        TokenInfo(
            id=number,
            text=text,
            piece=sendable(piece),
            special=number in special,
            start=start,
            end=end,
            part=part,
        )
        for number, piece, (text, part), (start, end) in zip(
            ids, pieces, shown, positions, strict=True
        )
    ]


def _piece(tokenizer: Any, number: int) -> str:
    """Look up the vocabulary's entry; ids beyond it (a padded embedding) are shown as numbers."""
    try:
        piece = tokenizer.convert_ids_to_tokens(int(number))
    except (IndexError, KeyError, OverflowError, ValueError):
        piece = None
    return piece if isinstance(piece, str) else f"<{number}>"
