"""Towers beside the text have patches of images, and separate sites."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from tests.unit.capture.test_calls_batches import spread
from tests.unit.tiny_models import ids
from tests.unit.watching import differs, names, only, unnoticed

GRID = [f"{row},{column}" for row in range(2) for column in range(3)]

TEXT: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
}

VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 12,
    "patch_size": 4,
}


def pixels(items=1, high=12, wide=12):
    return torch.randn(items, 3, high, wide, generator=torch.Generator().manual_seed(0))


def clip(implementation="sdpa"):
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config=TEXT | {"projection_dim": 8, "eos_token_id": 1},
        vision_config=VISION,
        projection_dim=8,
    )
    return spread(transformers.CLIPModel._from_config(config, attn_implementation=implementation))


def test_the_image_of_clip_has_patches_by_row_and_column_and_its_text_has_tokens():
    given = {"input_ids": ids(2, 5), "pixel_values": pixels(2)}
    recorded = only(unnoticed(clip, lambda m: m(**given), gradients=True))
    stacks = {
        site.stack: (recorded.sequences[site.rows].name, recorded.sequences[site.columns].name)
        for site in recorded.sites
    }
    assert stacks == {
        "vision_model.encoder.layers.#.self_attn": ("patches", "patches"),
        "text_model.encoder.layers.#.self_attn": ("tokens", "tokens"),
    }
    patches = next(entry for entry in recorded.sequences if entry.name == "patches")
    grid = [f"{row},{column}" for row in range(3) for column in range(3)]
    assert [token.text for token in patches.items[0].tokens] == ["[CLS]", *grid]
    assert recorded.sequences[0].name == "tokens"
    assert all(site.certificate.exact for site in recorded.sites)
    assert [site.layer for site in recorded.sites] == [0, 1, 0, 1]
    for item in (0, 1):
        assert recorded.head(0, 3, item).shape in {(5, 5), (10, 10)}


def test_clip_gives_the_weights_of_an_eager_copy_in_both_towers():
    given = {"input_ids": ids(2, 5), "pixel_values": pixels(2)}
    recorded = only(unnoticed(clip, lambda m: m(**given)))
    with torch.no_grad():
        said = clip("eager")(**given, output_attentions=True)
    by_stack = {
        "vision": said.vision_model_output.attentions,
        "text": said.text_model_output.attentions,
    }
    order = [by_stack[site.stack.partition("_")[0]][site.layer] for site in recorded.sites]
    assert differs(recorded, order) < 2e-6


def test_an_image_that_is_not_square_has_rows_and_columns_by_its_height_and_width():
    def make():
        torch.manual_seed(0)
        config = transformers.ViTConfig(**VISION | {"image_size": [8, 12]})
        return spread(transformers.ViTModel(config))

    recorded = only(unnoticed(make, lambda m: m(pixels(2, 8, 12)), gradients=True))
    assert recorded.sequences[0].name == "patches"
    assert names(recorded, 0) == ["[CLS]", *GRID]
    assert recorded.sequences[0].items[0].tokens[0].special
    assert recorded.items == 2
    assert recorded.notes == []


def llava():
    torch.manual_seed(0)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(**TEXT, num_key_value_heads=2),
        image_token_index=59,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    return spread(transformers.LlavaForConditionalGeneration(config))


def test_llava_has_patches_in_its_tower_and_the_images_positions_among_its_tokens():
    text = torch.cat([ids(1, 2) % 50, torch.full((1, 9), 59), ids(1, 3) % 50], dim=1)
    given = {"input_ids": text, "pixel_values": pixels()}
    recorded = only(unnoticed(llava, lambda m: m(**given), gradients=True))
    tower = [site for site in recorded.sites if "vision" in site.stack]
    words = [site for site in recorded.sites if "vision" not in site.stack]
    assert len(words) == 2
    assert {recorded.sequences[site.rows].name for site in tower} == {"patches"}
    assert {recorded.sequences[site.rows].name for site in words} == {"tokens"}
    assert recorded.sequences[0].name == "tokens"
    assert len(recorded.sequences[0]) == 14
    assert names(recorded, tower[0].rows)[:3] == ["[CLS]", "0,0", "0,1"]
    assert all(site.certificate.exact for site in recorded.sites)


def siglip():
    torch.manual_seed(0)
    return spread(transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**VISION)))


def test_a_model_partly_outside_the_interface_is_read_completely_on_each_call():
    model = siglip()
    for _ in range(3):
        recorded = only(unnoticed(lambda: model, lambda m: m(pixels(2))))
        assert [site.method for site in recorded.sites] == ["interface", "interface", "tap"]
        assert "head" in recorded.sites[-1].name
        assert all(site.certificate.exact for site in recorded.sites)
    pooling = recorded.sites[-1]
    assert (pooling.queries, pooling.keys) == (1, 9)
    assert recorded.sequences[pooling.columns].name == "patches"
    assert pooling.kind == "cross"


def test_a_model_at_the_interface_is_not_tapped_again_but_is_read_as_well(monkeypatch):
    from attnlab.capture.passes.call_recording import CallRecording

    made = []
    listen = CallRecording.listen

    def listening(value):
        made.append(value)
        return listen(value)

    monkeypatch.setattr(CallRecording, "listen", listening)
    model = clip().vision_model
    traces = [only(unnoticed(lambda: model, lambda m: m(pixels()))) for _ in range(2)]
    assert len(made) == 1
    assert [len(trace.sites) for trace in traces] == [2, 2]
    # A call of another form may run other submodules.
    only(unnoticed(lambda: model, lambda m: m(pixels(), output_hidden_states=True)))
    assert len(made) == 2
