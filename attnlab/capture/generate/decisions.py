"""Reads the decisions of stopping criteria: which texts of a batch or beam search are finished."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from attnlab.capture.generate.stream import Stream


def note_decision(
    stream: Stream, criteria: Any, ids: torch.Tensor, finished: torch.Tensor, prompts: int
) -> None:
    """Note which texts some stopping criteria finished after the last pass of a stream.

    Parameters
    ----------
    criteria
        A list of stopping criteria.
    ids
        Shape (texts, tokens): the rows of the pass with their newest tokens, or the candidates of a
        beam search, which are more.
    finished
        Shape (texts,), booleans.
    prompts
        Number of prompts that ``generate`` was given.
    """
    if len(ids) > stream.batch:
        beams, rest = divmod(stream.batch, prompts)
        stream.beams = beams if beams and not rest else stream.batch
        # If all are finished, generate() returns, and the logits of its last pass are still there.
        if not bool(finished.all()):
            stream.predictions.finish(set(ids[finished.bool(), -1].tolist()))
    elif stream.batch > 1 and fills_after_end(criteria):
        stream.endings.decide(stream.stop + 1, finished, stream.batch)


def fills_after_end(criteria: Any) -> bool:
    """Whether ``generate`` fills in padding behind the texts that a list of criteria finishes.

    It does so if a criterion has an end token. Otherwise the tokens behind a finished text are
    chosen like all others.
    """
    missing = object()
    return any(
        inspect.getattr_static(criterion, "eos_token_id", missing) is not missing
        for criterion in list.__iter__(criteria)
    )
