"""Reduces the logits of each step of ``generate`` to the best tokens, as soon as they are there.

The token that came is known only in the next step, so the logits of the last positions are kept
until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.predictions import BestTokens, Predictions, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.generate.returned_texts import Path, Segment


@dataclass(eq=False)
class PassPredictions:
    """What one pass predicted.

    Attributes
    ----------
    start
        Position of the first predicted token.
    best
        The best tokens, by item and predicted token.
    processed
        The best tokens after logits processors, for the last predicted token.
    """

    start: int
    best: BestTokens
    processed: BestTokens | None = None


@dataclass(eq=False)
class CameTokens:
    """The probabilities of tokens that came, by item of the pass that was given them.

    Attributes
    ----------
    log_probability
        Shape (items,), float32.
    rank
        Shape (items,), int64, from 1.
    processed
        Shape (items,), float32: the log probability after logits processors; None without them.
    """

    log_probability: torch.Tensor
    rank: torch.Tensor
    processed: torch.Tensor | None = None


class StreamPredictions:
    """The predictions of the passes of one stream, the first with index -1."""

    def __init__(self) -> None:
        self._passes: list[PassPredictions] = []
        self._came: dict[tuple[int, int], CameTokens] = {}
        self._logits: torch.Tensor | None = None
        self._processed: torch.Tensor | None = None

    def begin(
        self, step: int, start: int, ids: torch.Tensor | None, parents: torch.Tensor | None
    ) -> None:
        """Note which tokens a step was given, after the last pass predicted the first of them."""
        if self._logits is None or ids is None or not self._passes:
            return
        last, logits, processed = self._passes[-1], self._logits, self._processed
        index = start - last.start
        if not 0 <= index < logits.shape[1]:
            return
        rows = logits[:, index : index + 1]
        if parents is not None:
            rows = rows.index_select(0, parents)
        best = last.best.at(slice(index, index + 1), parents)
        probability, rank = chosen(rows, best, ids[:, :1])
        came = CameTokens(probability[:, 0], rank[:, 0])
        if processed is not None and last.processed is not None and index == logits.shape[1] - 1:
            normalizer = last.processed.normalizer[:, 0]
            if parents is not None:
                processed, normalizer = (
                    part.index_select(0, parents) for part in (processed, normalizer)
                )
            came.processed = _log_probability(processed, normalizer, ids[:, 0])
        self._came[step, start] = came

    def end(self, step: int, stop: int, ids: torch.Tensor | None, logits: torch.Tensor) -> None:
        """Reduce the logits of a pass that has ended, of shape (items, positions, vocabulary)."""
        count = int(logits.shape[1])
        best = BestTokens.of(logits)
        self._passes.append(PassPredictions(stop - count + 1, best))
        # Guesses of an assistant: each is predicted by the same pass.
        if ids is not None and count > 1:
            guesses = ids[:, -(count - 1) :]
            probabilities, ranks = chosen(logits[:, :-1], best.at(slice(-1)), guesses)
            for index in range(int(guesses.shape[1])):
                position = stop - int(guesses.shape[1]) + index
                came = CameTokens(probabilities[:, index], ranks[:, index])
                self._came.setdefault((step, position), came)
        self._logits, self._processed = logits, None

    def process(self, scores: torch.Tensor) -> None:
        """Note the scores after logits processors, (items, vocabulary)."""
        if self._passes and self._logits is not None and len(scores) == len(self._logits):
            last = self._passes[-1]
            same = torch.equal(scores, self._logits[:, -1])
            last.processed = (
                last.best.at(slice(-1, None)) if same else BestTokens.of(scores[:, None])
            )
            self._processed = scores.detach()

    def of(self, path: Path) -> Predictions | None:
        """Return the predictions of the generated tokens of the returned texts."""
        if len(self._passes) == 0:
            return None
        owners = {
            segment.start + index: segment
            for segment in path.segments
            for index in range(segment.count)
        }
        found = [self._at(position, path, owners) for position in range(path.prompt, path.stop)]
        present = [one for one in found if one is not None]
        if not present or len(present) < len(found):
            return None
        best = _together([one[0] for one in present])
        processed = [one[1] for one in present]
        came = [one[2] for one in present]
        has_processed = all(part is not None for part in processed)
        return Predictions(
            path.prompt - path.start,
            best,
            torch.stack([one.log_probability for one in came], dim=1),
            torch.stack([one.rank for one in came], dim=1),
            _together([part for part in processed if part is not None]) if has_processed else None,
            torch.stack([_processed(one) for one in came], dim=1) if has_processed else None,
        )

    def _at(
        self, position: int, path: Path, owners: Mapping[int, Segment]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor] | None, CameTokens] | None:
        """Return what was predicted for a token of all texts, and which one came."""
        # If all passes have ended before, the texts are padded to one length.
        before, own = owners.get(position - 1, path.segments[-1]), owners.get(position)
        predicted = self._passes[before.step + 1]
        index = min(position - predicted.start, int(predicted.best.ids.shape[1]) - 1)
        if index < 0:
            return None
        items = _items(before, path)
        best = predicted.best.selected(items, index)
        processed = None
        last = index == predicted.best.ids.shape[1] - 1
        if predicted.processed is not None and last:
            processed = predicted.processed.selected(items, 0)
        given = None if own is None else self._came.get((own.step, position))
        ids = torch.tensor([row[position - path.prompt] for row in path.written])
        came = self._last(ids, best, processed, before, items)
        if given is not None and own is not None:
            # Texts that have ended were not given this token.
            running = torch.tensor([position < length for length in path.lengths])
            came = _merged(_chosen(given, _items(own, path)), came, running)
        ended = torch.tensor([position > length for length in path.lengths])
        came = _hidden(came, ended)
        return best, processed, came

    def _last(
        self,
        ids: torch.Tensor,
        best: list[torch.Tensor],
        processed: list[torch.Tensor] | None,
        before: Segment,
        items: torch.Tensor,
    ) -> CameTokens:
        """Return the probabilities of tokens that no pass was given, e.g. the last of a text."""
        newest = before.step + 2 == len(self._passes)
        if newest and self._logits is not None:
            rows = self._logits[:, -1:].index_select(0, items.to(self._logits.device))
            at = BestTokens(*(tensor[:, None] for tensor in best))
            probability, rank = chosen(rows, at, ids[:, None])
            came = CameTokens(probability[:, 0], rank[:, 0])
            if processed is not None and self._processed is not None:
                scores = self._processed.index_select(0, items.to(self._processed.device))
                came.processed = _log_probability(scores, processed[3], ids)
            return came
        # The logits are gone: the token is among the best, or its probability is unknown.
        same = best[0] == ids[:, None].to(best[0].device)
        known = same.any(dim=-1)
        nothing = torch.full_like(best[2], torch.nan)
        probability = torch.where(known, (best[1].nan_to_num() * same).sum(-1), nothing)
        rank = torch.where(known, same.int().argmax(-1) + 1, 0)
        return CameTokens(probability, rank)


def _log_probability(
    scores: torch.Tensor, normalizer: torch.Tensor, ids: torch.Tensor
) -> torch.Tensor:
    """Return the log probabilities of tokens, (items,), by scores over the vocabulary."""
    return scores.gather(-1, ids[:, None].to(scores.device))[:, 0].float() - normalizer


def _items(segment: Segment, path: Path) -> torch.Tensor:
    return torch.arange(path.texts) if segment.items is None else segment.items


def _chosen(came: CameTokens, items: torch.Tensor) -> CameTokens:
    chosen_items = items.to(came.rank.device)
    processed = None if came.processed is None else came.processed.index_select(0, chosen_items)
    return CameTokens(
        came.log_probability.index_select(0, chosen_items),
        came.rank.index_select(0, chosen_items),
        processed,
    )


def _merged(one: CameTokens, other: CameTokens, where: torch.Tensor) -> CameTokens:
    """Take the texts of one where it is True, and of another one elsewhere."""
    where = where.to(one.rank.device)
    processed = one.processed
    if processed is not None:
        processed = torch.where(where, processed, _processed(other))
    return CameTokens(
        torch.where(where, one.log_probability, other.log_probability),
        torch.where(where, one.rank, other.rank),
        processed,
    )


def _hidden(came: CameTokens, where: torch.Tensor) -> CameTokens:
    """Mark the tokens of some texts as unknown: padding after their end."""
    where = where.to(came.rank.device)
    processed = came.processed
    return CameTokens(
        came.log_probability.masked_fill(where, torch.nan),
        came.rank.masked_fill(where, 0),
        None if processed is None else processed.masked_fill(where, torch.nan),
    )


def _processed(came: CameTokens) -> torch.Tensor:
    if came.processed is None:
        return torch.full_like(came.log_probability, torch.nan)
    return came.processed


def _together(parts: list[list[torch.Tensor]]) -> BestTokens:
    return BestTokens(*(torch.stack(tensors, dim=1) for tensors in zip(*parts, strict=True)))
