"""Matches the arguments of a model call with the results of tokenizer calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.tokenized import IDS, is_tensor, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from attnlab.capture.feed.tokenized import ResultKey, Tokenized


def matching_result(
    name: str,
    value: torch.Tensor,
    known: Sequence[Tokenized],
    used: Sequence[Tokenized],
    prompt: int | None,
) -> tuple[Tokenized, ResultKey] | None:
    """Find the tokenizer result that an argument equals.

    ``generate`` repeats each text for beams and for several returned sequences; `prompt` is the
    number of prompt ids, None outside ``generate``.
    """
    if value.ndim not in (1, 2) or value.is_meta:
        return None
    prompt_ids = value if prompt is None or value.ndim < 2 else value[:, :prompt]

    def rank(source: tuple[Tokenized, ResultKey]) -> tuple[bool, ...]:
        call, key = source
        itself = call.tensors[key] is value
        fed = any(call is other for other in used)
        return itself, fed, key == name, key in IDS

    equal = [
        (call, key)
        for call in reversed(known)
        for key, numbers in call.numbers.items()
        if _equal(prompt_ids, numbers, repeated=prompt is not None)
    ]
    best = max(equal, key=rank, default=None)  # the newest one if there are several
    return best if best is not None and any((*rank(best)[:2], best[1] in IDS)) else None


def repetitions(value: torch.Tensor, numbers: Any) -> int:
    """Return how often each text of a tokenizer result is repeated in an argument."""
    if value.ndim != 2:
        return 1
    rows = numbers.reshape(-1, numbers.shape[-1]) if is_tensor(numbers) else rows_of(numbers)
    return max(1, value.shape[0] // max(1, len(rows)))


def _equal(value: torch.Tensor, other: Any, *, repeated: bool) -> bool:
    times = repetitions(value, other) if repeated else 1
    if times > 1 and value.shape[0] % times == 0:
        texts = value[::times]
        if not bool((texts.repeat_interleave(times, dim=0) == value).all()):
            return False
        value = texts
    if not is_tensor(other):
        rows = rows_of(other)
        first = len(rows) * len(rows[0])
        return first == value.numel() and bool(
            (value.tolist() if value.ndim == 2 else [value.tolist()]) == rows
        )
    if other.numel() != value.numel() or other.shape[-1:] != value.shape[-1:]:
        return False
    return bool((other.to(value.device).reshape(value.shape) == value).all())


def is_recomputed(name: str, value: torch.Tensor) -> bool:
    """Whether the model computes the same value if an argument of ``generate`` is omitted."""
    import torch

    if name == "position_ids":
        count = torch.arange(value.shape[-1], device=value.device)
        return bool((value == count).all())
    return "mask" in name and bool(value.all())


def placeholder(ids: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the same shape that takes no memory, to be replaced by other ids."""
    return ids.new_zeros(()).expand(ids.shape)


def replaced_ids(
    old: torch.Tensor, new: Any, prompt: int | None, mask: bool, times: int = 1
) -> torch.Tensor:
    """Convert new ids or a new mask to the form of the old ones, each text repeated `times`.

    The ids that the model generated stay after the new prompt.
    """
    import torch

    if not is_tensor(new) and len({len(row) for row in rows_of(new)}) > 1:
        raise ValueError(
            "the texts now have different numbers of tokens, which one tensor cannot contain"
        )
    converted = torch.as_tensor(new, device="cpu").to(old.device, old.dtype)
    if converted.ndim < old.ndim:
        converted = converted[None]
    elif converted.ndim > old.ndim and converted.shape[0] == 1:
        converted = converted[0]
    if times > 1:
        converted = converted.repeat_interleave(times, dim=0)
    if prompt is None or old.ndim != 2 or old.shape[1] == prompt:
        return converted
    written = old[:, prompt:]
    if converted.shape[0] != written.shape[0]:
        raise ValueError(
            f"the number of texts has changed; the model generated tokens for {written.shape[0]}"
        )
    return torch.cat([converted, torch.ones_like(written) if mask else written], dim=1)
