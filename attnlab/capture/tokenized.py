"""What a tokenizer's call was given, and what it gave."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.callsite import Callsite

TEXTS = ("text", "text_pair", "text_target", "text_pair_target", "conversation")
"""Arguments of a tokenizer's call that are texts."""

Key = str | None
"""Names one tensor of a tokenizer's result; None is a result that is bare ids."""

IDS = (None, "input_ids")
"""Those whose numbers tell the text; masks of all texts of one length are alike."""


@dataclass(frozen=True, eq=False)
class Tokenized:
    """One outermost call of a tokenizer.

    Attributes
    ----------
    method
        ``__call__``, ``encode`` or ``apply_chat_template``.
    texts
        The arguments that are texts, by name, as they were given: text, list, conversation.
    tensors
        What it gave, by name: tensors or lists of numbers.
    numbers
        Copies of these: the cell may write to its own.
    """

    tokenizer: Any
    method: str
    bound: inspect.BoundArguments
    texts: dict[str, Any]
    tensors: dict[Key, Any]
    numbers: dict[Key, Any]
    callsite: Callsite | None

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        method: str,
        call: tuple[tuple[Any, ...], Mapping[str, Any]],
        result: Any,
        callsite: Callsite | None,
    ) -> Tokenized | None:
        """Note a call; None for one that gave no ids."""
        tensors = _tensors(result)
        if not tensors:
            return None
        args, kwargs = call
        bound = inspect.signature(getattr(tokenizer, method)).bind(*args, **kwargs)
        given = {name: bound.arguments.get(name) for name in TEXTS}
        # The cell may change its lists later.
        texts = {name: copy.deepcopy(own) for name, own in given.items() if own is not None}
        numbers = {key: _copied(own) for key, own in tensors.items()}
        return cls(tokenizer, method, bound, texts, tensors, numbers, callsite)

    def again(self, texts: Mapping[str, Any]) -> Tokenized:
        """Make the call anew with other texts."""
        bound = copy.copy(self.bound)
        bound.arguments = {**self.bound.arguments, **texts}
        result = getattr(self.tokenizer, self.method)(*bound.args, **bound.kwargs)
        tensors = _tensors(result)
        return replace(self, bound=bound, texts=dict(texts), tensors=tensors, numbers=tensors)


def rows_of(ids: Any) -> list[Any]:
    """Give numbers by item of the batch."""
    own = ids.tolist() if is_tensor(ids) else ids
    return own if own and isinstance(own[0], list) else [own]


def _copied(own: Any) -> Any:
    if is_tensor(own):
        return own.detach().clone()
    return [_copied(part) if isinstance(part, list) else part for part in own]


def _tensors(result: Any) -> dict[Key, Any]:
    named = result.items() if hasattr(result, "keys") and hasattr(result, "items") else None
    found = {None: result} if named is None else dict(named)
    return {key: own for key, own in found.items() if is_tensor(own) or _is_ids(own)}


def _is_ids(value: Any) -> bool:
    """Whether a value is a list of numbers, or of such lists."""
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return isinstance(value, list) and all(isinstance(own, int) for own in value)


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor of torch, which is imported late."""
    import torch

    return isinstance(value, torch.Tensor)
