"""Models that are watched in every cell, e.g. on hosts without cell tags."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class WatchedModel:
    """A watched model, and the tokenizer of its inputs, if one was given."""

    model: Any
    tokenizer: Any | None

    def namespace(self, names: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the namespace in which to look for a tokenizer."""
        return names if self.tokenizer is None else {"tokenizer": self.tokenizer}


class WatchedModels:
    """The watched models, as weak references."""

    def __init__(self) -> None:
        self._models: dict[int, tuple[weakref.ref[Any], Any | None]] = {}

    def __iter__(self) -> Iterator[WatchedModel]:
        for reference, tokenizer in list(self._models.values()):
            model = reference()
            if model is not None:
                yield WatchedModel(model, tokenizer)

    def __len__(self) -> int:
        return len(self._models)

    def add(self, model: Any, tokenizer: Any | None = None) -> None:
        """Watch a model from the next cell on.

        Raises
        ------
        TypeError
            If `model` is a class, or not callable.
        """
        if isinstance(model, type) or not callable(model):
            what = f"the class {model.__name__}" if isinstance(model, type) else repr(model)[:80]
            raise TypeError(f"watch() takes a model, e.g. AutoModel.from_pretrained(…), not {what}")
        key = id(model)
        reference = weakref.ref(model, lambda _: self._models.pop(key, None))
        self._models[key] = (reference, tokenizer)

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
