"""Runs a model once over a given text, and returns the trace."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import torch

from attnlab.live.blocks.block import recording
from attnlab.live.blocks.encoding import encoded, only_encodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.analysis.recorded import Recorded


MAPPING = re.compile(r"(<class ')?([a-z_]+\.)*(dict|Dict|Mapping|MutableMapping)\b")
"""Type annotations of dictionaries."""


def pass_text(
    model: Any,
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None,
    options: Mapping[str, Any],
    tokens: Any | None = None,
) -> Recorded:
    """Tokenize a text and call the model with it; see `attnlab.trace`."""
    with recording(model, tokenizer, tokens) as block:
        encodes = only_encodes(tokenizer)
        inputs = (encoded if encodes else _tokenized)(tokenizer, text, text_pair, options)
        given = {name: value.to(_device(model)) for name, value in _taken(model, inputs).items()}
        try:
            with torch.no_grad():
                if _takes_one(model):
                    model(given)
                elif encodes and not _names_ids(model):
                    model(given["input_ids"])
                else:
                    model(**given)
        except ValueError as error:
            if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
                error.add_note("An encoder-decoder also reads a target: pass it as text_target=.")
            raise
    return block.newest()


def _tokenized(
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None,
    options: Mapping[str, Any],
) -> Mapping[str, Any]:
    several = not isinstance(text, str) and len(text) > 1
    padded = getattr(tokenizer, "pad_token", None) is not None
    padding = {"padding": True} if several and padded else {}
    settings = {"return_tensors": "pt", **padding, **options}
    try:
        result: Mapping[str, Any] = tokenizer(text, text_pair, **settings)
    except ValueError as error:
        if several and not padded:
            error.add_note(
                "This tokenizer has no padding token, which texts of different lengths need: "
                "set tokenizer.pad_token = tokenizer.eos_token, or trace them one by one."
            )
        raise
    return result


def _taken(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Omit inputs that the model does not accept, e.g. token types."""
    tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    taken = inspect.signature(model.forward).parameters
    if "input_ids" not in taken:  # a wrapper that accepts any arguments
        return tensors
    return {name: value for name, value in tensors.items() if name in taken}


def _names_ids(model: Any) -> bool:
    """Whether the ``forward`` of a model takes ids by the name that transformers uses."""
    taken = inspect.signature(model.forward).parameters
    return "input_ids" in taken or any(one.kind is one.VAR_KEYWORD for one in taken.values())


def _takes_one(model: Any) -> bool:
    """Whether the ``forward`` of a model takes all inputs as one dictionary."""
    parameters = iter(inspect.signature(model.forward).parameters.values())
    first = next(parameters, None)
    if first is None or first.kind is not first.POSITIONAL_OR_KEYWORD:
        return False
    declared = first.annotation if isinstance(first.annotation, str) else repr(first.annotation)
    return MAPPING.match(declared) is not None


def _device(model: Any) -> torch.device:
    """Find the device for inputs: that of the first parameter that is not on "meta"."""
    device = getattr(model, "device", None)
    if isinstance(device, torch.device) and device.type != "meta":
        return device
    devices = (parameter.device for parameter in model.parameters())
    return next((found for found in devices if found.type != "meta"), torch.device("cpu"))
