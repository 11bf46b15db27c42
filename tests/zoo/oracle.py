"""The weights that a model really multiplies its values by, taken without attnlab.

An independent copy runs while its own functions are listened to: the eager attention
function of the family's modeling modules, PyTorch's fused function, and the softmaxes inside
modules that the zoo names. What ``output_attentions`` says is not used: in several families it
is not so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Softmax:
    """Which softmaxes are attention: those called in modules of these classes."""

    within: tuple[str, ...]
    heads: int | None = None
    """How many heads are folded into the first axis, where they are."""
    keep: Callable[[torch.Tensor], bool] = lambda weights: True
    unfold: Callable[[torch.Tensor], torch.Tensor] = lambda weights: weights
    """Bring an unusual layout to (items, heads, queries, keys)."""

    def read(self, weights: torch.Tensor) -> torch.Tensor:
        """Bring weights to (items, heads, queries, keys)."""
        if self.heads is not None and weights.ndim == 3:
            weights = weights.view(-1, self.heads, *weights.shape[1:])
        return self.unfold(weights)


def softmax(*within: str, **more: Any) -> Softmax:
    """Say that the softmaxes of these classes are attention."""
    return Softmax(within, **more)


class Heard(list[torch.Tensor]):
    """The weights heard so far, in the order of the calls."""

    eager = False
    """Whether an eager attention function is running: its softmax must not count twice.

    A family that the zoo hears at its softmaxes may call an eager function in a newer release.
    """


@dataclass(frozen=True)
class Oracle:
    """What to listen to besides the eager and the fused attention functions."""

    softmax: Softmax | None = None
    implementation: str = "eager"
    """Of the copy; another one where a family's eager path computes something else."""

    def weights(self, model: torch.nn.Module, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
        """Run a model; the weights of its attention calls, in order, in float32."""
        torch.manual_seed(1)
        with self.listening(model, Heard()) as heard:
            model(**inputs)
        return [item.float() for item in heard]

    @contextmanager
    def listening(self, model: torch.nn.Module, heard: Heard) -> Iterator[Heard]:
        """Listen to the model in this context, whatever calls it."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(_eager(model, heard))
            stack.enter_context(_fused(heard))
            if self.softmax is not None:
                stack.enter_context(_softmaxes(model, self.softmax, heard))
            yield heard


@contextmanager
def _eager(model: torch.nn.Module, heard: Heard) -> Iterator[None]:
    """Listen to the eager attention function of every modeling module of a model."""
    with ExitStack() as stack:
        for name in {type(part).__module__ for part in model.modules()}:
            module = sys.modules[name]
            eager = getattr(module, "eager_attention_forward", None)
            if eager is not None:
                listening = _listening(eager, heard)
                stack.enter_context(patch.object(module, "eager_attention_forward", listening))
        yield


def _listening(eager: Callable[..., Any], heard: Heard) -> Callable[..., Any]:
    def eager_attention_forward(module, query, key, value, *args, **kwargs):
        heard.eager = True
        try:
            output, weights = eager(module, query, key, value, *args, **kwargs)
        finally:
            heard.eager = False
        # Some families return something else than what they multiply by: then it is no oracle.
        values = value.repeat_interleave(weights.shape[1] // value.shape[1], dim=1)
        product = (weights.to(values.dtype) @ values).transpose(1, 2)
        assert torch.allclose(product, output.view_as(product), rtol=0, atol=1e-5)
        heard.append(weights)
        return output, weights

    return eager_attention_forward


@contextmanager
def _fused(heard: Heard) -> Iterator[None]:
    """Put the arithmetic of its manual in the place of the fused function."""

    def scaled_dot_product_attention(
        query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None
    ):
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if is_causal:
            future = torch.ones(scores.shape[-2:]).bool().triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, float("-inf"))
        elif attn_mask is not None:
            scores = scores + attn_mask
        # Not a softmax, which would be heard as one of the family's own.
        powers = torch.exp(scores - scores.amax(-1, keepdim=True))
        heard.append(powers / powers.sum(-1, keepdim=True))
        return heard[-1] @ value

    name = "scaled_dot_product_attention"
    with patch.object(functional, name, scaled_dot_product_attention):
        yield


@contextmanager
def _softmaxes(model: torch.nn.Module, which: Softmax, heard: Heard) -> Iterator[None]:
    """Listen to the softmaxes called while the innermost module is of a named class."""
    running: list[str] = []
    depth = 0

    def enter(module: torch.nn.Module, args: Any) -> None:
        running.append(type(module).__name__)

    def leave(module: torch.nn.Module, args: Any, result: Any) -> None:
        running.pop()

    def listening(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def softmax(*args: Any, **kwargs: Any) -> torch.Tensor:
            nonlocal depth
            depth += 1
            try:
                weights = original(*args, **kwargs)
            finally:
                depth -= 1
            # One form of softmax calls another; a module of its own is in no class of interest.
            inner = next((name for name in reversed(running) if name != "Softmax"), "")
            if not (depth or heard.eager) and inner in which.within and which.keep(weights):
                # Not a copy: what is masked in place afterwards is masked here, too.
                heard.append(which.read(weights))
            return weights

        return softmax

    with ExitStack() as stack:
        for part in model.modules():
            stack.callback(part.register_forward_pre_hook(enter).remove)
            stack.callback(part.register_forward_hook(leave, always_call=True).remove)
        for owner in (functional, torch, torch.Tensor):
            stack.enter_context(patch.object(owner, "softmax", listening(owner.softmax)))
        yield
