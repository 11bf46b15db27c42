"""Explains in words for the user why a model call was not recorded."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from attnlab.capture.record.recorded_call import Refusal
from attnlab.capture.tokens.tokens import sendable
from attnlab.capture.torch_internals import original_module, runs_compiled
from attnlab.capture.transformers_internals import is_pretrained_model

log = logging.getLogger(__name__)

MODELS = "https://attnlab.github.io/attnlab/models.html"


def name_of(module: Any) -> str:
    """Return the name of a module's class; for a compiled module, that of the original module."""
    return sendable(type(original_module(module)).__name__)


def has_attention(module: Any) -> bool:
    """Whether users would expect attention of a module: a model, or a module that contains some."""
    if is_pretrained_model(module):
        return True
    return any("attention" in type(part).__name__.lower() for part in module.modules())


def compiled(module: Any) -> bool:
    """Whether a module, or a part of it, runs as a compiled graph."""
    return any(map(runs_compiled, module.modules()))


def without_attention(module: Any, unread: list[tuple[str, str]]) -> Refusal | None:
    """Explain a call without recorded attention; None if no attention was to be expected."""
    name = name_of(module)
    if unread:
        return Refusal(
            f"The attention of {name} cannot be read",
            "None of its attention calls can be shown: "
            f"{'; '.join(sorted({f'{owner}: {why}' for owner, why in unread}))}.",
            f"The supported models are listed at {MODELS}.",
        )
    if not has_attention(module):
        return None
    return Refusal(
        f"No attention was found in {name}",
        f"No softmax over tokens was multiplied by values in {name}.",
        "Its layers may mix tokens without attention. The supported models are listed at "
        f"{MODELS}.",
    )


def direct(module: Any) -> Refusal:
    """Explain why no attention was seen in a ``forward`` that was called directly."""
    name = name_of(module)
    return Refusal(
        f"No attention was found in {name}",
        "Its forward() was called directly. Then only its submodules are recorded, and none of "
        "them computed attention.",
        f"Call the {name} itself: model(…) instead of model.forward(…).",
    )


def failed(module: Any, error: BaseException, fault: Exception | None = None) -> Refusal:
    """Explain a forward pass that ended by an exception or interrupt that is not attnlab's."""
    name = name_of(module)
    what = type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        cause = "It was interrupted."
    else:
        detail = sendable(str(error)).strip()
        cause = f"It raised {what}: {detail[:500]}" if detail else f"It raised {what}."
    if fault is not None:
        cause = f"{cause.removesuffix('.')}. A separate error occurred: {_inside(fault)}"
    return Refusal(
        f"The forward pass of {name} did not finish",
        cause,
        "Run the cell again once this is resolved.",
    )


def internal(fault: Exception) -> Refusal:
    """Explain an error inside attnlab; it does not affect the model's result."""
    return Refusal(
        "attnlab could not record this call",
        f"{_inside(fault)} The model's result is not affected.",
        "Please report it with the model's name; the kernel's log has the details.",
    )


def after(refusal: Refusal, fault: Exception) -> Refusal:
    """Add to the reason of a refusal an error inside attnlab that occurred before it."""
    inside = _inside(fault)
    if inside in refusal.cause:
        return refusal
    return replace(refusal, cause=f"{refusal.cause} An earlier error may be the reason: {inside}")


def astray(fault: Exception) -> Refusal:
    """Explain an error inside attnlab around a cell; it does not affect the cell."""
    return Refusal(
        "attnlab could not follow this cell",
        f"{_inside(fault)} The cell itself is not affected.",
        "Run the cell again, and please report the error; the kernel's log has the details.",
    )


def unfed(fault: Exception) -> str:
    """Explain why the origin of a recorded call's arguments is unknown."""
    return (
        f"The origin of the model's arguments is unknown, so the cell is not live. {_inside(fault)}"
    )


def partly(fault: Exception) -> str:
    """Explain that some data of a recorded call is missing."""
    return f"The pairs of rotated dimensions are unknown. {_inside(fault)}"


def _inside(fault: Exception) -> str:
    detail = sendable(f"{type(fault).__name__}: {fault}")[:500]
    return f"An error inside attnlab: {detail}."
