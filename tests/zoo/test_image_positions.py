"""Image tokens have the image, row and column that the model computes them from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any

import pytest
import torch

import attnlab
from tests.zoo.image_oracle import Painted, paint, paint_packed, true_positions, without_mixing
from tests.zoo.inputs import Given, noise
from tests.zoo.specimen import Maker
from tests.zoo.vision_language import GRID, PICTURE, START, VIDEO, VISION_LANGUAGE

Case = tuple[Any, Given, list[Painted]]

CLIP = {"model_type": "clip_vision_model", "projection_dim": 32}
LLAMA = {"model_type": "llama"}


class Names:
    """A tokenizer with entries for tiles, as those of Idefics3."""

    ENTRIES = {50: "<global-img>", 51: "<row_1_col_1>", 52: "<row_1_col_2>", 53: "<row_2_col_1>",
               54: "<row_2_col_2>", PICTURE: "<image>"}  # fmt: skip

    def id_to_token(self, number: int) -> str:
        return self.ENTRIES.get(number, f"word{number}")


def made(kind: str, **settings: Any) -> Any:
    return Maker(kind, settings, 0.3)(None)


def of_the_zoo(family: str) -> Any:
    return next(one for one in VISION_LANGUAGE if one.family == family).make(None)


def text(*rows: list[int], **more: Any) -> Given:
    """Texts, padded at their end."""
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()} | more


def images(count: int, token: int = PICTURE) -> list[int]:
    return [token] * count


def squares(size: tuple[int, int]) -> tuple[Given, Callable[[Given], Iterator[Painted]]]:
    """Two texts, the first with two images, the second with one."""
    count = size[0] * size[1]
    first = [3, *images(count), 4, 5, *images(count), 6]
    second = [7, 8, *images(count), 9]
    given = text(first, second, pixel_values=noise(3, 3, 32, 32))

    def painted(given: Given) -> Iterator[Painted]:
        for number, owner in enumerate([(0, 0), (0, 1), (1, 0)]):
            yield from paint(given, (number,), owner, size)

    return given, painted


def llava() -> Case:
    given, painted = squares((4, 4))
    model = made(
        "LlavaForConditionalGeneration",
        image_token_index=PICTURE,
        text_config=LLAMA,
        vision_config=CLIP,
    )
    return model, given, list(painted(given))


def internvl() -> Case:
    given, painted = squares((2, 2))
    model = made(
        "InternVLForConditionalGeneration",
        image_token_id=PICTURE,
        text_config=LLAMA,
        vision_config={"image_size": [32, 32], "patch_size": [8, 8]},
    )
    return model, given, list(painted(given))


def gemma3() -> Case:
    given, painted = squares((2, 2))
    given["token_type_ids"] = (given["input_ids"] == PICTURE).long()
    return of_the_zoo("gemma3"), given, list(painted(given))


def paligemma() -> Case:
    given, painted = squares((4, 4))
    given["token_type_ids"] = torch.zeros_like(given["input_ids"])
    return of_the_zoo("paligemma"), given, list(painted(given))


def packed(family: str) -> Case:
    """Three images of other sizes, in two texts."""
    grids = torch.cat([GRID, torch.tensor([[1, 4, 8]])])
    given = text(
        [3, START, *images(8), 4, START, *images(4), 5],
        [6, 7, START, *images(8), 8],
        pixel_values=noise(80, 96),
        image_grid_thw=grids,
    )
    given["mm_token_type_ids"] = (given["input_ids"] == PICTURE).int()
    owners = [(0, 0), (0, 1), (1, 0)]
    return of_the_zoo(family), given, list(paint_packed(given, "pixel_values", grids, owners))


def videos() -> Case:
    """An image and a video of three frames."""
    grid, video = torch.tensor([[1, 4, 4]]), torch.tensor([[3, 4, 4]])
    given = text(
        [3, START, *images(4), 4, START, *images(12, VIDEO), 5],
        pixel_values=noise(16, 96),
        pixel_values_videos=noise(48, 96, seed=6),
        image_grid_thw=grid,
        video_grid_thw=video,
    )
    ids = given["input_ids"]
    given["mm_token_type_ids"] = (ids == PICTURE).int() + 2 * (ids == VIDEO).int()
    painted = [
        *paint_packed(given, "pixel_values", grid, [(0, 0)]),
        *paint_packed(given, "pixel_values_videos", video, [(0, 0)]),
    ]
    return of_the_zoo("qwen2_vl"), given, painted


def idefics3() -> Case:
    """An image of 2 × 2 tiles with an overview, and one that is not cut."""
    row = [3]
    for name in (51, 52, 53, 54, 50):
        row += [name, *images(4)]
    row += [4, 50, *images(4), 5]
    given = text(row, pixel_values=noise(1, 6, 3, 32, 32))
    painted: list[Painted] = []
    for number in range(4):
        tile = divmod(number, 2)
        painted += paint(given, (0, number), (0, 0), (2, 2), tile, (2, 2))
    painted += paint(given, (0, 4), (0, 0), (2, 2))
    painted += paint(given, (0, 5), (0, 1), (2, 2))
    return of_the_zoo("idefics3"), given, painted


def mistral3() -> Case:
    """Images of several sizes, whose rows are separated by a token."""
    line = [*images(2), 40, *images(2), 41]
    given = text(
        [3, *line, 4, *images(1), 40, *images(1), 41, 5],
        pixel_values=noise(2, 3, 32, 32),
        image_sizes=torch.tensor([[32, 32], [32, 16]]),
    )
    model = made(
        "Mistral3ForConditionalGeneration",
        image_token_index=PICTURE,
        spatial_merge_size=2,
        text_config={"model_type": "mistral"},
        vision_config={"model_type": "pixtral"},
    )
    painted = list(paint(given, (0,), (0, 0), (2, 2)))
    half = given | {"pixel_values": given["pixel_values"][..., :16]}
    for one in paint(half, (1,), (0, 1), (2, 1)):
        whole = given["pixel_values"].clone()
        whole[..., :16] = one.given["pixel_values"]
        painted.append(Painted(one.item, one.where, given | {"pixel_values": whole}))
    return model, given, painted


def llava_next(
    kind: str = "LlavaNext", vision: dict[str, Any] = CLIP, words: dict[str, Any] = LLAMA
) -> Case:
    """A wide image of two tiles with padding, and a square one."""
    # Of 64 × 32 pixels, the first is shown in rows 1 and 2 of 4: 16 of 32 lines.
    wide = [*images(16), *images(2 * (8 + 1))]
    square = [*images(16), *images(4 * (4 + 1))]
    given = text(
        [3, *wide, 4],
        [5, *square, 6],
        pixel_values=noise(2, 3, 3, 32, 32),
        image_sizes=torch.tensor([[16, 64], [32, 32]]),
    )
    model = made(
        f"{kind}ForConditionalGeneration",
        image_token_index=PICTURE,
        image_grid_pinpoints=[[32, 64], [64, 64], [32, 32]],
        text_config=words,
        vision_config=vision,
    )
    painted = [
        *paint(given, (0, 0), (0, 0), (4, 4)),
        *paint(given, (1, 0), (1, 0), (4, 4)),
        *paint(given, (1, 1), (1, 0), (4, 4)),
    ]
    for number in (0, 1):
        for one in paint(given, (0, 1 + number), (0, 0), (4, 4)):
            row, column = one.where[1], one.where[2]
            assert row is not None
            assert column is not None
            if row in (1, 2):
                where = (0, row - 1, column + 4 * number, 2, 8, None)
                painted.append(Painted(0, where, one.given))
    return model, given, painted


CASES: dict[str, Callable[[], Case]] = {
    "llava": llava,
    "internvl": internvl,
    "gemma3": gemma3,
    "paligemma": paligemma,
    "qwen2_vl": lambda: packed("qwen2_vl"),
    "qwen2_5_vl": lambda: packed("qwen2_5_vl"),
    "qwen3_vl": lambda: packed("qwen3_vl"),
    "glm4v": lambda: packed("glm4v"),
    "videos": videos,
    "idefics3": idefics3,
    "mistral3": mistral3,
    "llava_next": llava_next,
    "llava_onevision": lambda: llava_next(
        "LlavaOnevision",
        {"model_type": "siglip_vision_model", "vision_use_head": False},
        {"model_type": "qwen2"},
    ),
}


def shown(model: Any, given: Given) -> Any:
    with torch.no_grad(), attnlab.record(model, Names()) as trace:
        model(**given)
    return trace


def places(trace: Any) -> dict[tuple[int, int], tuple[int | None, ...]]:
    """Return the positions of the tokens that attnlab places in an image."""
    return {
        (item, position): astuple(token.image)
        for item, tokens in enumerate(trace.sequences[0].items)
        for position, token in enumerate(tokens.tokens)
        if token.image is not None
    }


@pytest.mark.parametrize("family", CASES)
def test_each_image_token_is_at_the_patch_that_changes_it(family: str) -> None:
    model, given, painted = CASES[family]()
    truth = true_positions(without_mixing(model), given, iter(painted))
    found = places(shown(model, given))
    placed = {at: {where} for at, where in found.items() if where[1] is not None}
    assert placed == truth
    ids = given["input_ids"]
    expected = ((ids == PICTURE) | (ids == VIDEO)).nonzero().tolist()
    assert sorted(found) == [tuple(at) for at in expected]


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "idefics3", "llava_next", "mistral3"])
def test_the_prompt_of_generate_has_the_positions_of_a_plain_call(family: str, beams: int) -> None:
    model, given, painted = CASES[family]()
    truth = true_positions(without_mixing(model), given, iter(painted))
    with torch.no_grad(), attnlab.record(model, Names()) as trace:
        result = model.generate(
            **given,
            max_new_tokens=3,
            do_sample=False,
            num_beams=beams,
            num_return_sequences=beams,
            eos_token_id=None,
            pad_token_id=0,
        )
    assert trace.generated == given["input_ids"].shape[1]
    assert len(result) == beams * len(given["input_ids"])
    found = places(trace)
    placed = {at: {where} for at, where in found.items() if where[1] is not None}
    expected = {
        (item * beams + copy, position): where
        for (item, position), where in truth.items()
        for copy in range(beams)
    }
    assert placed == expected


def test_a_video_may_be_at_the_placeholders_of_images() -> None:
    model, video = of_the_zoo("glm4v"), torch.tensor([[2, 4, 4]])
    # Each frame is between tokens of its own.
    given = text(
        [3, START, *images(4), 4, START, *images(4), 5],
        pixel_values_videos=noise(32, 96),
        video_grid_thw=video,
    )
    given["mm_token_type_ids"] = 2 * (given["input_ids"] == PICTURE).int()
    # The towers of this model read each frame as an image.
    painted = paint_packed(given, "pixel_values_videos", video, [(0, 0)])
    truth = true_positions(without_mixing(model), given, painted)
    assert {at: {where} for at, where in places(shown(model, given)).items()} == truth


def test_an_image_that_the_text_attends_to_has_no_place_for_its_token() -> None:
    mllama = next(one for one in VISION_LANGUAGE if one.family == "mllama")
    model = mllama.make(None)
    found = places(shown(model, mllama.inputs(model)))
    assert found == {(0, 3): (0, None, None, None, None, None)}


def test_tokens_of_a_resampler_have_no_place() -> None:
    # Its queries are as many as the patches of an image.
    perceiver = {
        "resampler_n_latents": 16,
        "resampler_n_heads": 2,
        "resampler_head_dim": 8,
        "num_key_value_heads": 2,
        "hidden_size": 32,
    }
    model = made(
        "Idefics2ForConditionalGeneration",
        image_token_id=PICTURE,
        text_config={"model_type": "mistral"},
        perceiver_config=perceiver,
    )
    trace = shown(model, text([3, *images(16), 4], pixel_values=noise(1, 1, 3, 32, 32)))
    placed = {
        sequence.name
        for sequence in trace.sequences
        for token in sequence.items[0].tokens
        if token.image is not None and token.image.row is not None
    }
    assert placed == {"patches"}


def test_an_image_after_those_of_a_cache_is_counted_on() -> None:
    model, _, _ = CASES["llava"]()
    ids = torch.tensor([[3, *images(16), 4]])
    with torch.no_grad(), attnlab.record(model, Names()) as trace:
        first = model(input_ids=ids, pixel_values=noise(1, 3, 32, 32), use_cache=True)
        cache = next(value for name, value in first.items() if "cache" in name or "past" in name)
        name = "cache" if "cache" in first else "past_key_values"
        model(input_ids=ids, pixel_values=noise(1, 3, 32, 32, seed=2), **{name: cache})
    tokens, context = (sequence.items[0].tokens for sequence in trace.calls[1].sequences[:2])
    assert [token.image.index for token in tokens if token.image] == [1] * 16
    assert [token.image.index for token in context if token.image] == [0] * 16 + [1] * 16


def test_tiles_without_known_names_have_no_position() -> None:
    model, given, _ = CASES["idefics3"]()
    with torch.no_grad(), attnlab.record(model) as trace:
        model(**given)
    assert places(trace) == {}
