"""Operations of rewritten chat templates, which spend from the budget."""

from __future__ import annotations

import functools
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from jinja2.runtime import Undefined

from attnlab.live.findings import NotComputedError
from attnlab.live.templates.filters import FILTERS
from attnlab.live.templates.spending import current_budget
from attnlab.live.values.formatting import str_length
from attnlab.live.values.operators import take_slice
from attnlab.live.values.plain_data import is_plain, spend_hashing, steps_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2.runtime import Context

VIEWS = tuple(type(getattr({}, name)()) for name in ("keys", "values", "items"))


def bounded_filter(original: Any, name: str) -> Any:
    """Wrap a filter so that it spends its cost before it runs."""
    passed = str(getattr(original, "jinja_pass_arg", ""))

    @pass_context
    def filtered(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        if type(value) in (GeneratorType, *VIEWS, range) and name != "length":
            value = list(_items(value))
        if not is_plain(value) and not isinstance(value, Undefined):
            raise NotComputedError(f"the chat template passes an object to its filter `{name}`")
        given = (*args, *kwargs.values())
        _check_given(given)
        budget = current_budget()
        budget.spend(1 + steps_to_read(value) + sum(map(steps_to_read, given)))
        FILTERS[name](value, given, budget)
        first = {
            "_PassArg.context": (context,),
            "_PassArg.eval_context": (context.eval_ctx,),
            "_PassArg.environment": (context.environment,),
        }.get(passed, ())
        result = original(*first, value, *args, **kwargs)
        # Iterators other than generators, e.g. of `reverse`, look like any other object.
        known = is_plain(result) or isinstance(result, Undefined | GeneratorType)
        return result if known else list(result)

    return filtered


def bounded_test(original: Any) -> Any:
    """Wrap a test so that it spends its cost before it runs."""

    @functools.wraps(original)
    def tested(*args: Any) -> Any:
        current_budget().spend(1 + sum(map(steps_to_read, args)))
        return original(*args)

    return tested


def spent(value: Any) -> Any:
    """Spend the steps to read a new value, so that later operations on it are bounded."""
    current_budget().spend(steps_to_read(value))
    return value


def collection(value: Any) -> Any:
    """Check and return a new list, tuple or dictionary.

    Raises
    ------
    NotComputedError
        If it contains anything but plain data, or exceeds the budget.
    """
    for item in (*value, *value.values()) if type(value) is dict else value:
        if not is_plain(item) and not isinstance(item, Undefined):
            raise NotComputedError("the chat template puts an object into a list or dict")
    if type(value) is dict:
        spend_hashing(len(value), current_budget())
    return spent(value)


def check_plain(*values: Any) -> None:
    """Check that all operands are plain data.

    Raises
    ------
    NotComputedError
        If one is not.
    """
    if not all(map(is_plain, values)):
        raise NotComputedError("the chat template computes with an object")


def _items(value: Any) -> Iterator[Any]:
    """Iterate over the value of a loop."""
    if type(value) not in (GeneratorType, *VIEWS) and not isinstance(value, Undefined):
        check_plain(value)
    for item in value:
        current_budget().spend()
        yield item


def _text(value: Any) -> str:
    """Convert a value to the text that is output for it."""
    if not isinstance(value, Undefined):
        check_plain(value)
        current_budget().make(str_length(value))
    return str(value)


def _joined(*values: Any) -> str:
    """Apply the operator ``~``."""
    pieces = [_text(value) for value in values]
    current_budget().make(sum(map(len, pieces)))
    return "".join(pieces)


def _sliced(value: Any, *ends: Any) -> Any:
    if isinstance(value, Undefined):
        return value[slice(*ends)]
    check_plain(value, *ends)
    return spent(take_slice(value, slice(*ends), current_budget()))


def _check_given(given: tuple[Any, ...]) -> None:
    if not all(is_plain(value) or isinstance(value, Undefined) for value in given):
        raise NotComputedError("the chat template passes an object to a filter")


def _without_context(primitive: Any) -> Any:
    # Jinja evaluates a filter at compile time unless it needs the context.
    return pass_context(lambda _context, *args: primitive(*args))


PRIMITIVES: dict[str, Any] = {
    "bounded items": _without_context(_items),
    "bounded text": _without_context(_text),
    "bounded joined": _without_context(_joined),
    "bounded made": _without_context(collection),
    "bounded sliced": _without_context(_sliced),
    "bounded seen": _without_context(spent),
}
"""Filters that `rewriting` inserts, by names that no template can contain."""
