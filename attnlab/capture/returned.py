"""The last resort: weights as the model itself returns them, ``output_attentions=True``.

Nothing confirms them (some models return scores, or weights of another code path), so they
are marked; weights that do not fit the text are not taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.contents import entry
from attnlab.capture.recorder import UnreadableError

if TYPE_CHECKING:
    from attnlab.capture.recorder import Recorder

LISTS = (
    ("encoder_attentions", "encoder"),
    ("decoder_attentions", "decoder"),
    ("cross_attentions", "cross"),
    ("attentions", ""),
)

SLACK = 1e-3
"""How far rows of weights may exceed a sum of 1, by rounding."""


def offers(model: Any) -> bool:
    """Whether a model of transformers may be asked for its weights."""
    import sys

    library = sys.modules.get("transformers.modeling_utils")
    base = getattr(library, "PreTrainedModel", None)
    return base is not None and isinstance(model, base)


def take(recorder: Recorder, result: Any) -> None:
    """Note the weights that a model has returned."""
    for name, kind in LISTS:
        given = entry(result, name)
        if not isinstance(given, list | tuple):
            continue
        for layer, weights in enumerate(given):
            owner = Layer(f"{name}.{layer}", layer, kind == "cross")
            try:
                _check(weights, crosses=kind == "cross")
                recorder.begin(owner, weights)
                recorder.note(
                    owner,
                    {"decoder": True, "encoder": False}.get(kind),
                    "output_attentions",
                    weights=weights,
                    doubt="the model returned them under output_attentions=True, and nothing "
                    "else of this call could be seen",
                )
            except UnreadableError as why:
                recorder.refuse(recorder.model, f"{name}[{layer}]: {why}")


class Layer:
    """Stands for a module that was not seen."""

    def __init__(self, name: str, number: int, crosses: bool) -> None:
        self.name, self.layer_idx, self.is_cross_attention = name, number, crosses


def _check(weights: Any, crosses: bool) -> None:
    import torch

    if not isinstance(weights, torch.Tensor) or weights.ndim != 4:
        shape = tuple(getattr(weights, "shape", ()))
        raise UnreadableError(f"what it returns has the shape {shape}, not (items, heads, q, k)")
    if weights.shape[2] > weights.shape[3] and not crosses:
        raise UnreadableError(
            f"what it returns are weights over {weights.shape[3]} places around a token, not over "
            f"the {weights.shape[2]} keys"
        )
    sums = weights.detach().float().nansum(-1)
    low, high = float(weights.detach().min()), float(sums.max())
    if low < -SLACK or high > 1 + SLACK:
        raise UnreadableError("what it returns are no weights: they are negative or exceed 1")
