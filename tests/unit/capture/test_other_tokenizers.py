"""Tokens are named by the tokenizer that the user gives, whatever library it is from."""

from __future__ import annotations

import io
import warnings
from types import SimpleNamespace

import pytest
import sentencepiece
import tokenizers
import torch

import attnlab
from attnlab.capture.tokens.encodings import Encodings, resolve
from attnlab.capture.tokens.other_tokenizers import OtherTokenizer
from attnlab.capture.tokens.vocabulary import describe
from tests.unit.capture import test_tokens as wrappers
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.tiny_models import gpt2
from tests.unit.tokenizer_fakes import Encoding, MistralTokenizer, Tekkenizer

WRAPPERS = [
    wrappers.byte_level,
    wrappers.learned_byte_level,
    wrappers.sentencepiece,
    wrappers.wordpiece,
]

EMOJI = list("😀".encode())


def shown(tokenizer, ids):
    """Return the tokens of some ids that no tokenizer call was seen for, and the note."""
    tokens, text, note = resolve(ids, Encodings(), {}, None, given=tokenizer)
    assert text is None
    assert [token.id for token in tokens] == ids
    return tokens, note


def texts(tokenizer, ids):
    return [token.text for token in shown(tokenizer, ids)[0]]


# --- tiktoken -----------------------------------------------------------------------------


def test_the_bytes_of_an_entry_are_shown_as_text():
    tokens, note = shown(Encoding(), [256, 257, 10])
    assert [(t.text, t.piece, t.part) for t in tokens] == [
        ("the", "the", False),
        (" cat", " cat", False),
        ("⏎", "\n", False),
    ]
    assert note == (
        "The tokens were named by Encoding, whose calls are not recorded, so the original text is "
        "unknown."
    )


def test_a_character_split_over_tokens_of_bytes_is_shown_whole_on_each_of_them():
    tokens, _ = shown(Encoding(), [256, *EMOJI, 257])
    assert [(t.text, t.part) for t in tokens] == [
        ("the", False),
        *[("😀", True)] * 4,
        (" cat", False),
    ]
    assert tokens[1].piece == r"b'\xf0'"


def test_bytes_that_are_no_character_are_shown_as_bytes():
    assert texts(Encoding(), [256, EMOJI[0], 257]) == ["the", "⟨F0⟩", " cat"]


def test_a_special_token_is_marked_and_breaks_a_character():
    tokens, _ = shown(Encoding(), [EMOJI[0], Encoding.END, *EMOJI[1:]])
    assert [(t.text, t.special) for t in tokens] == [
        ("⟨F0⟩", False),
        ("<|endoftext|>", True),
        ("⟨9F⟩", False),
        ("⟨98⟩", False),
        ("⟨80⟩", False),
    ]


def test_an_id_beyond_the_vocabulary_is_a_number_and_the_note_says_why():
    tokens, note = shown(Encoding(), [256, 900, -1])
    assert [t.text for t in tokens] == ["the", "<900>", "<-1>"]
    cause = "Encoding.decode_single_token_bytes raised KeyError: 900"
    assert note == f"Some tokens are shown as ids: {cause}."


# --- mistral-common -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [Tekkenizer, MistralTokenizer])
def test_a_tokenizer_of_mistral_common_shows_special_tokens_and_parts_of_characters(make):
    ids = Tekkenizer().encode("the😀 cat", bos=True, eos=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokens, note = shown(make(), ids)
    assert [(t.text, t.special, t.part) for t in tokens] == [
        ("<s>", True, False),
        ("the", False, False),
        *[("😀", False, True)] * 4,
        (" cat", False, False),
        ("</s>", True, False),
    ]
    assert note.startswith("The tokens were named by Tekkenizer")


def test_a_part_of_a_character_is_shown_as_decoded_if_its_bytes_are_not_available():
    class Old(Tekkenizer):
        def id_to_byte_piece(self, token_id, special_token_policy=None):
            raise NotImplementedError

    tokens, note = shown(Old(), [3 + EMOJI[0]])
    assert [t.text for t in tokens] == ["\ufffd"]
    assert "raised" not in note


# --- SentencePiece ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processor():
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat"] * 20),
        model_writer=written,
        vocab_size=280,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def test_a_sentencepiece_processor_shows_spaces_and_parts_of_characters(processor):
    ids = [processor.bos_id(), *processor.encode("the mat 😀")]
    tokens, _ = shown(processor, ids)
    assert (tokens[0].text, tokens[0].special) == ("<s>", True)
    assert [t.text for t in tokens if t.part] == ["😀"] * 4
    assert "".join(t.text for t in tokens[1:] if not t.part) == " the mat "


def test_an_id_beyond_its_vocabulary_is_noted(processor):
    tokens, note = shown(processor, [9999])
    assert tokens[0].text == "<9999>"
    assert "raised IndexError" in note


# --- the tokenizers library ---------------------------------------------------------------


@pytest.mark.parametrize("make", WRAPPERS)
@pytest.mark.parametrize("text", ["the cat", "cat😀é你 seeing", "a\x00b\u202e"])
def test_a_tokenizer_of_the_library_shows_what_its_wrapper_in_transformers_shows(make, text):
    wrapper = make()
    ids = wrapper(text)["input_ids"]
    assert shown(wrapper.backend_tokenizer, ids)[0] == describe(wrapper, ids)


def test_its_ready_made_tokenizers_are_read_too():
    tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=False)
    tokenizer.train_from_iterator(["the cat and the hat"] * 5, vocab_size=300, show_progress=False)
    tokenizer.add_special_tokens(["<end>"])
    tokens, _ = shown(tokenizer, tokenizer.encode("the 😀<end>").ids)
    assert [t.text for t in tokens if t.part] == ["😀"] * 4
    assert (tokens[0].text, tokens[-1].text) == ("the", "<end>")
    assert [t.special for t in tokens] == [False] * (len(tokens) - 1) + [True]


def test_reading_changes_neither_its_vocabulary_nor_its_settings():
    tokenizer = wordpiece().backend_tokenizer
    before = tokenizer.to_str()
    shown(tokenizer, [2, 6, 7, 3, 900])
    assert tokenizer.to_str() == before


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["Ġthe", "Ã", "©"], [" the", "é", "é"]),
        (["▁the", "<0xC3>", "<0xA9>"], [" the", "é", "é"]),
        (["<0xC3>", "<0xA9>", "a"], ["é", "é", "a"]),
        (["the", "##ing", "\x00"], ["the", "##ing", "␀"]),
    ],
)
def test_without_a_decoder_the_marks_of_the_entries_show_how_they_are_written(entries, expected):
    tokenizer = SimpleNamespace(id_to_token=lambda number: entries[number])
    assert texts(tokenizer, [0, 1, 2]) == expected


# --- any object that decodes --------------------------------------------------------------


class Characters:
    """A tokenizer as in many lessons: it decodes lists of ids."""

    def decode(self, ids):
        return "".join(map(chr, ids))


class Bytes:
    """A tokenizer that decodes bytes; special ids have no text."""

    def decode(self, ids):
        return bytes(number for number in ids if number < 256).decode("utf-8", "replace")


def test_a_tokenizer_that_only_decodes_is_asked_for_each_id():
    tokens, note = shown(Characters(), [0x68, 0x69, 0x0A])
    assert [(t.text, t.piece) for t in tokens] == [("h", "h"), ("i", "i"), ("⏎", "\n")]
    assert "named by Characters" in note


def test_ids_that_share_a_character_are_decoded_together():
    tokens, _ = shown(Bytes(), [0x61, *"é😀".encode(), 0x62])
    assert [(t.text, t.part) for t in tokens] == [
        ("a", False),
        *[("é", True)] * 2,
        *[("😀", True)] * 4,
        ("b", False),
    ]


def test_parts_without_the_rest_of_their_character_are_shown_as_decoded():
    assert texts(Bytes(), [0x61, 0xF0, 0x62, 0xF0, 0x9F]) == ["a", "\ufffd", "b"] + ["\ufffd"] * 2


def test_an_id_that_decodes_to_nothing_is_a_number():
    assert texts(Bytes(), [0x61, 300]) == ["a", "<300>"]


def test_each_distinct_id_is_read_once():
    asked = []

    def id_to_token(number):
        asked.append(number)
        return "x"

    shown(SimpleNamespace(id_to_token=id_to_token), [5, 6, 5, 5, 6])
    assert asked == [5, 6]


def test_the_tokenizer_of_a_processor_is_used():
    inner = wordpiece()
    processor = SimpleNamespace(tokenizer=inner, decode=inner.decode)
    tokens, note = shown(processor, [2, 6, 3])
    assert tokens == describe(inner, [2, 6, 3])
    assert "outside the watched cell" in note


# --- exceptions ---------------------------------------------------------------------------


class UnprintableError(Exception):
    def __str__(self):
        raise ValueError


class Raising:
    def __init__(self, error):
        self.error = error

    def decode(self, ids):
        raise self.error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("not loaded"), "Raising.decode raised RuntimeError: not loaded."),
        (ValueError("a sentence."), "Raising.decode raised ValueError: a sentence."),
        (UnprintableError(), "Raising.decode raised UnprintableError."),
    ],
)
def test_an_exception_of_the_tokenizer_becomes_a_note(error, cause):
    tokens, note = shown(Raising(error), [5, 6])
    assert [t.text for t in tokens] == ["<5>", "<6>"]
    assert note == f"Some tokens are shown as ids: {cause}"


def test_an_exception_while_special_tokens_are_found_leaves_the_text():
    class Broken(Encoding):
        def is_special_token(self, token):
            raise OSError("gone")

    tokens, note = shown(Broken(), [256])
    assert [(t.text, t.special) for t in tokens] == [("the", False)]
    assert note == "Special tokens are not marked: Broken.is_special_token raised OSError: gone."


@pytest.mark.parametrize("value", [None, 5, ["a"], object()])
def test_values_that_are_not_text_show_the_id(value):
    assert texts(SimpleNamespace(id_to_token=lambda _: value), [5]) == ["<5>"]
    assert texts(SimpleNamespace(decode=lambda _: value), [5]) == ["<5>"]


def test_attributes_that_raise_are_treated_as_missing():
    class Lazy:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def decode(self, ids):
            return "x"

    assert texts(Lazy(), [5, 6]) == ["x", "x"]


@pytest.mark.parametrize("given", [5, "gpt2", object()])
def test_an_object_without_such_methods_shows_ids_and_a_note(given):
    tokens, note = OtherTokenizer(given).describe([5, 6])
    assert [t.text for t in tokens] == ["5", "6"]
    assert "none of the methods of a tokenizer (decode, id_to_token)" in note


# --- in a block ---------------------------------------------------------------------------


def test_a_block_names_the_ids_of_each_item_with_the_given_tokenizer():
    model = gpt2().model()
    with attnlab.record(model, Characters()) as trace:
        model(torch.tensor([[40, 41], [42, 43]]))
    sequence = trace.sequences[0]
    assert [[t.text for t in item.tokens] for item in sequence.items] == [["(", ")"], ["*", "+"]]


def test_a_tokenizer_that_raises_does_not_affect_the_call():
    model = gpt2().model()
    expected = model(torch.tensor([[4, 5]])).logits
    with attnlab.record(model, Raising(RuntimeError("no"))) as trace:
        found = model(torch.tensor([[4, 5]])).logits
    assert torch.equal(found, expected)
    assert [t.text for t in trace.sequences[0].items[0].tokens] == ["<4>", "<5>"]
    assert trace.notes == ["Some tokens are shown as ids: Raising.decode raised RuntimeError: no."]


def test_tokens_of_generate_are_named_too():
    model = gpt2().model()
    with attnlab.record(model, Characters()) as trace:
        result = model.generate(torch.tensor([[40, 41]]), max_new_tokens=3, do_sample=False)
    tokens = trace.sequences[0].items[0].tokens
    assert [t.piece for t in tokens] == [chr(number) for number in result[0].tolist()]


# --- predicted tokens ---------------------------------------------------------------------


def predicted(tokenizer, rows):
    """Return the texts of the best predicted tokens of a call, their ids, and the trace."""
    model = gpt2().model()
    with torch.no_grad(), attnlab.record(model, tokenizer) as trace:
        model(torch.tensor(rows))
    best = [text for line in trace.predictions(k=10)["best"] for text, _ in line]
    assert trace.predicted is not None
    return best, trace.predicted.best.ids[0].flatten().tolist(), trace


@pytest.mark.parametrize("make", [Encoding, Tekkenizer, Characters, Bytes])
def test_predicted_tokens_are_named_each_on_its_own(make):
    best, numbers, _ = predicted(make(), [[40, 41, 42]])
    assert best == [texts(make(), [number])[0] for number in numbers]


def test_predicted_tokens_are_named_by_a_given_tokenizer_of_transformers():
    tokenizer = wrappers.byte_level()
    best, numbers, _ = predicted(tokenizer, [[40, 41, 42]])
    assert best == [describe(tokenizer, [number])[0].text for number in numbers]


def test_predicted_tokens_of_a_tokenizer_without_methods_are_ids():
    best, numbers, _ = predicted(5, [[40, 41, 42]])
    assert best == [str(number) for number in numbers]


def test_an_exception_for_a_predicted_token_is_noted():
    class Short(Characters):
        def decode(self, ids):
            if ids[0] not in (40, 41, 42):
                raise IndexError(ids[0])
            return super().decode(ids)

    best, numbers, trace = predicted(Short(), [[40, 41, 42]])
    known = {40: "(", 41: ")", 42: "*"}
    assert best == [known.get(number, f"<{number}>") for number in numbers]
    assert "Short.decode raised IndexError" in trace.notes[-1]
