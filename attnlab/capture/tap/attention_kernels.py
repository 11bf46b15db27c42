"""Reads kernels that compute a whole attention by their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record.terms import Causal, Mask, Scale, Term

if TYPE_CHECKING:
    import torch

    from attnlab.capture.tap.context import TapContext

ARGUMENTS = {
    "_scaled_dot_product_flash_attention_for_cpu": ("dropout_p", "is_causal"),
    "_scaled_dot_product_flash_attention": ("dropout_p", "is_causal"),
    "_scaled_dot_product_efficient_attention": (
        "attn_bias", "compute_log_sumexp", "dropout_p", "is_causal",
    ),
    "_scaled_dot_product_cudnn_attention": (
        "attn_bias", "compute_log_sumexp", "dropout_p", "is_causal",
    ),
    "scaled_dot_product_attention": ("attn_mask", "dropout_p", "is_causal"),
}  # fmt: skip
"""The arguments after query, key and value, by the schemas of PyTorch's operations."""

KERNELS = frozenset(ARGUMENTS)


def note(tap: TapContext, name: str, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
    """Note the attention that one kernel has computed.

    Raises
    ------
    UnreadableError
        If the weights do not follow from its arguments.
    """
    query, key, value = (_four(tensor) for tensor in args[:3])
    given = dict(zip(ARGUMENTS[name], args[3:], strict=False)) | dict(kwargs)
    recorder = tap.recorder
    module = tap.modules[-1] if tap.modules else recorder.model
    if query.shape[1] % key.shape[1]:
        raise UnreadableError(
            f"its {query.shape[1]} query heads are not a multiple of its {key.shape[1]} key heads"
        )
    recorder.kept.begin(module, query, key, value)
    scale = given.get("scale")
    terms: list[Term] = [Scale(query.shape[-1] ** -0.5 if scale is None else float(scale))]
    mask = given.get("attn_mask")
    mask = given.get("attn_bias") if mask is None else mask
    if mask is not None:
        # Kernels pad a mask's rows to a multiple of eight.
        terms.append(Mask(recorder.kept.shared(mask, int(key.shape[2]))))
    if given.get("is_causal"):
        terms.append(Causal())
    output = _four(result[0] if isinstance(result, tuple | list) else result)
    rows, kept = recorder.kept.rows(output.transpose(1, 2))
    dropped = bool(given.get("dropout_p"))
    doubt = "dropout was active: the weights are those before dropout" if dropped else ""
    recorder.note(
        module,
        True if given.get("is_causal") else None,
        "tap",
        query=query,
        key=key,
        value=value,
        terms=terms,
        rows=rows,
        output=None if dropped else kept,
        doubt=doubt,
    )


def _four(tensor: torch.Tensor) -> torch.Tensor:
    """Add axes of items and heads to a kernel's operand if they are missing."""
    result = tensor.detach()
    while result.ndim < 4:
        result = result[None]
    return result
