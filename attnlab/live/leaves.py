"""The texts in what tokenizer calls were given: in batches, pairs and conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOKEN = ("content", "text")
"""Keys of a message whose values are texts; its role is none."""


def leaves(given: Any) -> list[str]:
    """List the texts in a value, in order."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, dict):
        spoken = SPOKEN if SPOKEN[0] in given or SPOKEN[1] in given else tuple(given)
        return [text for key in spoken if key in given for text in leaves(given[key])]
    if isinstance(given, list | tuple):
        return [text for own in given for text in leaves(own)]
    return []


def replaced(given: Any, texts: Iterator[str]) -> Any:
    """Copy a value with other texts in the places of its own, as many as it has.

    Raises
    ------
    StopIteration
        Where there are too few.
    """
    if isinstance(given, str):
        return next(texts)
    if isinstance(given, dict):
        spoken = SPOKEN if SPOKEN[0] in given or SPOKEN[1] in given else tuple(given)
        new = {key: replaced(given[key], texts) for key in spoken if key in given}
        return {key: new.get(key, own) for key, own in given.items()}
    if isinstance(given, list | tuple):
        return type(given)([replaced(own, texts) for own in given])
    return given
