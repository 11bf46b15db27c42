"""Reads tokens with tokenizers of other libraries than transformers.

These have no common interface. tiktoken returns the bytes of an id, mistral-common, SentencePiece
and the tokenizers library return the entry of the vocabulary, and many small tokenizers only have
a method that decodes a list of ids. The methods are called for single ids. They are code of the
user: their exceptions become a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.decoded import decoded_text, decoded_texts
from attnlab.capture.tokens.tokens import (
    BYTE_PIECE,
    REPLACED,
    Style,
    TokenInfo,
    display_entries,
    sendable,
    spelled,
)
from attnlab.capture.tokens.vocabulary import VocabularyExcerpt, backend_style

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

READING = ("decode_single_token_bytes", "id_to_piece", "id_to_token")
"""Methods that return one entry: those of tiktoken, SentencePiece and the tokenizers library."""

SPECIAL = ("is_special_token", "is_special", "is_control")
"""Methods of tiktoken, mistral-common and SentencePiece: whether an id is special."""

KEEP = 1
"""`SpecialTokenPolicy.KEEP` of mistral-common, an integer: without it, its methods warn."""

UNNAMED = "Some tokens are shown as ids"
UNMARKED = "Special tokens are not marked"


def unwrapped(tokenizer: Any) -> Any:
    """Return the tokenizer in an object that only decodes, or else the object.

    Such objects are the processors of transformers, and ``MistralTokenizer`` of mistral-common.
    """
    if is_of_transformers(tokenizer) or any(_method(tokenizer, name) for name in READING):
        return tokenizer
    holder = _attribute(tokenizer, "instruct_tokenizer")
    inside = _attribute(tokenizer if holder is None else holder, "tokenizer")
    reads = is_of_transformers(inside) or any(_method(inside, name) for name in READING)
    return inside if reads else tokenizer


def is_of_transformers(tokenizer: Any) -> bool:
    """Whether a tokenizer is one of transformers."""
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    # `isinstance` may run code of a proxy's class.
    return issubclass(type(tokenizer), PreTrainedTokenizerBase)


class OtherTokenizer:
    """A tokenizer of another library, for the ids of one text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._name = type(tokenizer).__name__
        found = (_method(tokenizer, name) for name in READING)
        self._reading = next(filter(None, found), None)
        """Returns the entry of an id; None if there is no such method."""
        self._decode = _method(tokenizer, "decode")
        self._failures: dict[str, str] = {}
        """The first exception of its methods, by its effect on the tokens."""

    def describe(self, ids: Sequence[int]) -> tuple[list[TokenInfo], str]:
        """Return the tokens of `ids`, as they are to be shown, and a note."""
        if self._reading is None and self._decode is None:
            tokens = [TokenInfo(id=number, text=str(number), piece=str(number)) for number in ids]
            return tokens, (
                f"{self._name} has none of the methods of a tokenizer (decode, id_to_token): "
                "tokens are shown as ids."
            )
        special, added = self._special(set(ids))
        entries: Sequence[str | bytes | None]
        if self._reading is None:
            shown, entries = decoded_texts(self._decoded, ids)
        else:
            found = self._entries(ids)
            entries = [found[number] for number in ids]
            shown = self._shown(ids, entries, special | added)
        tokens = [
            TokenInfo(
                id=number,
                text=text,
                piece=_piece(entry, number),
                special=number in special,
                part=part,
            )
            for number, entry, (text, part) in zip(ids, entries, shown, strict=True)
        ]
        return tokens, self._failed or (
            f"The tokens were named by {self._name}, whose calls are not recorded, so the original "
            "text is unknown."
        )

    def excerpt(self, ids: Collection[int]) -> tuple[VocabularyExcerpt | None, str]:
        """Return the entries of some ids, if it has methods to read them, and a note if one raised.

        Each of them is to be shown on its own.
        """
        if self._reading is None and self._decode is None:
            return None, ""
        found = self._entries(ids)
        literal = {number for number, entry in found.items() if entry is None}
        literal |= set().union(*self._special(set(ids))) & found.keys()
        pieces = {
            number: _piece(entry, number) if entry is None or number in literal else entry
            for number, entry in found.items()
        }
        texts = [entry for entry in found.values() if isinstance(entry, str)]
        style = Style.PLAIN if self._reading is None else self._style(texts)
        return VocabularyExcerpt(style, pieces, frozenset(literal)), self._failed

    @property
    def _failed(self) -> str:
        """What the exceptions of its methods led to; empty if there were none."""
        return " ".join(f"{effect}: {cause}." for effect, cause in self._failures.items())

    def _decoded(self, ids: list[int]) -> Any:
        return self._call(UNNAMED, self._decode, ids)

    def _entries(self, ids: Iterable[int]) -> dict[int, str | bytes | None]:
        """Return the entry of each distinct id; None if the tokenizer has none."""
        return {number: self._entry(number) for number in dict.fromkeys(ids)}

    def _entry(self, number: int) -> str | bytes | None:
        if self._reading is None:
            return decoded_text(self._decoded([number]))
        entry = self._call(UNNAMED, self._reading, number)
        in_bytes = _method(self._tokenizer, "id_to_byte_piece")
        if isinstance(entry, str) and REPLACED in entry and in_bytes is not None:
            try:
                exact = in_bytes(number, KEEP)
            except Exception:  # noqa: BLE001 - raised in the user's code; the entry is shown
                exact = None
            return exact if isinstance(exact, bytes) else entry
        return entry if isinstance(entry, str | bytes) else None

    def _shown(
        self, ids: Sequence[int], found: Sequence[str | bytes | None], literal: set[int]
    ) -> list[tuple[str, bool]]:
        style = self._style([entry for entry in found if isinstance(entry, str)])
        entries: list[str | bytes] = []
        for number, entry in zip(ids, found, strict=True):
            if entry is None or number in literal:
                entries.append(_piece(entry, number))
            else:
                entries.append(spelled(entry, style) if isinstance(entry, str) else entry)
        return display_entries(entries)

    def _style(self, pieces: Sequence[str]) -> Style:
        """Return how entries are written, by the tokenizer's decoder or by their marks."""
        if _method(self._tokenizer, "id_to_byte_piece") is not None:
            return Style.PLAIN
        try:
            return backend_style(self._tokenizer)
        except Exception:  # noqa: BLE001 - not a tokenizer of the tokenizers library
            marks = {piece[:1] for piece in pieces}
            if marks & {"Ġ", "Ċ"}:
                return Style.BYTES
            spaces = "▁" in marks or any(map(BYTE_PIECE.fullmatch, pieces))
            return Style.SPACES if spaces else Style.PLAIN

    def _special(self, ids: set[int]) -> tuple[set[int], set[int]]:
        """Return the special ones of some ids, and all that are written as text."""
        asking = next(filter(None, (_method(self._tokenizer, name) for name in SPECIAL)), None)
        if asking is not None:
            return {number for number in ids if self._call(UNMARKED, asking, number) is True}, set()
        adding = _method(self._tokenizer, "get_added_tokens_decoder")
        if adding is not None:
            added = self._call(UNMARKED, adding)
            if isinstance(added, dict):
                return {n for n, token in added.items() if _attribute(token, "special")}, set(added)
        count = _attribute(self._tokenizer, "num_special_tokens")
        if isinstance(count, int):  # The first ids of mistral-common's Tekkenizer.
            return {number for number in ids if number < count}, set()
        return set(), set()

    def _call(self, effect: str, method: Any, *args: Any) -> Any:
        """Call a method of the tokenizer; None, and a note of the effect, if it raises."""
        try:
            return method(*args)
        except Exception as error:  # noqa: BLE001 - raised in the user's code
            if effect not in self._failures:
                name = _attribute(method, "__name__") or "its method"
                self._failures[effect] = f"{self._name}.{name} raised {_described(error)}"
            return None


def _method(tokenizer: Any, name: str) -> Callable[..., Any] | None:
    found = _attribute(tokenizer, name)
    return found if callable(found) else None


def _attribute(tokenizer: Any, name: str) -> Any:
    """Read an attribute; None if there is none, or if it raises."""
    try:
        return getattr(tokenizer, name, None)
    except Exception:  # noqa: BLE001 - raised in the user's code
        return None


def _described(error: Exception) -> str:
    try:
        message = sendable(str(error))[:200]
    except Exception:  # noqa: BLE001 - raised in the user's code
        message = ""
    name = type(error).__name__
    return f"{name}: {message}".rstrip(".") if message else name


def _piece(entry: str | bytes | None, number: int) -> str:
    """Return an entry as text; bytes that are not text as Python writes them."""
    if entry is None:
        return f"<{number}>"
    if isinstance(entry, str):
        return sendable(entry)
    try:
        return entry.decode("utf-8")
    except UnicodeDecodeError:
        return repr(entry)
