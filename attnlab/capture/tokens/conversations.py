"""Renders conversations as the installed transformers does, with another template engine."""

from __future__ import annotations

import functools
import inspect
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

from attnlab.capture.transformers_internals import (
    CHAT_TEMPLATES,
    TEMPLATE_COMPILER,
    TOKENIZERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = type(functools.lru_cache(int))


class NotRenderableError(Exception):
    """The installed transformers renders conversations differently, or was modified."""


def apply_chat_template(compile_template: Callable[[Any, str], Any]) -> Callable[..., Any]:
    """Return ``PreTrainedTokenizerBase.apply_chat_template`` with another template compiler.

    The library's code runs in copies of its functions that have one different global name: nothing
    is replaced in the library, which other threads may be using.

    Parameters
    ----------
    compile_template
        Given a Jinja environment made by transformers and a template's source, returns an object
        with the ``render`` method of a Jinja template.

    Raises
    ------
    NotRenderableError
        If the library does not consist of the expected functions.
    """
    tokenizers, templates = _names(TOKENIZERS), _names(CHAT_TEMPLATES)
    base = tokenizers.get("PreTrainedTokenizerBase", object)
    # While a watched cell runs, attnlab has replaced the method.
    apply = _genuine(vars(base).get("apply_chat_template"), tokenizers)
    render = _genuine(templates.get("render_jinja_template"), templates)
    original = templates.get(TEMPLATE_COMPILER)
    _genuine(original, templates)
    if tokenizers.get("render_jinja_template") is not render:
        raise NotRenderableError

    def compile_jinja(template: str) -> Any:
        return compile_template(original("").environment, template)  # type: ignore[misc]

    adapted_render = _with_global(render, TEMPLATE_COMPILER, compile_jinja)
    return _with_global(apply, "render_jinja_template", adapted_render)


def _names(module: str) -> dict[str, Any]:
    found = sys.modules.get(module)
    return {} if found is None else vars(found)


def _genuine(found: Any, names: dict[str, Any]) -> FunctionType:
    """Return the function of a module that was found in it, possibly wrapped by a cache.

    Raises
    ------
    NotRenderableError
        If another function has replaced it.
    """
    function = inspect.unwrap(found) if type(found) in (FunctionType, CACHE) else None
    if type(function) is not FunctionType or function.__globals__ is not names:
        raise NotRenderableError
    return function


def _with_global(function: FunctionType, name: str, value: Any) -> FunctionType:
    names = {**function.__globals__, name: value}
    copy = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
