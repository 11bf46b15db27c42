"""Models of sound and of time series, through the interface and not."""

from __future__ import annotations

from typing import Any

import torch

from tests.zoo.inputs import ids, noise
from tests.zoo.oracle import softmax
from tests.zoo.specimen import Specimen, interface, outside

WAVES = {"input_values": noise(2, 1200)}
# Two convolutions in place of seven leave a quarter of a hundred frames.
FRAMES: dict[str, Any] = {
    "conv_dim": [32, 32],
    "conv_kernel": [10, 8],
    "conv_stride": [10, 8],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SERIES: dict[str, Any] = {
    "prediction_length": 4,
    "context_length": 8,
    "lags_sequence": [1, 2],
    "num_time_features": 1,
}
HISTORY = {
    "past_values": noise(2, 10),
    "past_time_features": noise(2, 10, 1, seed=6),
    "past_observed_mask": torch.ones(2, 10),
    "future_values": noise(2, 4, seed=7),
    "future_time_features": noise(2, 4, 1, seed=8),
}

SOUND: list[Specimen] = [
    interface(
        "audio-spectrogram-transformer",
        "ASTModel",
        {"input_values": noise(2, 24, 16)},
        max_length=24,
        num_mel_bins=16,
        frequency_stride=8,
        time_stride=8,
    ),
    interface("data2vec-audio", "Data2VecAudioModel", WAVES, **FRAMES, conv_pos_kernel_size=5),
    interface("hubert", "HubertModel", WAVES, **FRAMES),
    interface(
        "moonshine",
        "MoonshineModel",
        {"input_values": noise(1, 3000), "decoder_input_ids": ids(1, 5)},
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=4,
        decoder_num_attention_heads=4,
        encoder_num_key_value_heads=4,
        decoder_num_key_value_heads=4,
    ),
    interface(
        "musicgen_decoder", "MusicgenForCausalLM", {"input_ids": ids(4, 9)}, "four books of codes"
    ),
    interface(
        "patchtst",
        "PatchTSTModel",
        {"past_values": noise(2, 32, 2)},
        spread=0.2,
        context_length=32,
        num_input_channels=2,
        patch_length=4,
        patch_stride=4,
    ),
    interface("sew", "SEWModel", WAVES, **FRAMES),
    interface(
        "speech_to_text",
        "Speech2TextModel",
        {"input_features": noise(1, 24, 8), "decoder_input_ids": ids(1, 5)},
        input_feat_per_channel=8,
        max_source_positions=30,
        max_target_positions=20,
        conv_channels=16,
    ),
    interface("time_series_transformer", "TimeSeriesTransformerModel", HISTORY, **SERIES),
    interface("unispeech", "UniSpeechModel", WAVES, **FRAMES),
    interface("unispeech-sat", "UniSpeechSatModel", WAVES, **FRAMES),
    interface(
        "wav2vec2",
        "Wav2Vec2Model",
        WAVES | {"attention_mask": torch.tensor([[1] * 900 + [0] * 300, [1] * 1200])},
        "padding on the right",
        **FRAMES,
    ),
    interface(
        "wav2vec2-bert",
        "Wav2Vec2BertModel",
        {"input_features": noise(2, 12, 16)},
        "relative positions",
        feature_projection_input_dim=16,
    ),
    interface(
        "wav2vec2-conformer", "Wav2Vec2ConformerModel", WAVES, "relative positions", **FRAMES
    ),
    interface(
        "whisper",
        "WhisperModel",
        {"input_features": noise(2, 8, 24), "decoder_input_ids": ids(2, 5)},
        num_mel_bins=8,
        max_source_positions=12,
        max_target_positions=20,
    ),
    outside(
        "semantic",
        "BarkSemanticModel",
        {"input_ids": ids(2, 9)},
        softmax("BarkSelfAttention"),
        "part of Bark",
        bias=True,
    ),
    outside(
        "fastspeech2_conformer",
        "FastSpeech2ConformerModel",
        {"input_ids": ids(1, 9)},
        softmax("FastSpeech2ConformerAttention"),
        "different heads in two stacks",
        spread=0.05,
    ),
    outside(
        "sew-d",
        "SEWDModel",
        WAVES,
        softmax("XSoftmax", "DisentangledSelfAttention"),
        "relative positions",
        **FRAMES,
    ),
    outside(
        "vits",
        "VitsModel",
        {"input_ids": ids(1, 9)},
        softmax("VitsAttention", heads=2),
        "relative positions",
        num_attention_heads=2,
        spread=0.1,
        flow_size=16,
        upsample_initial_channel=32,
    ),
    outside(
        "wavlm",
        "WavLMModel",
        WAVES,
        softmax("WavLMAttention", heads=4),
        "position bias gated by the query",
        **FRAMES,
    ),
]
