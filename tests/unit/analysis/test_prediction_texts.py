"""The texts of predicted tokens: by the tokenizer of the cell, which is not kept alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import attnlab
from attnlab.analysis.recorded import Recorded
from attnlab.capture.tokens.encodings import Encodings, resolve
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.capture.tokens.vocabulary import VocabularyExcerpt
from attnlab.live.blocks.block import FIELDS
from tests.unit.capture.test_tokens import byte_level, sentencepiece, wordpiece
from tests.unit.feeding import PLAIN, encoder, ran, tokenizer
from tests.unit.outcomes import only_call
from tests.unit.repeating import GENERATED, called
from tests.unit.repeating import names as names
from tests.unit.repeating import parts as parts
from tests.unit.tiny_models import ids, llama, trace
from tests.unit.tokenizer_fakes import Encoding


def recorded(code: str, names: dict[str, Any]) -> Recorded:
    return Recorded.of(trace(only_call(ran(code, names))))


def best_ids(trace: Recorded, k: int) -> list[list[int]]:
    predicted = trace.predicted
    assert predicted is not None
    ids: list[list[int]] = predicted.best.ids[0, :, :k].tolist()
    return ids


def texts(column: Any) -> list[list[str]]:
    return [[text for text, _ in line] for line in column]


def plain(pieces: list[list[str]]) -> list[list[str]]:
    """Remove WordPiece's marks."""
    return [[piece.removeprefix("##") for piece in line] for line in pieces]


@pytest.mark.parametrize(
    "code",
    [
        PLAIN.format('"the cat sat"'),
        GENERATED.format('"the cat"'),
        't5.generate(tok("a dog", return_tensors="pt").input_ids, max_new_tokens=4)',
        "model(torch.tensor([[5, 6, 7]]))",
    ],
    ids=["masked", "generated", "encoder-decoder", "ids of another cell"],
)
def test_texts_are_those_of_the_tokenizer(code, names):
    trace = recorded(code, names)
    table = trace.predictions(k=10)
    expected = [names["tok"].convert_ids_to_tokens(line) for line in best_ids(trace, 10)]
    assert texts(table["best"]) == plain(expected)
    tokens = trace.sequences[0].items[0].tokens
    assert table["token"].tolist() == [tokens[at].text for at in table["position"]]


def test_texts_stay_after_the_tokenizer_is_deleted():
    own: dict[str, Any] = {"__name__": "__main__", "model": encoder(), "tok": tokenizer()}
    trace = recorded(PLAIN.format('"the cat sat"'), own)
    expected = [own["tok"].convert_ids_to_tokens(line) for line in best_ids(trace, 3)]
    gone = weakref.ref(own.pop("tok"))
    gc.collect()
    assert gone() is None
    assert texts(trace.predictions(k=3)["best"]) == plain(expected)


def test_ids_stand_for_texts_without_a_tokenizer(names):
    del names["tok"]
    trace = recorded("model(torch.tensor([[5, 6, 7]]))", names)
    expected = [[str(number) for number in line] for line in best_ids(trace, 5)]
    assert texts(trace.predictions()["best"]) == expected


@pytest.mark.parametrize("make", [Encoding, byte_level])
def test_texts_are_those_of_a_tokenizer_that_the_user_gives(make):
    model, tokenizer = llama().model(), make()
    with attnlab.record(model, tokenizer) as trace:
        model(ids(1, 6))
    expected = [
        [token.text for number in line for token in resolved(tokenizer, number)]
        for line in best_ids(trace, 10)
    ]
    assert texts(trace.predictions(k=10)["best"]) == expected


def test_a_block_has_the_predictions_and_steps_of_its_newest_call():
    model = llama().model()
    with attnlab.record(model) as trace:
        model(ids(1, 4))
        model.generate(ids(1, 4), max_new_tokens=3, do_sample=False, eos_token_id=None)
    assert trace.predictions()["position"].tolist() == [4, 5, 6]
    assert [step.stop for step in trace.steps] == [4, 5, 6]
    assert not [name for name in FIELDS if hasattr(type(trace), name)]


def resolved(tokenizer: Any, number: int) -> list[TokenInfo]:
    """Return the token of an id alone."""
    return resolve([number], Encodings(), {}, None, given=tokenizer)[0]


def test_no_token_came_after_an_edited_prompt(names):
    call = only_call(ran(GENERATED.format('"the cat"'), names))
    made = called(call.feed, [{"text": "the black cat sat"}], names).call
    trace = Recorded.of(Recorded.from_call(made, "t", "c", 1, 0))
    table = trace.predictions()
    assert trace.generated is not None
    assert table["position"].tolist() == [*range(1, trace.generated + 1)]
    assert (table["token"].iloc[-1], table["id"].iloc[-1], table["rank"].iloc[-1]) == ("", -1, 0)
    assert all(table["token"].iloc[:-1])
    assert len(table["best"].iloc[-1]) == 5


@pytest.mark.parametrize(
    ("make", "pieces", "expected"),
    [
        (wordpiece, ["##ing", "[PAD]"], ["ing", "[PAD]"]),
        (sentencepiece, ["▁cat", "<0xE4>"], [" cat", "⟨E4⟩"]),
        (byte_level, ["Ġ", "Ċ", "ä"], [" ", "⏎", "⟨E4⟩"]),
    ],
)
def test_each_entry_is_shown_on_its_own(make, pieces, expected):
    tokenizer = make()
    ids = tokenizer.convert_tokens_to_ids(pieces)
    excerpt = VocabularyExcerpt.of(tokenizer, [*ids, 10**6])
    assert [excerpt.text(number) for number in ids] == expected
    assert excerpt.text(10**6) == "<1000000>"
    assert excerpt.text(10**6 + 1) == str(10**6 + 1)
