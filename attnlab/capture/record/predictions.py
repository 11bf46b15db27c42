"""What a language model predicted: its best tokens at each position, and the token that came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.tokens.vocabulary import VocabularyExcerpt

BEST = 10
"""Number of best tokens that are kept for each position."""

CHUNK = 1 << 24
"""Maximum number of logits that are reduced at once; 64 MiB in float32."""


@dataclass(frozen=True, eq=False)
class BestTokens:
    """The best tokens at some positions, by a softmax over the vocabulary.

    Attributes
    ----------
    ids
        Shape (items, positions, k), int64: the best tokens, best first.
    log_probabilities
        Shape (items, positions, k), float32: their natural logarithms.
    entropy
        Shape (items, positions), float32, in nats.
    normalizer
        Shape (items, positions), float32: what is subtracted from a logit to get the logarithm of
        its probability (the log-sum-exp of all logits).
    """

    ids: torch.Tensor
    log_probabilities: torch.Tensor
    entropy: torch.Tensor
    normalizer: torch.Tensor

    @classmethod
    def of(cls, logits: torch.Tensor, k: int = BEST) -> BestTokens:
        """Reduce logits of shape (items, positions, vocabulary)."""
        step = max(1, CHUNK // (int(logits.shape[0]) * int(logits.shape[2])))
        k = min(k, int(logits.shape[2]))
        if int(logits.shape[1]) <= step:
            return cls(*_reduced(logits.detach(), k))
        parts = [_reduced(part, k) for part in torch.split(logits.detach(), step, dim=1)]
        return cls(*(torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True)))

    def at(self, positions: slice, items: torch.Tensor | None = None) -> BestTokens:
        """Return those at some positions, of some items in order."""
        tensors = [tensor[:, positions] for tensor in self.tensors]
        if items is not None:
            tensors = [tensor.index_select(0, items) for tensor in tensors]
        return BestTokens(*tensors)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Its tensors, in the order of its attributes."""
        return self.ids, self.log_probabilities, self.entropy, self.normalizer

    def selected(self, items: Sequence[int] | torch.Tensor, position: int) -> list[torch.Tensor]:
        """Return its tensors for one position, of some items in order."""
        chosen = torch.as_tensor(items, device=self.ids.device)
        return [tensor[:, position].index_select(0, chosen) for tensor in self.tensors]


def _reduced(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, ...]:
    """Return ids, log probabilities, entropy and normalizer of a part."""
    scores = logits.float()
    best, ids = scores.topk(k, dim=-1)
    probabilities = scores.softmax(-1)
    # log p = score - normalizer, here for the best token.
    normalizer = best[..., 0] - probabilities.gather(-1, ids[..., :1])[..., 0].log()
    # Entropy: the sum of -p log p. Excluded tokens have a score of -inf and p = 0.
    lowest = torch.finfo(scores.dtype).min
    entropy = normalizer - probabilities.mul_(scores.clamp(min=lowest)).sum(-1)
    return ids, best - normalizer[..., None], entropy, normalizer


def chosen(
    logits: torch.Tensor, best: BestTokens, ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log probabilities of tokens, and their ranks from 1.

    Parameters
    ----------
    logits
        Shape (items, positions, vocabulary).
    best
        The best tokens by these logits.
    ids
        Shape (items, positions): the tokens.

    Returns
    -------
    tuple of (log probabilities, ranks)
        Both of shape (items, positions), float32 and int64.
    """
    scores = logits.detach().gather(-1, ids[..., None].to(logits.device))
    probabilities = scores[..., 0].float() - best.normalizer
    # Most tokens that come are among the best, and then only these can be better. To find that out
    # would stop the queue of another device.
    if logits.device.type == "cpu" and bool((best.ids == ids[..., None]).any(-1).all()):
        return probabilities, (logits.detach().gather(-1, best.ids) > scores).sum(-1) + 1
    parts = zip(torch.split(logits.detach(), 64, 1), torch.split(scores, 64, 1), strict=True)
    return probabilities, torch.cat([(part > score).sum(-1) + 1 for part, score in parts], dim=1)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model predicted for tokens of its main sequence.

    Attributes
    ----------
    first
        Index in the main sequence of the first token that was predicted; the last predicted token
        may be one after its end.
    best
        The best tokens, by item and predicted token.
    log_probabilities
        Shape (items, positions), float32: those of the tokens of the sequence; NaN if unknown.
    ranks
        Shape (items, positions), int64: the ranks of these tokens from 1; 0 if unknown.
    processed
        The best tokens after logits processors, e.g. a temperature or top-k; None if there were
        none, or outside ``generate``.
    processed_log_probabilities
        As `log_probabilities`, after logits processors; None without them.
    scores
        Shape (items, positions), float32: what each token adds to the score of its text, as in
        `GenerationStep`; NaN if unknown or not chosen. None outside ``generate``.
    vocabulary
        The vocabulary's entries of all best tokens; None if the tokenizer is unknown.
    """

    first: int
    best: BestTokens
    log_probabilities: torch.Tensor
    ranks: torch.Tensor
    processed: BestTokens | None = None
    processed_log_probabilities: torch.Tensor | None = None
    scores: torch.Tensor | None = None
    vocabulary: VocabularyExcerpt | None = None

    @property
    def positions(self) -> int:
        """Number of predicted tokens."""
        return int(self.ranks.shape[1])

    @property
    def best_ids(self) -> set[int]:
        """The ids of all best tokens."""
        found = [best.ids for best in (self.best, self.processed) if best is not None]
        return {number for ids in found for number in ids.flatten().tolist()}

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors, to account for memory."""
        tensors = [self.log_probabilities, self.ranks]
        for best in (self.best, self.processed):
            if best is not None:
                tensors += best.tensors
        optional = (self.processed_log_probabilities, self.scores)
        return [*tensors, *(tensor for tensor in optional if tensor is not None)]


def predictions_of(
    logits: torch.Tensor, ids: Sequence[Sequence[int]], items: int, *, following: bool
) -> Predictions:
    """Return the predictions of one pass over whole texts.

    Parameters
    ----------
    logits
        Shape (batch, tokens, vocabulary).
    ids
        By item, the ids of the text.
    items
        Number of items that are kept.
    following
        Whether the logits of a token predict the next one, as in a causal language model, or the
        token itself, as in a masked one.
    """
    logits = logits[:items]
    best = BestTokens.of(logits)
    tokens = torch.tensor([list(row) for row in ids[:items]], device=logits.device)
    if not following:
        probabilities, ranks = chosen(logits, best, tokens)
        return Predictions(0, best, probabilities, ranks)
    probabilities, ranks = chosen(logits[:, :-1], best.at(slice(-1)), tokens[:, 1:])
    # The token after the last one is not known.
    return Predictions(
        1,
        best,
        torch.nn.functional.pad(probabilities, (0, 1), value=torch.nan),
        torch.nn.functional.pad(ranks, (0, 1)),
    )
