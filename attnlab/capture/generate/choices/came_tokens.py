"""The probabilities of the tokens that came at one position of several texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.predictions import chosen

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.record.predictions import BestTokens


@dataclass(frozen=True, eq=False)
class CameTokens:
    """The probabilities of tokens that came, by row of a pass or by text.

    Attributes
    ----------
    log_probability
        Shape (rows,), float32; NaN if unknown.
    rank
        Shape (rows,), int64, from 1; 0 if unknown.
    processed
        Shape (rows,), float32: the log probability after logits processors; None if it was not
        seen.
    score
        Shape (rows,), float32: what the token adds to the score of its text; None if it was not
        seen what logits processors returned.
    """

    log_probability: torch.Tensor
    rank: torch.Tensor
    processed: torch.Tensor | None = None
    score: torch.Tensor | None = None

    @classmethod
    def of(cls, logits: torch.Tensor, best: BestTokens, ids: torch.Tensor) -> CameTokens:
        """Read them from logits, (rows, vocabulary), their best tokens and the ids, (rows,)."""
        probability, rank = chosen(logits[:, None], best, ids[:, None])
        return cls(probability[:, 0], rank[:, 0])

    def selected(self, rows: torch.Tensor) -> CameTokens:
        """Return those of some rows."""
        chosen_rows = rows.to(self.rank.device)
        return self._mapped(lambda tensor: tensor.index_select(0, chosen_rows))

    def merged(self, other: CameTokens, where: torch.Tensor) -> CameTokens:
        """Take the rows of this one where it is True, and of another one elsewhere."""
        where = where.to(self.rank.device)
        return CameTokens(
            torch.where(where, self.log_probability, other.log_probability),
            torch.where(where, self.rank, other.rank),
            _merged(self.processed, other.processed, where),
            _merged(self.score, other.score, where),
        )

    def hidden(self, where: torch.Tensor) -> CameTokens:
        """Mark the tokens of some rows as unknown."""
        where = where.to(self.rank.device)
        return self._mapped(
            lambda tensor: tensor.masked_fill(where, torch.nan if tensor.is_floating_point() else 0)
        )

    def scored(self, score: torch.Tensor) -> CameTokens:
        """Set what the tokens add to the scores of their texts, if that was not seen."""
        return self if self.score is not None else replace(self, score=score)

    def _mapped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> CameTokens:
        return CameTokens(
            function(self.log_probability),
            function(self.rank),
            None if self.processed is None else function(self.processed),
            None if self.score is None else function(self.score),
        )


def _merged(
    one: torch.Tensor | None, other: torch.Tensor | None, where: torch.Tensor
) -> torch.Tensor | None:
    """Take elements of two tensors; NaN where the one that is taken is None."""
    known = one if one is not None else other
    if known is None:
        return None
    nothing = torch.full_like(known, torch.nan)
    return torch.where(where, nothing if one is None else one, nothing if other is None else other)
