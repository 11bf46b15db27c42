"""Reduces the logits of each step of ``generate`` to the best tokens, as soon as they are there.

The token that came is known only in the next step, so the logits of the last positions are kept
until then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from attnlab.capture.generate.choices.came_tokens import CameTokens
from attnlab.capture.record.predictions import BestTokens, Predictions, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    has_processors
        Whether logits processors changed what it predicted.
    finishing
        By id, the probabilities of tokens that finish a text in each item, for the last predicted
        token.
    """

    start: int
    best: BestTokens
    processed: BestTokens | None = None
    has_processors: bool = False
    finishing: dict[int, CameTokens] = field(default_factory=dict)


class StreamPredictions:
    """The predictions of the passes of one stream, the first with index -1."""

    def __init__(self) -> None:
        self._passes: list[PassPredictions] = []
        self._came: dict[tuple[int, int], CameTokens] = {}
        self._logits: torch.Tensor | None = None
        self._processed: torch.Tensor | None = None
        self._sums_log_probabilities: bool | None = None

    def begin(
        self, step: int, start: int, ids: torch.Tensor | None, parents: torch.Tensor | None
    ) -> None:
        """Note which tokens a step was given, after the last pass predicted the first of them."""
        if self._logits is None or ids is None or not self._passes:
            return
        index = start - self._passes[-1].start
        if 0 <= index < self._logits.shape[1]:
            self._came[step, start] = self._read(self._logits, index, ids[:, 0], parents)

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

    def begin_processing(self, scores: torch.Tensor) -> None:
        """Note what the logits processors are given: logits, or log probabilities.

        Beam search adds up what they make of log probabilities, other methods choose by a softmax.
        """
        if not self._passes or self._logits is None:
            return
        self._passes[-1].has_processors = True
        if self._sums_log_probabilities is None and scores.shape == self._logits[:, -1].shape:
            logits = self._logits[:, -1].to(scores)
            if torch.equal(scores, logits):
                self._sums_log_probabilities = False
            elif torch.allclose(scores, logits.log_softmax(-1), atol=1e-4):
                self._sums_log_probabilities = True

    def process(self, scores: torch.Tensor) -> None:
        """Note the scores after logits processors, (items, vocabulary)."""
        if self._passes and self._logits is not None and len(scores) == len(self._logits):
            last = self._passes[-1]
            same = torch.equal(scores, self._logits[:, -1])
            last.processed = (
                last.best.at(slice(-1, None)) if same else BestTokens.of(scores[:, None])
            )
            self._processed = scores.detach()

    def finish(self, ids: Iterable[int]) -> None:
        """Note tokens that finish texts of a beam search: no step is given these tokens."""
        if self._logits is None or not self._passes:
            return
        rows, device = self._logits.shape[0], self._logits.device
        for token in ids:
            tokens = torch.full((rows,), token, device=device)
            self._passes[-1].finishing[token] = self._read(self._logits, -1, tokens)

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
            torch.stack([_known(one.processed, one) for one in came], dim=1)
            if has_processed
            else None,
            torch.stack([_known(one.score, one) for one in came], dim=1),
        )

    def _read(
        self,
        logits: torch.Tensor,
        index: int,
        ids: torch.Tensor,
        rows: torch.Tensor | None = None,
    ) -> CameTokens:
        """Read the probabilities of tokens that the last pass predicted.

        Parameters
        ----------
        logits
            Those of the last pass, (items, positions, vocabulary).
        index
            The position.
        ids
            Shape (rows,): the tokens.
        rows
            Shape (rows,): the items of the pass that they continue; None for all.
        """
        last = self._passes[-1]
        index %= int(logits.shape[1])
        best = last.best.at(slice(index, index + 1), _on(last.best.ids, rows))
        came = CameTokens.of(_selected(logits[:, index], rows), best, ids)
        newest = index == logits.shape[1] - 1
        if not newest or self._processed is None or last.processed is None:
            return came
        normalizer = _selected(last.processed.normalizer[:, 0], rows)
        processed = _selected(self._processed, rows)
        found = processed.gather(-1, ids[:, None].to(processed.device))[:, 0]
        log_probability = found.float() - normalizer
        score = torch.full_like(log_probability, torch.nan)
        if self._sums_log_probabilities is not None:
            # Beam search adds what the processors returned, which need not sum to 1.
            score = log_probability + normalizer * self._sums_log_probabilities
        device = came.rank.device
        return replace(came, processed=log_probability.to(device), score=score.to(device))

    def _at(
        self, position: int, path: Path, owners: Mapping[int, Segment]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor] | None, CameTokens] | None:
        """Return what was predicted for a token of all texts, and which one came."""
        # If all passes have ended before, the texts are padded to one length.
        before, segment = owners.get(position - 1, path.segments[-1]), owners.get(position)
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
        running = [position < length for length in path.lengths]
        given = None if segment is None else self._came.get((segment.step, position))
        if given is None or segment is None or not all(running):
            ids = torch.tensor([row[position - path.prompt] for row in path.written])
            came = self._last(ids, best, before, items)
            if given is not None and segment is not None:
                # Texts that have ended were not given this token.
                given = given.selected(_items(segment, path))
                came = given.merged(came, torch.tensor(running))
        else:
            came = given.selected(_items(segment, path))
        probability = came.log_probability
        unprocessed = torch.full_like(probability, torch.nan)
        came = came.scored(unprocessed if predicted.has_processors else probability)
        filled_in = [position >= end for end in path.ends]
        # What generate() filled in was not chosen.
        return best, processed, came.hidden(torch.tensor(filled_in)) if any(filled_in) else came

    def _last(
        self, ids: torch.Tensor, best: list[torch.Tensor], before: Segment, items: torch.Tensor
    ) -> CameTokens:
        """Return the probabilities of tokens that no pass was given, e.g. the last of a text."""
        newest = before.step + 2 == len(self._passes)
        if newest and self._logits is not None:
            rows = items.to(self._logits.device)
            return self._read(self._logits, -1, ids.to(self._logits.device), rows)
        # The logits are gone: the token finished a text or is among the best, or its probability
        # is unknown.
        same = best[0] == ids[:, None].to(best[0].device)
        known = same.any(dim=-1)
        nothing = torch.full_like(best[2], torch.nan)
        probability = torch.where(known, (best[1].nan_to_num() * same).sum(-1), nothing)
        came = CameTokens(probability, torch.where(known, same.int().argmax(-1) + 1, 0))
        for token, finishing in self._passes[before.step + 1].finishing.items():
            came = finishing.selected(items).merged(came, ids == token)
        return came


def _items(segment: Segment, path: Path) -> torch.Tensor:
    return torch.arange(path.texts) if segment.items is None else segment.items


def _selected(tensor: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
    return tensor if rows is None else tensor.index_select(0, rows.to(tensor.device))


def _on(tensor: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor | None:
    """Return rows on the device of a tensor."""
    return None if rows is None else rows.to(tensor.device)


def _known(values: torch.Tensor | None, came: CameTokens) -> torch.Tensor:
    """Return values of tokens that came; NaN if they were not seen."""
    return torch.full_like(came.log_probability, torch.nan) if values is None else values


def _together(parts: list[list[torch.Tensor]]) -> BestTokens:
    return BestTokens(*(torch.stack(tensors, dim=1) for tensors in zip(*parts, strict=True)))
