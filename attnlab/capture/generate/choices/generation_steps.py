"""Describes the passes of ``generate``: which rows computed the texts, and their scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from attnlab.capture.record.recorded_call import GenerationStep

if TYPE_CHECKING:
    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.record.predictions import Predictions

Rows = tuple[int | None, ...]


def generation_steps(path: Path, predictions: Predictions | None) -> tuple[GenerationStep, ...]:
    """Return the passes that computed the returned texts, in order."""
    sums = _sums(path, predictions)
    steps: list[GenerationStep] = []
    before: Rows = (None,) * path.texts
    for segment in path.segments:
        stop = segment.start + segment.count
        items = range(path.texts) if segment.items is None else segment.items.tolist()
        running = [segment.start < length for length in path.lengths]
        rows = _of_running(tuple(items), running)
        # The pass also predicts the token after those that it was given.
        chosen = max(0, stop + 1 - path.prompt)
        steps.append(
            GenerationStep(
                segment.start - path.start,
                stop - path.start,
                rows,
                _of_running(before, running),
                tuple(sums[text][chosen] for text in range(path.texts)),
            )
        )
        before = rows
    return tuple(steps)


def _of_running(rows: Rows, running: list[bool]) -> Rows:
    """Return the rows of the texts that had not ended."""
    return tuple(row if runs else None for row, runs in zip(rows, running, strict=True))


def _sums(path: Path, predictions: Predictions | None) -> list[list[float]]:
    """Return, by text and number of generated tokens, the sum of what they add to its score."""
    count = path.stop - path.prompt
    if predictions is None or predictions.scores is None:
        return [[0.0] + [math.nan] * (count + 1)] * path.texts
    # While generate() runs, the token that is chosen from the last pass is not known yet.
    added = torch.nn.functional.pad(predictions.scores.cpu().double(), (0, 1), value=torch.nan)
    filled = torch.arange(path.prompt, path.stop + 1) >= torch.tensor(path.ends)[:, None]
    return [[0.0, *row] for row in added.masked_fill(filled, 0).cumsum(dim=1).tolist()]
