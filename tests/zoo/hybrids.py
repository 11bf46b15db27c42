"""Models with fewer attention layers than layers: the others are recurrences or convolutions."""

from __future__ import annotations

from typing import Any

from tests.zoo.inputs import text
from tests.zoo.specimen import Specimen, interface

MAMBA: dict[str, Any] = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
}

HYBRIDS: list[Specimen] = [
    interface(
        "bamba",
        "BambaForCausalLM",
        text(),
        spread=0.2,
        num_hidden_layers=3,
        attn_layer_indices=[1],
        **MAMBA,
    ),
    interface("falcon_h1", "FalconH1ForCausalLM", text(), "both in each layer", spread=0.2),
    interface(
        "granitemoehybrid",
        "GraniteMoeHybridForCausalLM",
        text(),
        spread=0.2,
        num_hidden_layers=3,
        layer_types=["mamba", "attention", "mamba"],
        **MAMBA,
    ),
    interface(
        "jamba",
        "JambaForCausalLM",
        text(),
        spread=0.2,
        num_hidden_layers=4,
        attn_layer_period=2,
        attn_layer_offset=1,
        mamba_dt_rank=4,
    ),
    interface("lfm2", "Lfm2ForCausalLM", text(), layer_types=["conv", "full_attention"]),
    interface("lfm2_moe", "Lfm2MoeForCausalLM", text(), layer_types=["conv", "full_attention"]),
    interface("minimax", "MiniMaxForCausalLM", text(), spread=0.2),
    interface("nemotron_h", "NemotronHForCausalLM", text(), spread=0.2),
    interface("olmo_hybrid", "OlmoHybridForCausalLM", text(), spread=0.2),
    interface("qwen3_5_text", "Qwen3_5ForCausalLM", text(), spread=0.2, num_hidden_layers=4),
    interface("qwen3_next", "Qwen3NextForCausalLM", text(), spread=0.2, num_hidden_layers=4),
    interface(
        "recurrent_gemma",
        "RecurrentGemmaForCausalLM",
        text(),
        spread=0.2,
        num_hidden_layers=3,
        lru_width=32,
        attention_window_size=4,
    ),
    interface(
        "zamba2",
        "Zamba2ForCausalLM",
        text(),
        "one module shared by layers",
        spread=0.2,
        num_hidden_layers=4,
        layers_block_type=["mamba", "hybrid"] * 2,
        layer_types=["mamba", "hybrid"] * 2,
    ),
    interface("zaya", "ZayaForCausalLM", text(), spread=0.2, num_experts_per_tok=1),
]
