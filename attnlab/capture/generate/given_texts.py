"""The texts that ``generate`` was given, as ids or embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import batch_of
from attnlab.capture.inspection.contents import is_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("decoder_input_ids", "input_ids", "inputs", "inputs_embeds")


@dataclass(frozen=True)
class GivenTexts:
    """The shape of the texts.

    Attributes
    ----------
    texts
        Their number; 1 if unknown.
    tokens
        Number of tokens of each; None if unknown.
    ids
        Number of ids of each; 0 for embeddings alone. ``generate`` returns ids that it was given
        beside embeddings before the generated ones, although the model never gets them.
    """

    texts: int
    tokens: int | None
    ids: int

    @classmethod
    def of(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> GivenTexts:
        """Read the arguments of a call of ``generate``."""
        values = [kwargs.get(name) for name in NAMES] + list(args[:1])
        found = [value for value in values if is_tensor(value) and value.ndim >= 2]
        ids = [value for value in found if value.ndim == 2 and not value.is_floating_point()]
        return cls(
            batch_of(kwargs, args),
            int(found[0].shape[1]) if found else None,
            int(ids[0].shape[1]) if ids else 0,
        )
