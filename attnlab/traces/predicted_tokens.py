"""The tokens of a trace that the model predicted, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnlab.traces.batch import corresponding_item
from attnlab.traces.errors import NoSuchItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.tokens.tokens import TokenInfo
    from attnlab.traces.trace import Trace


@dataclass(frozen=True)
class PredictedToken:
    """A token that the model predicted.

    Attributes
    ----------
    index
        Its index in `Predictions`.
    position
        Its index in the main sequence; the last one may be one after the end.
    token
        The token that came; None if none came after this text.
    log_probability
        Its natural logarithm of the probability, before logits processors; NaN if unknown.
    rank
        Its rank from 1; 0 if unknown.
    """

    index: int
    position: int
    token: TokenInfo | None
    log_probability: float
    rank: int


def predicted_tokens(trace: Trace, item: int = 0) -> list[PredictedToken]:
    """List the predicted tokens of a batch item, in order; empty without predictions.

    Padding predicts nothing, so the tokens after it are left out. What ``generate`` adds behind
    a finished text of a batch was not predicted either.

    Raises
    ------
    NoSuchItemError
        An IndexError that states the valid indices.
    """
    if not 0 <= item < trace.items:
        raise NoSuchItemError(item, trace.items)
    predicted = trace.predicted
    if predicted is None:
        return []
    items = trace.sequences[0].items
    row = corresponding_item(item, trace.items, len(items))
    tokens = items[row].tokens
    # A causal model predicts the next token; a masked one, whose first is 0, the token itself.
    offset = 1 if predicted.first else 0
    numbers = zip(
        predicted.log_probabilities[row].tolist(), predicted.ranks[row].tolist(), strict=True
    )
    return [
        PredictedToken(index, position, _came(tokens, position), log_probability, rank)
        for index, (log_probability, rank) in enumerate(numbers)
        if not tokens[(position := predicted.first + index) - offset].padding
        and not _finished(tokens, position, trace.generated)
    ]


def _came(tokens: Sequence[TokenInfo], position: int) -> TokenInfo | None:
    """Return the token of the text at a position; a stale one did not come after this text."""
    token = tokens[position] if position < len(tokens) else None
    return None if token is None or token.padding or token.stale else token


def _finished(tokens: Sequence[TokenInfo], position: int, generated: int | None) -> bool:
    """Whether a text had ended before a position of the generated tokens."""
    if generated is None or not generated <= position < len(tokens):
        return False
    return tokens[position].padding
