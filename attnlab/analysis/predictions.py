"""The predictions of a trace as a table: one row per predicted token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnlab.traces.batch import corresponding_item
from attnlab.traces.errors import NoPredictionsError
from attnlab.traces.predicted_tokens import predicted_tokens

if TYPE_CHECKING:
    import pandas as pd

    from attnlab.capture.record.predictions import BestTokens
    from attnlab.capture.tokens.vocabulary import VocabularyExcerpt
    from attnlab.traces.trace import Trace

COLUMNS = (
    "position",
    "token",
    "id",
    "probability",
    "log_probability",
    "rank",
    "entropy",
    "processed_probability",
    "best",
    "processed_best",
)


def predictions(trace: Trace, k: int = 5, item: int = 0) -> pd.DataFrame:
    """List the tokens that a model predicted.

    Parameters, result and errors are those of `attnlab.analysis.recorded.Recorded.predictions`.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("predictions() makes a pandas table: pip install 'pandas>=2'") from error
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    tokens = predicted_tokens(trace, item)
    predicted = trace.predicted
    if predicted is None:
        raise NoPredictionsError(trace.model)
    row = corresponding_item(item, trace.items, len(trace.sequences[0].items))
    entropy = predicted.best.entropy[row].tolist()
    best = _best(predicted.best, row, k, predicted.vocabulary)
    processed_best: list[list[tuple[str, float]]] = [[] for _ in entropy]
    if predicted.processed is not None:
        processed_best = _best(predicted.processed, row, k, predicted.vocabulary)
    processed = [math.nan] * len(entropy)
    if predicted.processed_log_probabilities is not None:
        processed = predicted.processed_log_probabilities[row].exp().tolist()
    lines = [
        (
            one.position,
            "" if one.token is None else one.token.text,
            -1 if one.token is None else one.token.id,
            math.exp(one.log_probability),
            one.log_probability,
            one.rank,
            entropy[one.index],
            processed[one.index],
            best[one.index],
            processed_best[one.index],
        )
        for one in tokens
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _best(
    best: BestTokens, row: int, k: int, vocabulary: VocabularyExcerpt | None
) -> list[list[tuple[str, float]]]:
    """Return, by predicted token, the texts and probabilities of the k best tokens."""
    ids = best.ids[row, :, :k].tolist()
    probabilities = best.log_probabilities[row, :, :k].exp().tolist()
    texts = {
        number: str(number) if vocabulary is None else vocabulary.text(number)
        for number in {number for line in ids for number in line}
    }
    return [
        [(texts[number], probability) for number, probability in zip(*pair, strict=True)]
        for pair in zip(ids, probabilities, strict=True)
    ]
