"""Texts in nested arguments of tokenizer calls: batches, pairs and conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_KEYS = ("content", "text")
"""Keys of a message whose values are texts; its role is not a text."""


def texts_in(value: Any) -> list[str]:
    """List the texts in a value, in order; only exact built-in containers are searched."""
    kind = type(value)
    if issubclass(kind, str):
        return [str.__str__(value)]  # the content, if it is a subclass, e.g. of NumPy
    if kind is dict:
        return [text for key in _text_keys(value) if key in value for text in texts_in(value[key])]
    if kind is list or kind is tuple:
        return [text for item in value for text in texts_in(item)]
    return []


def replace_texts(value: Any, texts: Iterator[str]) -> Any:
    """Copy a value with its texts replaced, in order.

    Raises
    ------
    StopIteration
        If there are fewer new texts than texts in the value.
    """
    kind = type(value)
    if issubclass(kind, str):
        return next(texts)
    if kind is dict:
        new = {key: replace_texts(value[key], texts) for key in _text_keys(value) if key in value}
        return {key: new.get(key, item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return kind([replace_texts(item, texts) for item in value])
    return value


def _text_keys(value: dict[Any, Any]) -> tuple[Any, ...]:
    return TEXT_KEYS if any(key in value for key in TEXT_KEYS) else tuple(value)
