"""``nn.MultiheadAttention`` and the transformers that PyTorch builds of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.zoo.inputs import noise
from tests.zoo.oracle import Oracle
from tests.zoo.plain import SIZE, plain
from tests.zoo.scores import HEADS
from tests.zoo.specimen import Specimen

PADDING = torch.tensor([[False] * 9, [False] * 6 + [True] * 3])
CAUSAL = torch.full((9, 9), -math.inf).triu(1)


class Multihead(nn.Module):
    """A residual around two multi-head attentions."""

    def __init__(self, weights: bool = True, average: bool = True, **more: Any) -> None:
        super().__init__()
        self.asked = {"need_weights": weights, "average_attn_weights": average}
        self.layers = nn.ModuleList(nn.MultiheadAttention(SIZE, HEADS, **more) for _ in range(2))

    def forward(self, x: Tensor, memory: Tensor | None = None, **masks: Any) -> Tensor:
        for layer in self.layers:
            seen = x if memory is None else memory
            x = x + layer(x, seen, seen, **self.asked, **masks)[0]
        return x


class Translator(nn.Module):
    """An encoder and a decoder of PyTorch's own layers."""

    def __init__(self, **more: Any) -> None:
        super().__init__()
        more = {"batch_first": True, "dim_feedforward": 48, "dropout": 0.0} | more
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(SIZE, HEADS, **more), 2, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(SIZE, HEADS, **more), 2)

    def forward(self, source: Tensor, target: Tensor, padding: Tensor) -> Tensor:
        memory = self.encoder(source, src_key_padding_mask=padding)
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.decoder(
            target, memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=padding
        )


class Encoder(nn.Module):
    """PyTorch's encoder alone."""

    def __init__(self, nested: bool = False, **more: Any) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            SIZE, HEADS, dim_feedforward=48, dropout=0.0, batch_first=True, **more
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)

    def forward(self, source: Tensor, **masks: Any) -> Tensor:
        return self.encoder(source, **masks)


def weights_of(
    layer: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    **rest: Any,
) -> Tensor:
    """Weights (items, heads, queries, keys) by the definition in the layer's manual."""
    if not layer.batch_first:
        query, key = query.transpose(0, 1), key.transpose(0, 1)
    if layer.in_proj_weight is not None:
        wq, wk, _ = layer.in_proj_weight.chunk(3)
    else:
        wq, wk = layer.q_proj_weight, layer.k_proj_weight
    bq, bk, _ = layer.in_proj_bias.chunk(3)
    q, k = query @ wq.T + bq, key @ wk.T + bk
    extra = 0
    if layer.bias_k is not None:
        k, extra = torch.cat([k, layer.bias_k.expand(len(k), 1, -1)], 1), 1
    if layer.add_zero_attn:
        k, extra = torch.cat([k, torch.zeros(len(k), 1, SIZE)], 1), extra + 1
    q, k = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (q, k))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    for mask, axes in ((key_padding_mask, (slice(None), None, None)), (attn_mask, ())):
        if mask is not None:
            if mask.dtype == torch.bool:
                mask = torch.zeros(mask.shape).masked_fill(mask, -math.inf)
            scores = scores + nn.functional.pad(mask[axes] if axes else mask, (0, extra))
    powers = torch.exp(scores.double())
    return (powers / powers.sum(-1, keepdim=True)).float()


@dataclass(frozen=True)
class MultiheadOracle(Oracle):
    """The arithmetic at each multi-head layer, given what reaches it."""

    def weights(self, model: nn.Module, inputs: Mapping[str, Any]) -> list[Tensor]:
        heard: list[Tensor] = []

        def listen(layer: Any, args: Any, kwargs: Any) -> None:
            heard.append(weights_of(layer, *args, **kwargs).detach())

        # With gradients, PyTorch takes no path on which its layers are not called.
        with ExitStack() as stack, torch.enable_grad():
            for part in model.modules():
                if isinstance(part, nn.MultiheadAttention):
                    hook = part.register_forward_pre_hook(listen, with_kwargs=True)
                    stack.callback(hook.remove)
            model(**inputs)
        return heard


def multihead(
    name: str, variant: str, kind: type[nn.Module], given: Mapping[str, Any], **more: Any
) -> Specimen:
    return plain(name, variant, lambda: kind(**more), given, MultiheadOracle())


LAYER, ENCODER = "nn.MultiheadAttention", "nn.TransformerEncoder"
X, FIRST = {"x": noise(2, 9, SIZE)}, {"batch_first": True}
ACROSS = {"x": noise(2, 5, SIZE), "memory": noise(2, 9, SIZE, seed=6)}

MULTIHEAD: list[Specimen] = [
    multihead(LAYER, "weights asked", Multihead, X, **FIRST),
    multihead(LAYER, "weights of each head asked", Multihead, X, average=False, **FIRST),
    multihead(LAYER, "no weights asked", Multihead, X, weights=False, **FIRST),
    multihead(LAYER, "tokens first, weights asked", Multihead, {"x": noise(9, 2, SIZE)}),
    multihead(LAYER, "tokens first", Multihead, {"x": noise(9, 2, SIZE)}, weights=False),
    multihead(LAYER, "across", Multihead, ACROSS, weights=False, **FIRST),
    multihead(LAYER, "across, weights asked", Multihead, ACROSS, **FIRST),
    multihead(LAYER, "padding", Multihead, X | {"key_padding_mask": PADDING}, **FIRST),
    multihead(
        LAYER,
        "padding, no weights asked",
        Multihead,
        X | {"key_padding_mask": PADDING},
        weights=False,
        **FIRST,
    ),
    multihead(
        LAYER, "mask of numbers", Multihead, X | {"attn_mask": CAUSAL}, weights=False, **FIRST
    ),
    multihead(LAYER, "a key of its own", Multihead, X, add_bias_kv=True, weights=False, **FIRST),
    multihead(LAYER, "a key of zeros", Multihead, X, add_zero_attn=True, **FIRST),
    multihead(
        LAYER,
        "memory of another width",
        Multihead,
        {"x": noise(2, 5, SIZE), "memory": noise(2, 9, 20)},
        kdim=20,
        vdim=20,
        **FIRST,
    ),
    multihead(ENCODER, "fast path", Encoder, {"source": noise(2, 9, SIZE)}),
    multihead(ENCODER, "norm first", Encoder, {"source": noise(2, 9, SIZE)}, norm_first=True),
    multihead(
        ENCODER,
        "fast path, padding",
        Encoder,
        {"source": noise(2, 9, SIZE), "src_key_padding_mask": PADDING},
    ),
    multihead(
        ENCODER,
        "fast path, nested tensors",
        Encoder,
        {"source": noise(2, 9, SIZE), "src_key_padding_mask": PADDING},
        nested=True,
    ),
    multihead(ENCODER, "causal", Encoder, {"source": noise(2, 9, SIZE), "mask": CAUSAL}),
    multihead(
        "nn.TransformerDecoder",
        "with its encoder",
        Translator,
        {"source": noise(2, 9, SIZE), "target": noise(2, 5, SIZE, seed=6), "padding": PADDING},
    ),
]
