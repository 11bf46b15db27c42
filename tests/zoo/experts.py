"""Mixtures of experts: their routers call softmax, too, and that is no attention."""

from __future__ import annotations

from tests.zoo.inputs import left, text
from tests.zoo.specimen import Specimen, interface
from tests.zoo.text_decoders import LATENT

EXPERTS: list[Specimen] = [
    interface("afmoe", "AfmoeForCausalLM", left()),
    interface(
        "deepseek_v32", "DeepseekV32ForCausalLM", text(), "sparse indices", index_topk=3, **LATENT
    ),
    interface("deepseek_v4", "DeepseekV4ForCausalLM", text(), "sinks"),
    interface("dots1", "Dots1ForCausalLM", left()),
    interface("ernie4_5_moe", "Ernie4_5_MoeForCausalLM", left()),
    interface("flex_olmo", "FlexOlmoForCausalLM", left()),
    interface("glm4_moe", "Glm4MoeForCausalLM", left()),
    interface(
        "glm_moe_dsa", "GlmMoeDsaForCausalLM", text(), "sparse indices", index_topk=3, **LATENT
    ),
    interface("gpt_oss", "GptOssForCausalLM", left(), "sinks and sliding window", sliding_window=4),
    interface("granitemoe", "GraniteMoeForCausalLM", left()),
    interface("granitemoeshared", "GraniteMoeSharedForCausalLM", left()),
    interface("hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM", left()),
    interface("jetmoe", "JetMoeForCausalLM", left(), "experts of attention"),
    interface("llama4_text", "Llama4ForCausalLM", text()),
    interface(
        "longcat_flash", "LongcatFlashForCausalLM", left(), "two attentions a layer", **LATENT
    ),
    interface("minimax_m2", "MiniMaxM2ForCausalLM", left()),
    interface("mistral4", "Mistral4ForCausalLM", left(), "latent", **LATENT),
    interface("mixtral", "MixtralForCausalLM", left()),
    interface("olmoe", "OlmoeForCausalLM", left()),
    interface("phimoe", "PhimoeForCausalLM", left()),
    interface("qwen2_moe", "Qwen2MoeForCausalLM", left()),
    interface("qwen3_moe", "Qwen3MoeForCausalLM", left()),
    interface("solar_open", "SolarOpenForCausalLM", left()),
]
