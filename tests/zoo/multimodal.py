"""Models that see and read: towers side by side, or one after the other."""

from __future__ import annotations

from typing import Any

import torch

from tests.zoo.inputs import captioned, ids, image, noise, right
from tests.zoo.oracle import softmax
from tests.zoo.specimen import Specimen, interface, outside

# Towers look for the end of the text by its id.
TEXT: dict[str, Any] = {"text_config": {"eos_token_id": 59}}

MULTIMODAL: list[Specimen] = [
    interface("altclip", "AltCLIPModel", captioned(), **TEXT),
    interface("chinese_clip", "ChineseCLIPModel", captioned()),
    interface("clip", "CLIPModel", captioned(), "two towers", **TEXT),
    interface("clipseg", "CLIPSegModel", captioned(), **TEXT),
    interface(
        "git",
        "GitModel",
        captioned(),
        "one tower in, one outside",
        also=softmax("GitSelfAttention"),
    ),
    interface(
        "llava",
        "LlavaForConditionalGeneration",
        {"input_ids": torch.cat([ids(2, 4), torch.full((2, 16), 59), ids(2, 4)], 1)} | image(),
        image_token_index=59,
        vision_feature_select_strategy="default",
        vision_config={"model_type": "clip_vision_model"},
        text_config={"model_type": "llama"},
    ),
    interface("metaclip_2", "MetaClip2Model", captioned(), **TEXT),
    interface("owlv2", "Owlv2Model", captioned(), **TEXT),
    interface("owlvit", "OwlViTModel", captioned(), **TEXT),
    interface(
        "siglip",
        "SiglipModel",
        captioned(),
        "two towers, pooled by attention",
        also=softmax("MultiheadAttention", heads=4),
    ),
    interface(
        "blip_2_qformer",
        "Blip2QFormerModel",
        {"query_embeds": noise(2, 6, 32), "encoder_hidden_states": noise(2, 7, 32, seed=6)},
        "queries learned to look at a picture",
        encoder_hidden_size=32,
    ),
    outside(
        "blip",
        "BlipModel",
        captioned(),
        softmax("BlipAttention", "BlipTextSelfAttention"),
        "two towers",
        **TEXT,
    ),
    outside(
        "blip_text_model",
        "BlipTextModel",
        right(encoder_hidden_states=noise(2, 7, 32)),
        softmax("BlipTextSelfAttention"),
        "cross attention to a picture",
        is_decoder=True,
        encoder_hidden_size=32,
    ),
    outside("flava", "FlavaModel", captioned(), softmax("FlavaSelfAttention"), "three encoders"),
    outside(
        "lxmert",
        "LxmertModel",
        right(visual_feats=noise(2, 4, 16), visual_pos=noise(2, 4, 4).sigmoid()),
        softmax("LxmertAttention"),
        "attention across, both ways",
        visual_feat_dim=16,
        l_layers=2,
        x_layers=1,
        r_layers=1,
    ),
    outside(
        "sam",
        "SamModel",
        {"pixel_values": noise(1, 3, 32, 32), "input_points": torch.full((1, 1, 2, 2), 9.0)},
        softmax("SamVisionAttention", heads=4),
        "picture outside, prompts inside the interface",
        image_size=32,
        vision_config={
            "output_channels": 32,
            "num_pos_feats": 16,
            "window_size": 2,
            "global_attn_indexes": [1],
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 32, "patch_size": 8},
        mask_decoder_config={"hidden_size": 32, "iou_head_hidden_dim": 32},
    ),
    outside("vilt", "ViltModel", captioned(), softmax("ViltSelfAttention"), "one encoder"),
]
