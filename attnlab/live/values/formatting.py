"""Formatting of plain values, after a check of the widths and precisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from attnlab.live.findings import NotComputedError
from attnlab.live.values.budget import LARGEST
from attnlab.live.values.plain_data import repr_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from attnlab.live.values.budget import Budget

NUMBER = re.compile(r"\d+")
"""Width or precision; it also matches a fill character that is a digit."""

DIGITS = len(str(LARGEST))

FLAGS = "-+ #0"
WIDTH = re.compile("[0-9]+")

CONVERSIONS: dict[str, Callable[[Any], str]] = {"s": str, "r": repr, "a": ascii}

MISSING = object()


def format_value(value: Any, spec: str, budget: Budget) -> str:
    """Apply `format` to a plain value."""
    budget.make(_width(spec) + _size(value))
    return format(value, spec)


def convert_value(value: Any, conversion: str, budget: Budget) -> str:
    """Apply the conversion ``!s``, ``!r`` or ``!a``."""
    budget.make(str_length(value) if conversion == "s" else repr_length(value))
    return CONVERSIONS[conversion](value)


def str_length(value: Any) -> int:
    """Upper bound for the number of characters of `str` of a plain value."""
    return len(value) if type(value) is str else repr_length(value)


def format_braces(text: str, args: Sequence[Any], kwargs: Mapping[str, Any], budget: Budget) -> str:
    """Apply `str.format`; its fields may access items but not attributes."""
    return _Braces(budget).vformat(text, args, kwargs)


def format_percent(text: str, given: Any, budget: Budget) -> str:
    """Compute ``text % given``."""
    size = len(text)
    values = iter(given if type(given) is tuple else (given,))
    for field in _fields(text):
        budget.spend()
        if field.key is not None:
            value = given.get(field.key, MISSING) if type(given) is dict else MISSING
        else:
            for _ in range(field.stars):
                size += abs(_whole(next(values, MISSING)))
            value = MISSING if field.kind == "%" else next(values, MISSING)
        size += field.width
        if value is not MISSING:
            size += repr_length(value) if field.kind in ("r", "a") else _size(value)
        if size > LARGEST:
            break
    budget.make(size)
    result: str = text % given
    return result


@dataclass(frozen=True)
class _Field:
    """One field of a ``%`` format: its key, the number of ``*`` widths, and the literal width."""

    key: str | None
    stars: int
    width: int
    kind: str


def _fields(text: str) -> Iterator[_Field]:
    """Parse a ``%`` format as Python does."""
    at = text.find("%")
    while at >= 0:
        at += 1
        key = None
        if text.startswith("(", at):
            end = _closing(text, at)
            key, at = text[at + 1 : end], end + 1
        while text[at : at + 1] and text[at] in FLAGS:
            at += 1
        stars = width = 0
        for separator in ("", "."):
            if not text.startswith(separator, at):
                break
            at += len(separator)
            if text.startswith("*", at):
                stars, at = stars + 1, at + 1
            elif number := WIDTH.match(text, at):
                width, at = width + _number(number[0]), number.end()
        if text[at : at + 1] and text[at] in "hlL":
            at += 1
        yield _Field(key, stars, width, text[at : at + 1])
        at = text.find("%", at + 1)


def _closing(text: str, at: int) -> int:
    """Find the end of a key, which may contain parentheses."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if not depth:
            return end
    raise NotComputedError("ValueError: incomplete format key")


class _Braces(Formatter):
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._length = 0

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        if "." in field_name:
            raise NotComputedError("attributes in a format string cannot be evaluated while typing")
        field: tuple[Any, Any] = super().get_field(field_name, args, kwargs)
        return field

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion in CONVERSIONS:
            return convert_value(value, conversion, self._budget)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        text = format_value(value, format_spec, self._budget)
        self._length += len(text)
        if self._length > LARGEST:
            self._budget.make(self._length)
        return text

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        self._budget.make(len(format_string))
        return super().vformat(format_string, args, kwargs)


def _size(value: Any) -> int:
    """Upper bound for the number of characters of a value in any format without width."""
    kind = type(value)
    if kind is int:
        return 2 * int(value.bit_length()) + 8
    if kind is float:
        return 512  # The largest has 309 digits, and separators.
    return str_length(value)


def _width(spec: str) -> int:
    return sum(_number(match[0]) for match in NUMBER.finditer(spec))


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= DIGITS else LARGEST + 1


def _whole(value: Any) -> int:
    return value if type(value) in (int, bool) else 0
