"""The arguments and the result of a tokenizer call."""

from __future__ import annotations

import copy
import inspect
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.kept_arguments import KeptArguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.feed.callsite import Callsite

TEXTS = ("text", "text_pair", "text_target", "text_pair_target", "conversation")
"""Arguments of a tokenizer call that are texts."""

ResultKey = str | None
"""Name of a tensor in a tokenizer's result; None for a result that consists of bare ids."""

IDS = (None, "input_ids")
"""The keys whose numbers identify a text; masks of all texts of the same length are equal."""


@dataclass(frozen=True, eq=False)
class Tokenized:
    """One outermost call of a tokenizer.

    Attributes
    ----------
    method
        ``__call__``, ``encode`` or ``apply_chat_template``.
    signature
        The signature of the method.
    texts
        The arguments that are texts, by name, as they were given: text, list, conversation.
    tensors
        The result, by name: tensors or lists of numbers.
    numbers
        Copies of these: the cell may write to the originals.
    """

    method: str
    signature: inspect.Signature
    texts: dict[str, Any]
    tensors: dict[ResultKey, Any]
    numbers: dict[ResultKey, Any]
    callsite: Callsite | None
    _tokenizer: weakref.ref[Any]
    _others: KeptArguments

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        method: str,
        call: tuple[tuple[Any, ...], Mapping[str, Any]],
        result: Any,
        callsite: Callsite | None,
    ) -> Tokenized | None:
        """Note a call; None for a call that returned no ids."""
        tensors = _tensors(result)
        if not tensors:
            return None
        args, kwargs = call
        signature = inspect.signature(getattr(tokenizer, method))
        given = signature.bind(*args, **kwargs).arguments
        named = {name: given.get(name) for name in TEXTS}
        # The cell may change its lists later.
        texts = {name: copy.deepcopy(value) for name, value in named.items() if value is not None}
        others = KeptArguments({name: value for name, value in given.items() if name not in texts})
        numbers = {key: _copied(value) for key, value in tensors.items()}
        reference = weakref.ref(tokenizer)
        return cls(method, signature, texts, tensors, numbers, callsite, reference, others)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer; None if the notebook has deleted it."""
        return self._tokenizer()

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that are not texts, by name."""
        return {str(name): value for name, value in self._others.read().items()}

    @property
    def bare(self) -> Tokenized:
        """The same call without its result."""
        return replace(self, tensors={}, numbers={})

    def again(self, texts: Mapping[str, Any], tokenizer: Any) -> Tokenized:
        """Repeat the call with other texts.

        Parameters
        ----------
        texts
            The texts, by the name of their argument.
        tokenizer
            A copy of the tokenizer.

        Raises
        ------
        GoneError
            If another argument is no longer in memory.
        """
        bound = inspect.BoundArguments(self.signature, {**self.options, **texts})
        result = getattr(tokenizer, self.method)(*bound.args, **bound.kwargs)
        tensors = _tensors(result)
        return replace(self, texts=dict(texts), tensors=tensors, numbers=tensors)


def rows_of(ids: Any) -> list[Any]:
    """Return numbers by batch item."""
    rows = ids.tolist() if is_tensor(ids) else ids
    return rows if rows and isinstance(rows[0], list) else [rows]


def _copied(ids: Any) -> Any:
    if is_tensor(ids):
        return ids.detach().clone()
    return [_copied(part) if isinstance(part, list) else part for part in ids]


def _tensors(result: Any) -> dict[ResultKey, Any]:
    named = result.items() if hasattr(result, "keys") and hasattr(result, "items") else None
    found = {None: result} if named is None else dict(named)
    return {key: value for key, value in found.items() if is_tensor(value) or _is_ids(value)}


def _is_ids(value: Any) -> bool:
    """Whether a value is a list of numbers, or of such lists."""
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return isinstance(value, list) and all(isinstance(number, int) for number in value)


def is_tensor(value: Any) -> bool:
    """Whether a value is a PyTorch tensor; torch is imported only here."""
    import torch

    return isinstance(value, torch.Tensor)
