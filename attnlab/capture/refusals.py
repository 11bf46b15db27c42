"""Why a model call was not recorded, in words for the person who made it."""

from __future__ import annotations

import sys
from typing import Any

from attnlab.capture.call import Refusal
from attnlab.capture.tokens import sendable

READABLE = "BERT, GPT-2, Llama, Gemma, Qwen, T5 or ViT"


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


def without_attention(module: Any, unread: list[str]) -> Refusal | None:
    """Explain a call that recorded nothing; None where nothing was to be expected."""
    name = name_of(module)
    if unread:
        return Refusal(
            f"The attention of {name} cannot be read",
            f"Of its attention calls none can be shown: {'; '.join(sorted(set(unread)))}.",
            f"attnlab reads dense attention of models such as {READABLE}.",
        )
    if not has_attention(module):
        return None
    if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
        return Refusal(
            f"{name} is compiled",
            "A compiled model runs as one graph, in which its attention calls cannot be seen.",
            "Call the model before torch.compile, or set "
            'torch.compiler.set_stance("force_eager") while looking at its attention.',
        )
    return Refusal(
        f"No attention was recorded of {name}",
        f"{name} makes no attention call through transformers' attention interface.",
        f"attnlab reads models that do, e.g. {READABLE} from transformers 5.1 or newer.",
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
