"""The result of watching a model call: a recorded call, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnlab.capture.record.attention_record import nbytes

if TYPE_CHECKING:
    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.predictions import Predictions
    from attnlab.capture.record.sequence import Sequence


@dataclass(frozen=True)
class GenerationStep:
    """One forward pass of ``generate``.

    Attributes
    ----------
    start, stop
        Its tokens, as indices in the main sequence: the queries from `start` to before `stop`.
    rows
        By returned text, the row of the batch that computed it; with beams, that of its ancestor.
        None for a beam that had ended before.
    parents
        By returned text, the row of the step before that this row continues; None in the first
        step, and for a beam that had ended before.
    scores
        By returned text, the sum of the log probabilities, in nats and after logits processors, of
        the generated tokens up to the one that this step predicted. After the end of a text it does
        not change. In beam search it is the score before the length penalty, so that of the last
        step is ``sequences_scores * length**length_penalty``. Like beam search, it adds what the
        processors return; for other methods, this is normalized to probabilities first. NaN if the
        logits or what the processors returned was not observed, e.g. for groups of beams or
        accepted guesses.
    """

    start: int
    stop: int
    rows: tuple[int | None, ...]
    parents: tuple[int | None, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class RecordedCall:
    """One outermost model call that was recorded.

    Attributes
    ----------
    model
        Class name of the module that was called.
    records
        Its attention calls, in order; never empty.
    sequences
        The tokens along their axes, the main sequence first.
    axes
        By record: indices of the sequences along its queries and its keys.
    milliseconds
        Duration of the model call, without the time that recording took.
    items
        Number of batch items that were kept; the first ones.
    generated
        Index of the first token of the main sequence that the model generated; None if it
        generated none.
    notes
        Facts that a reader must know, e.g. that a second forward pass was recorded.
    feed
        Where the model's arguments came from, if that was requested.
    predictions
        What the model predicted; None if it is not a language model.
    steps
        The passes of ``generate``, in order; empty for a single pass.
    running
        Whether ``generate`` is still running, and more steps follow.
    """

    model: str
    records: list[AttentionRecord]
    sequences: list[Sequence]
    axes: list[tuple[int, int]]
    milliseconds: float
    items: int = 1
    generated: int | None = None
    notes: list[str] = field(default_factory=list)
    feed: Feed | None = None
    predictions: Predictions | None = None
    steps: tuple[GenerationStep, ...] = ()
    running: bool = False

    @property
    def nbytes(self) -> int:
        """Memory that its records take, in bytes."""
        predicted = () if self.predictions is None else self.predictions.tensors
        return nbytes(self.records) + sum(tensor.nbytes for tensor in predicted)


@dataclass(frozen=True)
class Refusal:
    """Why a model call was not recorded and what to do about it, in words for the user."""

    title: str
    cause: str
    remedy: str
