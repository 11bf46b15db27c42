"""What each step of ``generate`` really attended to, heard below autograd without attnlab.

An independent copy of the model generates with PyTorch's unfused kernels, while a dispatch mode
listens to its softmaxes. The number of tokens before each pass is read from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

SOFTMAXES = ("_softmax", "_safe_softmax", "softmax")


@dataclass
class Pass:
    """One forward pass: where it begins in the text, and the weights of its attention calls."""

    start: int
    weights: list[torch.Tensor] = field(default_factory=list)


class _Softmaxes(TorchDispatchMode):
    """Passes the result of each softmax to a function."""

    def __init__(self, heard: Callable[[torch.Tensor], None]) -> None:
        super().__init__()
        self._heard = heard

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in SOFTMAXES and result.ndim == 4:
            self._heard(result.detach().float().clone())
        return result


def listen(
    model: torch.nn.Module, call: Callable[[Any], Any], seed: int = 3
) -> tuple[Any, list[Pass]]:
    """Make a call, and return its result and its passes; the first holds what is before them."""
    passes = [Pass(0)]

    def begin(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        passes.append(Pass(cached_tokens(kwargs)))

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(begin, with_kwargs=True).remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(sdpa_kernel([SDPBackend.MATH]))
        stack.enter_context(_Softmaxes(lambda weights: passes[-1].weights.append(weights)))
        torch.manual_seed(seed)
        result = call(model)
    return result, passes


def cached_tokens(kwargs: Mapping[str, Any]) -> int:
    """Return the number of tokens in the cache among the arguments of a pass."""
    cache = next((item for item in kwargs.values() if hasattr(item, "get_seq_length")), None)
    return 0 if cache is None else int(cache.get_seq_length())


def rows_of(
    passes: Sequence[Pass],
    site: int,
    texts: int,
    tokens: tuple[int, int],
    items: Callable[[int, int], int] = lambda index, text: text,
    crosses: bool = False,
) -> torch.Tensor:
    """Put the rows of a site together that the passes computed.

    Parameters
    ----------
    passes
        The passes of the model, in order.
    site
        Index of the attention call in each of them.
    tokens
        Position of the first token that was passed to the model, and number of all tokens.
    items
        Returns, by index of a pass and of a text, the item of the pass; negative for none.
    crosses
        Whether the keys are those of an encoder.

    Returns
    -------
    torch.Tensor
        Shape (texts, heads, queries, keys); NaN in rows that no pass computed.
    """
    first, total = tokens
    example = passes[0].weights[site]
    keys = example.shape[3] if crosses else total
    shape = (texts, example.shape[1], total - first, keys)
    whole = torch.full(shape, torch.nan)
    for index, one in enumerate(passes):
        weights = one.weights[site]
        if weights.shape[1] != example.shape[1]:
            # A kernel took the heads that share their keys as queries.
            weights = weights.reshape(weights.shape[0], example.shape[1], -1, weights.shape[3])
        # Without a cache, a pass computes everything again: only its newest row is its own.
        begin = 0 if one.start > first or index == 0 else weights.shape[2] - 1
        for text in range(texts):
            item = items(index, text)
            for query in range(begin, weights.shape[2]) if item >= 0 else ():
                end = one.start + weights.shape[2]
                row = one.start + query - first
                if row < total - first:
                    placed = weights[item, :, query]
                    whole[text, :, row] = placed if crosses else _placed(placed, end, keys)
    return whole


def _placed(row: torch.Tensor, end: int, keys: int) -> torch.Tensor:
    """Put a row's weights, (heads, keys), at the positions of its keys, the newest at ``end - 1``.

    A static cache has unused places at its end, and a sliding cache only the newest keys.
    """
    count = row.shape[-1]
    result = torch.zeros(row.shape[0], max(keys, end))
    if count > end:
        assert float(row[:, end:].abs().max()) < 1e-6
        row, count = row[:, :end], end
    result[:, end - count : end] = row
    return result[:, :keys]


def beams_of(result: Any) -> Callable[[int, int], int]:
    """Return the item of each pass, by the beam indices that ``generate`` returned."""
    indices = result.beam_indices.tolist()
    return lambda index, text: indices[text][index] if index < len(indices[text]) else -1
