"""Finds the logits over the vocabulary in the result of a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import entry, is_tensor
from attnlab.capture.inspection.plain_tensors import is_plain
from attnlab.capture.transformers_internals import is_pretrained_model

if TYPE_CHECKING:
    import torch


def logits_of(result: Any, vocabulary: int | None) -> torch.Tensor | None:
    """Return logits of shape (items, positions, vocabulary); None if the result has none."""
    logits = entry(result, "logits")
    if not is_tensor(logits) or not is_plain(logits) or logits.ndim != 3:
        return None
    return logits.detach() if logits.shape[2] == vocabulary else None


def vocabulary_size(model: Any) -> int | None:
    """Return the size of a language model's output vocabulary; None for other models.

    The logits of a classifier of tokens have the same number of axes.
    """
    if not is_pretrained_model(model):
        return None
    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if not is_tensor(weight) or weight.ndim != 2:
        return None
    return int(weight.shape[0])
