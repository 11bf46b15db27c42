"""Tiny random models of several families, and the weights of an eager copy.

The oracle shares no code with attnlab: a second model with the same parameters, created with
``attn_implementation="eager"`` and called with ``output_attentions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers

from attnlab.capture.watch import observing
from attnlab.traces.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.record.recorded_call import RecordedCall, Refusal

VOCABULARY = 60


def ids(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return random token ids, none of them the padding id 0."""
    return torch.randint(2, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class Family:
    """One kind of model: how to create it and how to call it."""

    kind: str
    config: Any
    inputs: dict[str, torch.Tensor]
    spread: float = 0.3
    """Standard deviation added to the parameters; T5 does not scale its scores down."""
    implementation: str | None = None
    """The implementation that computes the same as eager; None for the model's default."""

    def model(self, implementation: str | None = None) -> Any:
        """Create the model, with the same parameters each time."""
        torch.manual_seed(0)
        implementation = implementation or self.implementation
        config = type(self.config).from_dict(self.config.to_dict())
        if implementation is not None:
            config._attn_implementation = implementation
        model = getattr(transformers, self.kind)._from_config(
            config, attn_implementation=implementation
        )
        with torch.no_grad():
            for parameter in model.parameters():
                # New models attend nearly evenly, which would hide errors.
                parameter.add_(torch.randn_like(parameter) * self.spread)
        return model.eval()

    def oracle(self) -> dict[str, list[torch.Tensor]]:
        """Return the weights by kind of site and layer, of an independent eager model."""
        with torch.no_grad():
            said = self.model("eager")(**self.inputs, output_attentions=True)
        if "cross_attentions" in said and said.cross_attentions:
            return {
                "encoder": list(said.encoder_attentions),
                "decoder": list(said.decoder_attentions),
                "cross": list(said.cross_attentions),
            }
        return {"": list(said.attentions)}


def _small(**more: Any) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
    }
    return sizes | more


def bert() -> Family:
    text = {"input_ids": ids(1, 9), "attention_mask": torch.tensor([[1] * 7 + [0] * 2])}
    return Family("BertModel", transformers.BertConfig(**_small()), text)


def llama() -> Family:
    config = transformers.LlamaConfig(**_small(num_key_value_heads=2))
    return Family("LlamaForCausalLM", config, {"input_ids": ids(1, 9)})


def gemma2() -> Family:
    config = transformers.Gemma2Config(
        **_small(num_key_value_heads=2),
        head_dim=8,
        sliding_window=4,
        attn_logit_softcapping=2.0,
        query_pre_attn_scalar=3,
    )
    # The default of transformers 5.20 omits the softcap.
    return Family("Gemma2ForCausalLM", config, {"input_ids": ids(1, 9)}, implementation="eager")


def gpt_oss() -> Family:
    config = transformers.GptOssConfig(
        **_small(num_key_value_heads=2),
        head_dim=8,
        num_local_experts=2,
        num_experts_per_tok=1,
        sliding_window=4,
    )
    return Family("GptOssForCausalLM", config, {"input_ids": ids(1, 9)})


def t5() -> Family:
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4
    )
    text = {
        "input_ids": ids(1, 9),
        "decoder_input_ids": ids(1, 5, seed=1),
        "attention_mask": torch.tensor([[1] * 8 + [0]]),
    }
    return Family("T5ForConditionalGeneration", config, text, spread=0.1)


def gpt2() -> Family:
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64
    )
    text = {
        "input_ids": ids(2, 9),
        "attention_mask": torch.tensor([[0] * 3 + [1] * 6, [1] * 9]),
    }
    return Family("GPT2LMHeadModel", config, text)


FAMILIES = {
    "BERT, padded": bert,
    "Llama, grouped heads": llama,
    "Gemma 2, softcap and sliding window": gemma2,
    "gpt-oss, sinks": gpt_oss,
    "T5, position bias and cross attention": t5,
    "GPT-2, batch with left padding": gpt2,
}


def record(
    model: Any, inputs: Mapping[str, Any], namespace: Mapping[str, Any] | None = None
) -> tuple[Any, list[RecordedCall | Refusal]]:
    """Call a model while it is observed; return its result and the outcomes."""
    outcomes: list[RecordedCall | Refusal] = []
    with torch.no_grad(), observing(outcomes.append, namespace or {}):
        result = model(**inputs)
    return result, outcomes


def trace(call: Any) -> Trace:
    """Return the trace of a call."""
    return Trace.from_call(call, id="t", cell="c", execution=1, index=0)
