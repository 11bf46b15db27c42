"""What the user gave to name the tokens of a model's calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from attnlab.capture.tokens.labels import Labels


@dataclass(frozen=True)
class GivenNames:
    """The arguments ``tokenizer=`` and ``tokens=`` of the public functions.

    Attributes
    ----------
    tokenizer
        The tokenizer of the model's ids; None to find it in the notebook.
    labels
        The labels of the positions of the main sequence; None without any.
    """

    tokenizer: Any | None = None
    labels: Labels | None = None

    @classmethod
    def of(cls, tokenizer: Any | None, tokens: Any | None) -> GivenNames:
        """Read both arguments.

        Raises
        ------
        TypeError
            If `tokens` is not a list of strings, or of such lists.
        ValueError
            If `tokens` is empty.
        """
        return cls(tokenizer, None if tokens is None else Labels.of(tokens))
