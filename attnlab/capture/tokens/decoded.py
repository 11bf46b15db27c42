"""Shows tokens with a tokenizer that only decodes lists of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.tokens import REPLACED, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 8
"""Maximum number of tokens that are decoded together to find a character that they share."""


def decoded_texts(
    decode: Callable[[list[int]], Any], ids: Sequence[int]
) -> tuple[list[tuple[str, bool]], list[str | None]]:
    r"""Decode each id, and the ids that share a character together.

    A decoder returns "\ufffd" for an id that is part of a character. Its bytes are unknown, so
    the character is found by decoding it with the ids after it.

    Parameters
    ----------
    decode
        Returns the text of some ids, or another value if it fails.
    ids
        The ids of one text.

    Returns
    -------
    tuple of (shown, entries)
        By token: the text to show, and whether it shares a character with a neighbor; and the
        text of the single id, None if unknown.
    """
    texts = {number: decoded_text(decode([number])) for number in dict.fromkeys(ids)}
    entries = [texts[number] for number in ids]
    shown: list[tuple[str, bool]] = []
    while len(shown) < len(ids):
        at = len(shown)
        entry = entries[at]
        if entry is None:
            shown.append((f"<{ids[at]}>", False))
            continue
        count = _shared(decode, ids, entries, at) if REPLACED in entry else 1
        if count > 1:
            whole = decoded_text(decode(list(ids[at : at + count]))) or ""
            shown += [(visible(whole), True)] * count
        else:
            shown.append((visible(entry), False))
    return shown, entries


def _shared(
    decode: Callable[[list[int]], Any],
    ids: Sequence[int],
    entries: Sequence[str | None],
    at: int,
) -> int:
    """Return the number of ids from `at` on that have whole characters together; 1 if none do."""
    for end in range(at + 1, min(at + LONGEST, len(ids))):
        if REPLACED not in (entries[end] or ""):
            return 1
        whole = decoded_text(decode(list(ids[at : end + 1])))
        if whole is not None and REPLACED not in whole:
            return end + 1 - at
    return 1


def decoded_text(decoded: Any) -> str | None:
    """Return decoded text; None for another value, or for nothing, as of a special token."""
    return decoded if isinstance(decoded, str) and decoded else None
