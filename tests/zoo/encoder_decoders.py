"""Encoder-decoders: three kinds of sites, and cross attention that is not square."""

from __future__ import annotations

from tests.zoo.inputs import boxes, pair
from tests.zoo.oracle import softmax
from tests.zoo.specimen import Specimen, interface

ENCODER_DECODERS: list[Specimen] = [
    interface("bart", "BartModel", pair()),
    interface(
        "bart",
        "BartModel",
        pair(),
        "unequal depths and heads",
        encoder_layers=3,
        decoder_layers=1,
        encoder_attention_heads=2,
    ),
    interface(
        "bigbird_pegasus",
        "BigBirdPegasusModel",
        pair(),
        "full attention",
        also=softmax("BigBirdPegasusSelfAttention"),
        attention_type="original_full",
    ),
    interface("blenderbot", "BlenderbotModel", pair()),
    interface("blenderbot-small", "BlenderbotSmallModel", pair()),
    interface("m2m_100", "M2M100Model", pair()),
    interface("marian", "MarianModel", pair()),
    interface("mbart", "MBartModel", pair()),
    interface("mt5", "MT5Model", pair(), spread=0.1),
    interface("nllb-moe", "NllbMoeModel", pair()),
    interface("pegasus", "PegasusModel", pair()),
    interface("plbart", "PLBartModel", pair()),
    interface("switch_transformers", "SwitchTransformersModel", pair(), spread=0.1),
    interface("t5", "T5Model", pair(), "position bias", spread=0.1),
    interface(
        "t5",
        "T5EncoderModel",
        {k: v for k, v in pair().items() if "decoder" not in k},
        "encoder alone",
        spread=0.1,
    ),
    interface("t5gemma", "T5GemmaModel", pair()),
    interface("t5gemma2", "T5Gemma2Model", pair(), "self and cross attention in one"),
    interface("udop", "UdopModel", pair(bbox=boxes(20.0)), spread=0.1),
    interface("umt5", "UMT5Model", pair(), "position bias in each layer", spread=0.1),
]
