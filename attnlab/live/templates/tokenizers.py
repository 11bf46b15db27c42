"""Special tokens and chat templates of transformers' tokenizers, for use while typing.

A tokenizer class defined by the user may run any code. Only classes of the library are used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.conversations import NotRenderableError, apply_chat_template
from attnlab.capture.transformers_internals import TOKENIZERS
from attnlab.live.findings import NotComputedError
from attnlab.live.templates.environment import compile_template
from attnlab.live.templates.spending import spending
from attnlab.live.values.plain_data import bases, class_name, copy_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.live.values.budget import Budget

SPECIALS = frozenset(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
"""Attributes of a tokenizer that are strings."""

RENDERING = ("apply_chat_template", "get_chat_template", "special_tokens_map")
"""Attributes of a tokenizer that determine the text of a conversation."""

_MODULE = type.__dict__["__module__"]
_DICT = type.__dict__["__dict__"]


def is_tokenizer(value: Any) -> bool:
    """Whether a value is a tokenizer of transformers; does not import transformers."""
    module = sys.modules.get(TOKENIZERS)
    base = None if module is None else vars(module).get("PreTrainedTokenizerBase")
    return any(kind is base for kind in bases(type(value)))


def is_library_tokenizer(tokenizer: Any) -> bool:
    """Whether all code of a tokenizer is part of transformers."""
    return all(kind is object or _is_library(kind) for kind in bases(type(tokenizer)))


def special_token(tokenizer: Any, name: str) -> str | None:
    """Return a special token of a tokenizer.

    Raises
    ------
    NotComputedError
        If finding it would run code of the user.
    """
    _check(tokenizer)
    if any(name in _DICT.__get__(kind) for kind in bases(type(tokenizer))):
        token = getattr(tokenizer, name)
    else:
        tokens = vars(tokenizer).get("_special_tokens_map")
        token = tokens.get(name) if type(tokens) is dict else None
    # Many special tokens are objects that also define how to find the token in a text.
    added = getattr(sys.modules.get("tokenizers"), "AddedToken", None)
    token = str(token) if type(token) is added else token
    if token is None or type(token) is str:
        return token
    raise NotComputedError(f"a {class_name(type(token))} is not plain text")


def render_conversation(
    tokenizer: Any, args: Sequence[Any], kwargs: Mapping[str, Any], budget: Budget
) -> Any:
    """Render a conversation with the chat template of a tokenizer, or a given one.

    Parameters
    ----------
    args, kwargs
        Arguments of ``apply_chat_template``.

    Raises
    ------
    NotComputedError
        If rendering exceeds the budget, or may run code of the user.
    """
    _check(tokenizer)
    if kwargs.get("tokenize", True) is not False:
        raise NotComputedError("apply_chat_template() returns text only with tokenize=False")
    if kwargs.get("sanitize_control_tokens"):
        raise NotComputedError("sanitize_control_tokens cannot be evaluated while typing")
    given = vars(tokenizer)
    if any(name in given for name in RENDERING):
        raise NotComputedError("the tokenizer has custom methods")
    copy_plain(given.get("chat_template"), budget)
    try:
        apply = apply_chat_template(compile_template)
    except NotRenderableError:
        raise NotComputedError(
            "attnlab does not know how this release of transformers renders chat templates"
        ) from None
    with spending(budget):
        return apply(tokenizer, *args, **kwargs)


def _check(tokenizer: Any) -> None:
    if not is_library_tokenizer(tokenizer):
        kind = class_name(type(tokenizer))
        raise NotComputedError(f"the result of a {kind} cannot be evaluated while typing")


def _is_library(kind: type) -> bool:
    module = _MODULE.__get__(kind)
    if type(module) is not str or not module.startswith("transformers."):
        return False
    return vars(sys.modules.get(module, object)).get(class_name(kind)) is kind
