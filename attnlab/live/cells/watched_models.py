"""Models that are watched in every cell, e.g. on hosts without cell tags."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.tokens.given_names import GivenNames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class WatchedModel:
    """A watched model, and the tokenizer and labels of its inputs, if some were given."""

    model: Any
    given: GivenNames

    def namespace(self, names: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the namespace in which to look for a tokenizer."""
        tokenizer = self.given.tokenizer
        return names if tokenizer is None else {"tokenizer": tokenizer}


class WatchedModels:
    """The watched models, as weak references."""

    def __init__(self) -> None:
        self._models: dict[int, tuple[weakref.ref[Any], GivenNames]] = {}

    def __iter__(self) -> Iterator[WatchedModel]:
        for reference, given in list(self._models.values()):
            model = reference()
            if model is not None:
                yield WatchedModel(model, given)

    def __len__(self) -> int:
        return len(self._models)

    def add(self, model: Any, tokenizer: Any | None = None, tokens: Any | None = None) -> None:
        """Watch a model from the next cell on.

        Raises
        ------
        TypeError
            If `model` is a class, or not callable, or if `tokens` are not labels.
        ValueError
            If `tokens` is empty.
        """
        if isinstance(model, type) or not callable(model):
            what = f"the class {model.__name__}" if isinstance(model, type) else repr(model)[:80]
            raise TypeError(f"watch() takes a model, e.g. AutoModel.from_pretrained(…), not {what}")
        given = GivenNames.of(tokenizer, tokens)
        key = id(model)
        reference = weakref.ref(model, lambda _: self._models.pop(key, None))
        self._models[key] = (reference, given)

    def remove(self, model: Any | None = None) -> None:
        """Stop watching a model, or all models if none is given.

        Raises
        ------
        ValueError
            If the model is not watched.
        """
        if model is None:
            self._models.clear()
        elif self._models.pop(id(model), None) is None:
            raise ValueError(f"this {type(model).__name__} is not watched")
