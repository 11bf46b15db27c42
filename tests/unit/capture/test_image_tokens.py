"""The position of a token in its image is stated only if it follows from the call."""

from __future__ import annotations

from dataclasses import astuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers

from attnlab.capture.feed.image_inputs import ImageInputs
from attnlab.capture.feed.image_settings import ImageSettings
from attnlab.capture.record.image_tokens import ImageTokens, after
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.image_position import ImagePosition
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.server.session.summaries import summary
from tests.unit.capture.test_calls_towers import VISION, clip, llava, pixels
from tests.unit.tiny_models import ids
from tests.unit.watching import only, unnoticed

IMAGE, TEXT = 59, 3
ALONE = (None, None, None, None, None)


def config(**more: Any) -> Any:
    return SimpleNamespace(vision_config=SimpleNamespace(patch_size=8, image_size=16), **more)


def called(row: list[int], pieces: dict[int, str] | None = None, **given: Any) -> list[Any]:
    """Return the positions of a text's tokens; `model` and `processor` may be given."""
    model = given.pop("model", config(image_token_id=IMAGE))
    processor = given.pop("processor", None)
    given.setdefault("pixel_values", torch.zeros(1, 3, 16, 16))
    inputs = ImageInputs.of(SimpleNamespace(config=model), given, [row])
    assert inputs is not None
    names = pieces or {}
    tokens = [TokenInfo(number, "", names.get(number, str(number))) for number in row]
    found = ImageTokens(inputs, processor).on(tokens, row, 0)
    return [None if token.image is None else astuple(token.image) for token in found]


def square(index: int, side: int = 2) -> list[Any]:
    return [(index, row, col, side, side, None) for row in range(side) for col in range(side)]


def test_a_processor_names_the_placeholder_if_the_configuration_does_not():
    row = [TEXT, *[IMAGE] * 4]
    assert called(row, model=config()) == [None] * 5
    processor = SimpleNamespace(image_token_id=IMAGE)
    assert called(row, model=config(), processor=processor) == [None, *square(0)]


def test_a_number_of_tokens_that_is_no_grid_of_patches_gives_the_image_alone():
    assert called([*[IMAGE] * 3]) == [(0, *ALONE)] * 3


@pytest.mark.parametrize("model", [
    config(image_token_id=IMAGE, qformer_config=None),
    config(image_token_id=IMAGE, scale_factor=2),
])  # fmt: skip
def test_tokens_that_are_not_single_patches_have_the_image_alone(model):
    assert called([IMAGE] * 4, model=model) == [(0, *ALONE)] * 4


def test_a_number_of_tokens_that_is_no_multiple_of_the_images_gives_nothing():
    assert called([IMAGE] * 5, pixel_values=torch.zeros(2, 3, 16, 16)) == [None] * 5


def test_adjacent_images_may_be_tiles_of_one_and_give_nothing():
    row = [*[IMAGE] * 4, TEXT, *[IMAGE] * 8, TEXT, *[IMAGE] * 4]
    found = called(row, pixel_values=torch.zeros(4, 3, 16, 16))
    assert found == [*square(0), *[None] * 14]


def test_packed_images_need_as_many_placeholders_as_merged_patches():
    model = config(image_token_id=IMAGE)
    model.vision_config.spatial_merge_size = 2
    grids = torch.tensor([[1, 4, 4], [1, 4, 4]])
    given = {"model": model, "pixel_values": torch.zeros(32, 96), "image_grid_thw": grids}
    row = [*[IMAGE] * 4, TEXT, *[IMAGE] * 4]
    assert called(row, **given) == [*square(0), None, *square(1)]
    assert called([*row, IMAGE], **given) == [None] * 10
    # Of one image, it is at least known that all tokens are of it.
    given |= {"image_grid_thw": grids[:1]}
    assert called([IMAGE] * 5, **given) == [(0, *ALONE)] * 5


NAMES = {10: "<global-img>", 11: "<row_1_col_1>", 12: "<row_1_col_2>", 21: "<row_2_col_1>"}


def tiles(*names: int) -> list[Any]:
    """Return the index, row and column of the first token of each part of a text."""
    row = [number for name in names for number in (name, *[IMAGE] * 4)]
    found = called(row, NAMES, pixel_values=torch.zeros(1, len(names), 3, 16, 16))
    assert found[::5] == [None] * len(names)
    return [None if place is None else place[:5] for place in found[1::5]]


def test_tiles_are_parts_of_the_image_that_their_names_say():
    assert tiles(11, 12, 10, 10) == [(0, 0, 0, 2, 4), (0, 0, 2, 2, 4), (0, 0, 0, 2, 2),
                                     (1, 0, 0, 2, 2)]  # fmt: skip
    assert tiles(11, 21) == [(0, 0, 0, 4, 2), (0, 2, 0, 4, 2)]
    assert tiles(11, 12, 11, 12) == [(0, 0, 0, 2, 4), (0, 0, 2, 2, 4), (1, 0, 0, 2, 4),
                                     (1, 0, 2, 2, 4)]  # fmt: skip


@pytest.mark.parametrize("names", [(12, 11, 10), (10, 11, 12), (11, 21, 12, 10), (11, 12, TEXT),
                                   (TEXT, TEXT)])  # fmt: skip
def test_tiles_in_another_order_or_without_names_give_nothing(names):
    assert tiles(*names) == [None] * len(names)


def test_images_after_unknown_keys_of_a_cache_give_nothing():
    new = [TokenInfo(IMAGE, "", "", image=ImagePosition(0, 1, 1, 2, 2))]
    word, unknown = TokenInfo(TEXT, "", ""), TokenInfo(-1, "·", "")
    padding = TokenInfo(-1, "–", "", padding=True)

    def image(*past):
        sequence = after([Tokens(list(past))], Sequence("tokens", [Tokens(new)]))
        return sequence.items[0].tokens[0].image

    assert image(word, padding) == new[0].image
    assert image(*new, word) == ImagePosition(1, 1, 1, 2, 2)
    assert image(word, unknown) is None
    assert image(TokenInfo(IMAGE, "", "")) is None


def test_settings_that_differ_give_no_factor():
    settings = ImageSettings.of(config(scale_factor=2, downsample_ratio=0.25))
    assert settings.factor is None
    assert settings.tokens_of((4, 4), 4) is None


# --- patches ------------------------------------------------------------------------------


def patches(recorded: Any) -> list[Any]:
    sequence = next(one for one in recorded.sequences if one.name == "patches")
    return [token.image and astuple(token.image) for token in sequence.items[0].tokens]


def test_patches_have_a_place_in_the_image_of_their_item_and_class_tokens_have_none():
    given = {"input_ids": ids(2, 5), "pixel_values": pixels(2)}
    recorded = only(unnoticed(clip, lambda m: m(**given)))
    assert patches(recorded) == [None, *square(0, 3)]


def test_patches_of_several_images_of_a_text_have_no_index():
    text = torch.tensor([[2, *[IMAGE] * 9, 3, *[IMAGE] * 9]])
    given = {"input_ids": text, "pixel_values": pixels(2)}
    recorded = only(unnoticed(llava, lambda m: m(**given)))
    assert patches(recorded) == [None, *[(None, *place[1:]) for place in square(0, 3)]]
    tokens = recorded.sequences[0].items[0].tokens
    places = [token.image and astuple(token.image) for token in tokens]
    assert places == [None, *square(0, 3), None, *square(1, 3)]


def test_register_tokens_have_no_place():
    def make():
        torch.manual_seed(0)
        settings = transformers.Dinov2WithRegistersConfig(**VISION, num_register_tokens=2)
        return transformers.Dinov2WithRegistersModel(settings).eval()

    recorded = only(unnoticed(make, lambda m: m(pixels(2))))
    assert patches(recorded) == [None, None, None, *square(0, 3)]


def test_the_page_receives_what_is_known_of_a_position():
    text = torch.tensor([[2, *[IMAGE] * 9, 3]])
    given = {"input_ids": text, "pixel_values": pixels()}
    recorded = only(unnoticed(llava, lambda m: m(**given)))
    tokens = summary(recorded, 1)["sequences"][0]["tokens"]
    assert "image" not in tokens[0]
    expected = {"index": 0, "row": 1, "column": 2, "rows": 3, "columns": 3}
    assert tokens[6]["image"] == expected
