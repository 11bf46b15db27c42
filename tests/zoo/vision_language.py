"""Models that write about pictures: a tower, and a text decoder that reads its output."""

from __future__ import annotations

from typing import Any

import torch

from tests.zoo.inputs import Given, ids, noise
from tests.zoo.specimen import Specimen, interface

PICTURE, START, END, VIDEO = 55, 56, 57, 58
IDS: dict[str, Any] = {
    "image_token_id": PICTURE,
    "vision_start_token_id": START,
    "vision_end_token_id": END,
    "video_token_id": VIDEO,
}
GRID = torch.tensor([[1, 8, 4], [1, 4, 4]])
"""Two pictures of 8 × 4 and 4 × 4 patches, of which four each become one token."""

ROPE: dict[str, Any] = {
    "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
}


def text_with(*pictures: int, size: int = 32, **more: Any) -> Given:
    """A text that contains pictures of so many tokens each."""
    words = [ids(1, 3, seed=number) % PICTURE for number in range(len(pictures) + 1)]
    parts = [words[0]]
    for tokens, word in zip(pictures, words[1:], strict=True):
        parts += [torch.full((1, tokens), PICTURE), word]
    text = torch.cat(parts, 1)
    return {
        "input_ids": text,
        "attention_mask": torch.ones_like(text),
        "pixel_values": noise(len(pictures), 3, size, size),
    } | more


def packed() -> Given:
    """A text with two pictures whose patches are packed into one list."""
    given = text_with(8, 4, pixel_values=noise(48, 96), image_grid_thw=GRID)
    tokens = given["input_ids"]
    starts = torch.tensor([3, 14])
    tokens[0, starts - 1] = START
    return given | {"mm_token_type_ids": (tokens == PICTURE).int()}


def tower(**more: Any) -> dict[str, Any]:
    """Settings of a tower of packed patches."""
    return {
        "depth": 2,
        "num_heads": 2,
        "patch_size": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    } | more


VISION_LANGUAGE: list[Specimen] = [
    interface(
        "gemma3",
        "Gemma3ForConditionalGeneration",
        text_with(4, token_type_ids=(text_with(4)["input_ids"] == PICTURE).long()),
        "a picture that attends to itself",
        image_token_index=PICTURE,
        boi_token_index=START,
        eoi_token_index=END,
        mm_tokens_per_image=4,
        text_config={
            "sliding_window": 4,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        vision_config={"vision_use_head": False},
    ),
    interface(
        "glm4v",
        "Glm4vForConditionalGeneration",
        packed(),
        text_config=ROPE,
        vision_config=tower(out_hidden_size=32, image_size=32),
        **IDS,
    ),
    interface(
        "idefics3",
        "Idefics3ForConditionalGeneration",
        text_with(4, 4, pixel_values=noise(1, 2, 3, 32, 32)),
        image_token_id=PICTURE,
        scale_factor=2,
        text_config={"model_type": "llama"},
    ),
    interface(
        "mllama",
        "MllamaForConditionalGeneration",
        text_with(
            1,
            pixel_values=noise(1, 1, 2, 3, 8, 8),
            aspect_ratio_ids=torch.tensor([[1]]),
            aspect_ratio_mask=torch.tensor([[[1, 0]]]),
            cross_attention_mask=torch.tensor([0] * 3 + [1] * 4)[None, :, None, None]
            * torch.tensor([1, 0]),
        ),
        "cross attention to a picture",
        image_token_index=PICTURE,
        text_config={
            "num_hidden_layers": 3,
            "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
        vision_config={
            "attention_heads": 2,
            "num_global_layers": 1,
            "image_size": 8,
            "patch_size": 4,
            "vision_output_dim": 64,
            "max_num_tiles": 2,
            "intermediate_layers_indices": [0],
            "supported_aspect_ratios": [[1, 1], [1, 2]],
        },
    ),
    interface(
        "paligemma",
        "PaliGemmaForConditionalGeneration",
        text_with(16, token_type_ids=torch.zeros(1, 22).long()),
        "a prompt that attends to itself",
        image_token_index=PICTURE,
        projection_dim=32,
        text_config={"model_type": "gemma"},
        vision_config={
            "model_type": "siglip_vision_model",
            "projection_dim": 32,
            "vision_use_head": False,
        },
    ),
    interface(
        "qwen2_5_vl",
        "Qwen2_5_VLForConditionalGeneration",
        packed(),
        "windows of patches",
        text_config=ROPE,
        vision_config=tower(out_hidden_size=32, window_size=16, fullatt_block_indexes=[1]),
        **IDS,
    ),
    interface(
        "qwen2_vl",
        "Qwen2VLForConditionalGeneration",
        packed(),
        "positions of three axes",
        text_config=ROPE,
        vision_config=tower(embed_dim=16, mlp_ratio=2),
        **IDS,
    ),
    interface(
        "qwen3_vl",
        "Qwen3VLForConditionalGeneration",
        packed(),
        "pictures enter several layers",
        text_config=ROPE,
        vision_config=tower(
            out_hidden_size=32, deepstack_visual_indexes=[0], num_position_embeddings=64
        ),
        **IDS,
    ),
]
