"""Reads weights as the model itself returns them, ``output_attentions=True``, as a last resort.

Nothing confirms them (some models return scores, or weights of another code path), so they
are marked; weights that do not fit the text are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import entry
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.transformers_internals import is_pretrained_model

if TYPE_CHECKING:
    from attnlab.capture.reading.attention_recorder import AttentionRecorder

LISTS = (
    ("encoder_attentions", "encoder"),
    ("decoder_attentions", "decoder"),
    ("cross_attentions", "cross"),
    ("attentions", ""),
)

SLACK = 1e-3
"""How much a row of weights may exceed a sum of 1, by rounding."""


def offers(model: Any) -> bool:
    """Whether a model has the option ``output_attentions``."""
    return is_pretrained_model(model)


def take(recorder: AttentionRecorder, result: Any) -> None:
    """Note the weights that a model has returned."""
    for name, kind in LISTS:
        given = entry(result, name)
        if not isinstance(given, list | tuple):
            continue
        for layer, weights in enumerate(given):
            owner = UnseenModule(f"{name}.{layer}", layer, kind == "cross")
            try:
                _check(weights, crosses=kind == "cross")
                recorder.kept.begin(owner, weights)
                recorder.note(
                    owner,
                    {"decoder": True, "encoder": False}.get(kind),
                    "returned",
                    weights=weights,
                    doubt="the model returned them (output_attentions=True), and the queries, "
                    "keys and values behind them were not recorded",
                )
            except UnreadableError as why:
                recorder.refuse(recorder.model, f"{name}[{layer}]: {why}")


class UnseenModule:
    """Represents a module that was not seen."""

    def __init__(self, name: str, number: int, crosses: bool) -> None:
        self.name, self.layer_idx, self.is_cross_attention = name, number, crosses


def _check(weights: Any, crosses: bool) -> None:
    import torch

    if not isinstance(weights, torch.Tensor) or weights.ndim != 4:
        shape = tuple(getattr(weights, "shape", ()))
        raise UnreadableError(
            f"the returned tensor has the shape {shape}, not (items, heads, queries, keys)"
        )
    if weights.shape[2] > weights.shape[3] and not crosses:
        raise UnreadableError(
            f"the returned weights are over {weights.shape[3]} positions around a token, not over "
            f"the {weights.shape[2]} keys"
        )
    sums = weights.detach().float().nansum(-1)
    low, high = float(weights.detach().min()), float(sums.max())
    if low < -SLACK or high > 1 + SLACK:
        raise UnreadableError("the returned numbers are not weights: they are negative or exceed 1")
