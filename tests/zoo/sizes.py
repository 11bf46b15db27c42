"""Configurations so small that a hundred models run in a minute."""

from __future__ import annotations

from typing import Any

import transformers

VOCABULARY = 60

SIZES: dict[str, int] = {
    "vocab_size": VOCABULARY,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "type_vocab_size": 2,
    "max_position_embeddings": 64,
    "hidden_size": 32,
    "embedding_size": 16,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    # Encoder-decoders have names of their own for the same things.
    "d_model": 32,
    "d_ff": 48,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 4,
    "num_decoder_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    # Mixtures of experts.
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    # Multi-head latent attention; values narrower than keys, on purpose.
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
    # Vision.
    "image_size": 32,
    "patch_size": 8,
}


def tiny(kind: type, **settings: Any) -> Any:
    """Make a configuration of a class, small wherever `settings` do not say otherwise.

    Settings of a part (``text_config`` and the like) are given as a dictionary.
    """
    fields = getattr(kind, "__dataclass_fields__", {})
    aliases = getattr(kind, "attribute_map", None) or {}
    chosen: dict[str, Any] = {}
    for name, size in SIZES.items():
        field = aliases.get(name, name)
        known = name in aliases or name in fields
        default = getattr(fields.get(field), "default", None)
        # A list means one number a stage: those models are sized by their own settings.
        if known and field not in settings and not isinstance(default, list | tuple):
            chosen[field] = size
    for name, part in (getattr(kind, "sub_configs", None) or {}).items():
        given = dict(settings.pop(name, None) or {})
        if part is transformers.AutoConfig:
            model_type = given.pop("model_type", None)
            part = (
                type(getattr(kind(), name))
                if model_type is None
                else type(transformers.AutoConfig.for_model(model_type))
            )
        chosen[name] = tiny(part, **given)
    return kind(**chosen | settings)
