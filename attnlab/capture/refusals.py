"""Why a model call was not recorded, in words for the person who made it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from attnlab.capture.call import Refusal
from attnlab.capture.tokens import sendable

log = logging.getLogger(__name__)


def name_of(module: Any) -> str:
    """Name of a module's class; a compiled module is named by what was compiled."""
    return sendable(type(getattr(module, "_orig_mod", module)).__name__)


def has_attention(module: Any) -> bool:
    """Whether a person would expect attention of this module: a model, or one that holds some."""
    library = sys.modules.get("transformers.modeling_utils")
    model = getattr(library, "PreTrainedModel", None)
    if model is not None and isinstance(module, model):
        return True
    return any("attention" in type(part).__name__.lower() for part in module.modules())


def compiled(module: Any) -> bool:
    """Whether a module, or a part of it, runs as a compiled graph."""
    return any(
        "_orig_mod" in part._modules or part._compiled_call_impl is not None
        for part in module.modules()
    )


def without_attention(module: Any, unread: list[tuple[str, str]]) -> Refusal | None:
    """Explain a call that recorded nothing; None where nothing was to be expected."""
    name = name_of(module)
    if unread:
        return Refusal(
            f"The attention of {name} cannot be read",
            "Of its attention calls none can be shown: "
            f"{'; '.join(sorted({f'{owner}: {why}' for owner, why in unread}))}.",
            "attnlab reads attention as a matrix over tokens that multiplies values.",
        )
    if not has_attention(module):
        return None
    return Refusal(
        f"No attention was recorded of {name}",
        f"No matrix over tokens was seen to multiply values in {name}.",
        "Its layers may use another mixing than attention; docs/models.md lists what is read.",
    )


def direct(module: Any) -> Refusal:
    """Explain a ``forward`` that was called directly, in which no attention was seen."""
    name = name_of(module)
    return Refusal(
        f"No attention was recorded of {name}",
        "Its forward() was called directly, and what it computes outside of other modules "
        "cannot be followed then.",
        f"Call the {name} itself in place of its forward().",
    )


def failed(module: Any, error: BaseException) -> Refusal:
    """Explain a forward pass that ended by an exception or an interrupt."""
    name = name_of(module)
    what = type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        cause = "It was interrupted before its end."
    else:
        detail = sendable(str(error)).strip()
        cause = f"It raised {what}: {detail[:500]}" if detail else f"It raised {what}."
    return Refusal(
        f"The forward pass of {name} did not finish", cause, "Run the cell again once it passes."
    )


def internal(fault: Exception) -> Refusal:
    """Explain a fault of our own; the model's result is not touched by it."""
    detail = sendable(f"{type(fault).__name__}: {fault}")[:500]
    return Refusal(
        "attnlab could not record this call",
        f"An error inside attnlab: {detail}. The model's own result is not affected.",
        "Please report it with the model's name; the kernel's log has the details.",
    )
