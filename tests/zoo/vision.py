"""Vision models, through the interface and not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tests.zoo.inputs import image, noise
from tests.zoo.oracle import Oracle, softmax
from tests.zoo.specimen import Expected, Specimen, interface, outside

GROUPING = "where it groups patches, each chooses a group; the mean over a group is shown"


@dataclass(frozen=True)
class Grouping(Oracle):
    """Also hears where patches are put into groups, each into one; by the definition."""

    def weights(self, model: torch.nn.Module, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
        heard = super().weights(model, inputs)
        means: list[torch.Tensor] = []

        def grouped(assign: Any, given: tuple[torch.Tensor, torch.Tensor], _: Any) -> None:
            scores = assign.q_proj(given[0]) @ assign.k_proj(given[1]).mT
            chosen = scores.argmax(1, keepdim=True)
            member = torch.zeros_like(scores).scatter(1, chosen, 1.0)
            means.append((member / (member.sum(-1, keepdim=True) + 1))[:, None])

        groups = [part for part in model.modules() if "AssignAttention" in type(part).__name__]
        hooks = [part.register_forward_hook(grouped) for part in groups]
        with torch.no_grad():
            model(**inputs)
        for hook in hooks:
            hook.remove()
        return [*heard[:2], *means, *heard[2:]]


# Models in stages: two of one layer each, with different numbers of heads.
STAGES: dict[str, Any] = {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4]}
PYRAMID: dict[str, Any] = {
    "num_encoder_blocks": 2,
    "depths": [1, 1],
    "hidden_sizes": [16, 32],
    "num_attention_heads": [2, 4],
    "sr_ratios": [2, 1],
    "patch_sizes": [3, 3],
    "strides": [4, 2],
    "mlp_ratios": [2, 2],
}
CLIP = {"pixel_values": noise(2, 2, 3, 32, 32)}
DETECTION: dict[str, Any] = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone_config": {
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [16, 32],
        "depths": [1, 1],
        "layer_type": "basic",
        "out_features": ["stage2"],
    },
    "num_queries": 5,
}


def windows(weights: torch.Tensor) -> torch.Tensor:
    """Take the windows (items, heads, windows, queries, keys) of a picture for items."""
    return weights.transpose(1, 2).flatten(0, 1)


VISION: list[Specimen] = [
    interface("aimv2_vision_model", "Aimv2VisionModel", image()),
    interface("beit", "BeitModel", image(), "position bias", use_relative_position_bias=True),
    interface("clip_vision_model", "CLIPVisionModel", image()),
    interface("deit", "DeiTModel", image()),
    interface("detr", "DetrModel", image(64), "cross attention to a picture", **DETECTION),
    interface("dinov2", "Dinov2Model", image()),
    interface("dinov2_with_registers", "Dinov2WithRegistersModel", image()),
    interface("dinov3_vit", "DINOv3ViTModel", image()),
    interface("dpt", "DPTModel", image()),
    interface("ijepa", "IJepaModel", image()),
    interface("mlcd_vision_model", "MLCDVisionModel", image()),
    interface("pixio", "PixioModel", image()),
    interface("pixtral", "PixtralVisionModel", image()),
    interface("radio", "RadioModel", image()),
    interface("segformer", "SegformerModel", image(64), "keys of a smaller picture", **PYRAMID),
    interface(
        "siglip_vision_model",
        "SiglipVisionModel",
        image(),
        "pooled by attention",
        also=softmax("MultiheadAttention", heads=4),
    ),
    interface(
        "swin",
        "SwinModel",
        image(64),
        "shifted windows",
        patch_size=4,
        window_size=4,
        image_size=64,
        **STAGES,
    ),
    interface("videomae", "VideoMAEModel", CLIP, num_frames=2, tubelet_size=1),
    interface("vit", "ViTModel", image()),
    interface("vit_mae", "ViTMAEModel", image(), "most patches hidden"),
    interface("vit_msn", "ViTMSNModel", image()),
    interface("vivit", "VivitModel", CLIP, num_frames=2, tubelet_size=[1, 8, 8]),
    interface(
        "vjepa2",
        "VJEPA2Model",
        {"pixel_values_videos": noise(1, 2, 3, 32, 32)},
        "predictor",
        crop_size=32,
        frames_per_clip=2,
        tubelet_size=2,
        pred_hidden_size=32,
        pred_num_attention_heads=4,
        pred_num_hidden_layers=1,
    ),
    interface("yolos", "YolosModel", image(), image_size=[32, 32], num_detection_tokens=4),
    outside(
        "cvt",
        "CvtModel",
        image(),
        softmax("CvtSelfAttention"),
        "convolved projections",
        num_stages=2,
        patch_sizes=[7, 3],
        patch_stride=[4, 2],
        patch_padding=[2, 1],
        embed_dim=[16, 32],
        num_heads=[1, 4],
        depth=[1, 2],
        mlp_ratio=[2.0, 2.0],
        attention_drop_rate=[0.0] * 2,
        drop_rate=[0.0] * 2,
        drop_path_rate=[0.0] * 2,
        qkv_bias=[True] * 2,
        cls_token=[False, True],
        qkv_projection_method=["dw_bn"] * 2,
        kernel_qkv=[3] * 2,
        padding_kv=[1] * 2,
        stride_kv=[2] * 2,
        padding_q=[1] * 2,
        stride_q=[1] * 2,
    ),
    outside(
        "data2vec-vision",
        "Data2VecVisionModel",
        image(),
        softmax("Data2VecVisionSelfAttention"),
        "position bias",
        use_relative_position_bias=True,
    ),
    outside(
        "donut-swin",
        "DonutSwinModel",
        image(64),
        softmax("DonutSwinSelfAttention"),
        patch_size=4,
        window_size=4,
        image_size=64,
        **STAGES,
    ),
    outside("glpn", "GLPNModel", image(64), softmax("GLPNEfficientSelfAttention"), **PYRAMID),
    outside(
        "groupvit_vision_model",
        "GroupViTVisionModel",
        image(),
        None,
        oracle=Grouping(softmax("GroupViTAttention", heads=4)),
        expected=Expected("weights", GROUPING),
        depths=[1, 1],
        num_hidden_layers=2,
        num_group_tokens=[8, 0],
        num_output_groups=[8, 0],
    ),
    outside(
        "hiera",
        "HieraModel",
        image(64),
        softmax("HieraMaskUnitAttention", unfold=windows),
        "mask units: scores of five axes",
        image_size=[64, 64],
        patch_size=[7, 7],
        patch_stride=[4, 4],
        patch_padding=[3, 3],
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 4],
        masked_unit_size=[4, 4],
        num_query_pool=1,
        query_stride=[2, 2],
        masked_unit_attention=[True, False],
    ),
    outside(
        "levit",
        "LevitModel",
        image(64),
        softmax("LevitAttention", "LevitAttentionSubsample"),
        "values wider than keys",
        image_size=64,
        patch_size=16,
        num_attention_heads=[2, 2, 4],
        hidden_sizes=[16, 24, 32],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
        attention_ratio=[2, 2, 2],
        mlp_ratio=[2, 2, 2],
        down_ops=[["Subsample", 8, 2, 4, 2, 2], ["Subsample", 8, 3, 4, 2, 2]],
    ),
    outside(
        "mobilevit",
        "MobileViTModel",
        image(64),
        softmax("MobileViTSelfAttention"),
        "patches as items",
        spread=0.6,
        image_size=64,
        patch_size=2,
        hidden_sizes=[16, 16, 16],
        neck_hidden_sizes=[8, 8, 8, 8, 8, 8, 8],
    ),
    outside(
        "pvt",
        "PvtModel",
        image(64),
        softmax("PvtEfficientSelfAttention"),
        "keys of a smaller picture",
        image_size=64,
        num_encoder_blocks=2,
        depths=[1, 1],
        hidden_sizes=[16, 32],
        num_attention_heads=[2, 4],
        sequence_reduction_ratios=[2, 1],
        patch_sizes=[4, 2],
        strides=[4, 2],
        mlp_ratios=[2, 2],
    ),
    outside(
        "pvt_v2",
        "PvtV2Model",
        image(64),
        softmax("PvtV2SelfAttention"),
        image_size=64,
        num_encoder_blocks=2,
        depths=[1, 1],
        hidden_sizes=[16, 32],
        num_attention_heads=[2, 4],
        sr_ratios=[2, 1],
        patch_sizes=[7, 3],
        strides=[4, 2],
        mlp_ratios=[2, 2],
    ),
    outside(
        "swin2sr",
        "Swin2SRModel",
        image(16),
        softmax("Swin2SRSelfAttention"),
        "cosine scores",
        image_size=16,
        patch_size=1,
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 2],
        window_size=4,
    ),
    outside(
        "swinv2",
        "Swinv2Model",
        image(64),
        softmax("Swinv2SelfAttention"),
        "cosine scores",
        patch_size=4,
        window_size=4,
        image_size=64,
        **STAGES,
    ),
    outside(
        "timesformer",
        "TimesformerModel",
        CLIP,
        softmax("TimesformerSelfAttention"),
        "time, then space",
        num_frames=2,
    ),
    outside(
        "vitdet",
        "VitDetModel",
        image(),
        softmax("VitDetAttention", heads=4),
        "decomposed position bias",
        use_relative_position_embeddings=True,
        window_block_indices=[0],
        window_size=2,
    ),
    outside(
        "mgp-str",
        "MgpstrModel",
        {"pixel_values": noise(2, 3, 16, 32)},
        softmax("MgpstrAttention"),
        image_size=[16, 32],
        patch_size=8,
    ),
]
