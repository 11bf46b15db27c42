"""Converts entries of a vocabulary to readable text.

A vocabulary's entries are not text. Byte-level BPE writes bytes as substitute letters ("Ġthe",
and "ä½ł" for one Chinese character), SentencePiece writes spaces as "▁" and may write bytes as
"<0xE4>", WordPiece marks the continuation of a word with "##". And text may contain characters
that a page cannot display as they are: NUL, control characters, marks that reverse the direction
of all following text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.tokens.image_position import ImagePosition


@dataclass(frozen=True)
class TokenInfo:
    """One token; the fields are those of `attnlab.server.messages.Token`.

    A stale token was generated from an earlier version of the text before it. `image` is set for
    image tokens and patches whose image is known.
    """

    id: int
    text: str
    piece: str
    special: bool = False
    start: int = -1
    end: int = -1
    part: bool = False
    padding: bool = False
    stale: bool = False
    image: ImagePosition | None = None


class Style(Enum):
    """How a vocabulary writes its entries."""

    PLAIN = "plain"
    BYTES = "byte-level BPE"
    SPACES = "sentencepiece"
    WORDPIECE = "WordPiece"


REPLACED = "\ufffd"
"""What decoders return for bytes that are not a character."""

BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")

# Marks that change the direction of the text around them. They are shown as code points:
# as they are, they would reorder the text of the panel without a visible reason.
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@cache
def letters() -> dict[str, int]:
    """Map each substitute letter of byte-level BPE to its byte (GPT-2's `bytes_to_unicode`)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in plain}
    rest = (byte for byte in range(256) if chr(byte) not in table)
    return table | {chr(256 + index): byte for index, byte in enumerate(rest)}


def visible(text: str) -> str:
    r"""Replace the characters of `text` that cannot be displayed, sent or stored.

    Newlines become "⏎", other control characters their Unicode control picture, direction marks
    their code point in brackets, and lone surrogates "\ufffd".
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return "⏎"
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0 or character in DIRECTIONS or character in "\u2028\u2029":
        return f"⟨U+{code:04X}⟩"
    if 0xD800 <= code < 0xE000:
        return "\ufffd"
    return character


def sendable(text: str) -> str:
    """Replace lone surrogates, which JSON and UTF-8 cannot encode; the length stays the same."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def spelled(piece: str, style: Style) -> bytes:
    """Return the bytes that an entry of the vocabulary stands for."""
    if style is Style.BYTES:
        table = letters()
        if all(letter in table for letter in piece):
            return bytes(table[letter] for letter in piece)
        # Added tokens are written as text, not in substitute letters.
    elif style is Style.SPACES:
        match = BYTE_PIECE.fullmatch(piece)
        if match:
            return bytes([int(match[1], 16)])
        piece = piece.replace("▁", " ")
    elif style is Style.WORDPIECE and len(piece) > 2:
        piece = piece.removeprefix("##")
    return piece.encode("utf-8", "replace")


def display(
    pieces: Sequence[str], style: Style, literal: Sequence[bool] = ()
) -> list[tuple[str, bool]]:
    """Return the text to show for each entry, and whether it shares a character with a neighbor.

    A character whose bytes are spread over several entries is shown completely on each of them.

    Parameters
    ----------
    pieces
        The vocabulary's entries, in the order of the text.
    style
        How the vocabulary writes them.
    literal
        True for entries that are written as text (special and added tokens) and so share no
        character with a neighbor; missing values are False.
    """
    marks = [*literal, *[False] * (len(pieces) - len(literal))]
    return display_entries(
        [
            piece if mark else spelled(piece, style)
            for piece, mark in zip(pieces, marks, strict=True)
        ]
    )


def display_entries(entries: Sequence[str | bytes]) -> list[tuple[str, bool]]:
    """Return what `display` returns, for entries that are text, or bytes of the whole text.

    Text is shown as it is; it shares no character with a neighbor.
    """
    shown: list[tuple[str, bool]] = []
    run: list[bytes] = []
    for entry in entries:
        if isinstance(entry, bytes):
            run.append(entry)
        else:
            shown += _joined(run)
            run = []
            shown.append((visible(entry), False))
    return shown + _joined(run)


def _joined(run: list[bytes]) -> list[tuple[str, bool]]:
    """Decode `run` as one text and give every entry the characters that it is part of."""
    texts = [""] * len(run)
    parts = [False] * len(run)
    owners = [index for index, piece in enumerate(run) for _ in piece]
    data = b"".join(run)
    at = 0
    while at < len(data):
        width = _width(data, at)
        character = data[at : at + width].decode("utf-8", "replace")
        shared = sorted(set(owners[at : at + width]))
        # Part of a character: its bytes are more informative than a replacement character.
        known = width > 1 or data[at] < 0x80
        for owner in shared:
            texts[owner] += visible(character) if known else f"⟨{data[at]:02X}⟩"
            parts[owner] |= len(shared) > 1
        at += width
    return list(zip(texts, parts, strict=True))


def _width(data: bytes, at: int) -> int:
    """Return the number of bytes of the UTF-8 character at `at`; 1 if it is incomplete."""
    lead = data[at]
    width = (
        1 if lead < 0xC2 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 if lead < 0xF5 else 1
    )
    try:
        data[at : at + width].decode("utf-8")
    except UnicodeDecodeError:
        return 1
    return width
