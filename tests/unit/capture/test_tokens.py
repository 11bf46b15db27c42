"""Tokens are shown as the text that they stand for, whatever the vocabulary and the text."""

from __future__ import annotations

import json

import pytest
import tokenizers
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from attnlab.capture.tokens.encodings import Encodings, Remembered, resolve
from attnlab.capture.tokens.tokens import Style, display, letters, visible
from attnlab.capture.tokens.vocabulary import describe, style
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome, all_calls, only_call
from tests.unit.tiny_models import record

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>",
    "שלום \u202eevil\u202c",
    "a\x00b\tc\nd\x1b[31m",
    "😀👩‍👩‍👧 你好",
    "&amp;\u2028\x85",
]


def wrapped(tokenizer, **more):
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", **more
    )


def byte_level():
    """A byte-level BPE that was not trained: every byte is a token."""
    vocabulary = {letter: place for place, letter in enumerate(sorted(letters()))}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return wrapped(tokenizer)


def learned_byte_level():
    """A byte-level BPE with words in its vocabulary."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["the cat and the hat"] * 5, trainer)
    return wrapped(tokenizer)


def sentencepiece():
    """A SentencePiece-like BPE with byte fallback, like Llama's."""
    pieces = ["[UNK]", *[f"<0x{byte:02X}>" for byte in range(256)], "▁", "c", "a", "t", "▁c", "▁ca"]
    pieces += ["▁cat"]
    tokenizer = tokenizers.Tokenizer(
        models.BPE(
            vocab={piece: place for place, piece in enumerate(pieces)},
            merges=[("▁", "c"), ("▁c", "a"), ("▁ca", "t")],
            byte_fallback=True,
            unk_token="[UNK]",
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return wrapped(tokenizer)


def wordpiece():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "see", "##ing", "the", "cat", "#", "##"]
    tokenizer = tokenizers.Tokenizer(
        models.WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.decoder = decoders.WordPiece()
    return wrapped(tokenizer, cls_token="[CLS]", sep_token="[SEP]")


def shown(tokenizer, text, **more):
    """Return the tokens of a text through a remembered call of its tokenizer."""
    result = tokenizer(text, **more)
    encodings = Encodings()
    encodings.calls.append(Remembered(tokenizer, text, None, result))
    ids = result["input_ids"]
    tokens, found, note = resolve(ids, encodings, {}, None)
    assert note == ""
    assert found is not None
    return tokens


# --- vocabularies -------------------------------------------------------------------------


def test_the_style_of_a_vocabulary_follows_from_its_decoder():
    assert style(byte_level()) is Style.BYTES
    assert style(sentencepiece()) is Style.SPACES
    assert style(wordpiece()) is Style.WORDPIECE


def test_wordpieces_lose_their_marks_and_keep_their_position_in_the_text():
    tokens = shown(wordpiece(), "Seeing the cat")
    assert [(t.text, t.piece, t.special, t.start, t.end) for t in tokens] == [
        ("[CLS]", "[CLS]", True, -1, -1),
        ("see", "see", False, 0, 3),
        ("ing", "##ing", False, 3, 6),
        ("the", "the", False, 7, 10),
        ("cat", "cat", False, 11, 14),
        ("[SEP]", "[SEP]", True, -1, -1),
    ]


def test_a_wordpiece_that_is_a_hash_sign_is_unchanged():
    assert display(["#", "##"], Style.WORDPIECE) == [("#", False), ("##", False)]


def test_byte_level_words_show_their_leading_space():
    tokens = shown(learned_byte_level(), "the cat")
    assert "".join(token.text for token in tokens) == "the cat"
    assert [token.piece for token in tokens][1].startswith("Ġ")
    assert tokens[1].text.startswith(" ")


@pytest.mark.parametrize("make", [byte_level, sentencepiece])
@pytest.mark.parametrize("character", ["你", "😀", "é"])
def test_a_character_split_over_tokens_is_shown_whole_on_each_of_them(make, character):
    tokens = shown(make(), f"cat{character}cat")
    parts = [token for token in tokens if token.part]
    assert len(parts) == len(character.encode())
    assert {token.text for token in parts} == {character}
    assert {(token.start, token.end) for token in parts} == {(3, 4)}


def test_a_sentencepiece_word_shows_its_leading_space():
    tokens = shown(sentencepiece(), "cat cat")
    assert [(t.text, t.piece) for t in tokens] == [(" cat", "▁cat"), (" cat", "▁cat")]


def test_a_token_that_ends_one_character_and_begins_another_shows_both():
    table = {byte: letter for letter, byte in letters().items()}
    data = [table[byte] for byte in "你好".encode()]
    pieces = ["".join(data[:2]), "".join(data[2:4]), "".join(data[4:])]
    assert display(pieces, Style.BYTES) == [("你", True), ("你好", True), ("好", True)]


def test_bytes_that_are_not_a_character_are_shown_as_bytes():
    table = {byte: letter for letter, byte in letters().items()}
    assert display([table[0xE4], "a"], Style.BYTES) == [("⟨E4⟩", False), ("a", False)]


def test_special_tokens_break_a_character_and_are_shown_as_they_read():
    table = {byte: letter for letter, byte in letters().items()}
    pieces = [table[0xE4], "<|end|>", table[0xBD]]
    assert display(pieces, Style.BYTES, [False, True, False]) == [
        ("⟨E4⟩", False),
        ("<|end|>", False),
        ("⟨BD⟩", False),
    ]


def test_ids_beyond_the_vocabulary_show_as_numbers():
    assert describe(wordpiece(), [4, 900])[1].text == "<900>"


# --- hostile text -------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", [byte_level, sentencepiece])
def test_hostile_text_is_shown_as_text(make, text):
    for token in shown(make(), text):
        assert token.text == visible(token.text)
        json.dumps(token.text, ensure_ascii=False).encode()


def test_markup_is_shown_as_characters():
    tokens = shown(byte_level(), "<img src=x onerror=alert(1)>")
    assert "".join(token.text for token in tokens) == "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("\x00", "␀"),
        ("\t", "␉"),
        ("\n", "⏎"),
        ("\x7f", "␡"),
        ("\x85", "⟨U+0085⟩"),
        ("\u202e", "⟨U+202E⟩"),
        ("\ud800", "\ufffd"),
        ("\u200d", "\u200d"),
        ("שלום", "שלום"),
    ],
)
def test_invisible_characters_are_made_visible(given_, expected):
    assert visible(given_) == expected


@given(st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_the_bytes_of_any_text_show_that_text(text):
    text = text.encode("utf-8", "replace").decode()
    table = {byte: letter for letter, byte in letters().items()}
    pieces = [table[byte] for byte in text.encode()]
    tokens = display(pieces, Style.BYTES)
    joined, at = [], 0
    for character in text:
        width = len(character.encode())
        actual = tokens[at : at + width]
        assert set(actual) == {(visible(character), width > 1)}
        joined.append(actual[0][0])
        at += width
    assert at == len(tokens)
    assert "".join(joined) == visible(text)


@given(st.lists(st.text(max_size=6), max_size=8), st.sampled_from(list(Style)))
@settings(max_examples=200, deadline=None)
def test_any_pieces_give_one_sendable_text_each(pieces, written):
    shown_ = display(pieces, written)
    assert len(shown_) == len(pieces)
    for text, _ in shown_:
        text.encode()
        assert not any(ord(character) < 32 for character in text)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_spans_of_any_text_lie_in_it_and_name_its_characters(text):
    tokenizer = SHARED
    for token in shown(tokenizer, text):
        assert 0 <= token.start <= token.end <= len(text)
        if token.part:
            assert token.text == visible(text[token.start : token.end])


SHARED = byte_level()


# --- which tokenizer, which text ----------------------------------------------------------


def model(size=400):
    torch.manual_seed(0)
    return transformers.BertModel(
        transformers.BertConfig(
            vocab_size=size,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
    )


def watched(run, namespace=None):
    outcomes: list[Outcome] = []
    with torch.no_grad(), observing(outcomes.append, namespace or {}):
        run()
    (call,) = outcomes
    return call


def text(call, item=0):
    """Return the text of the call's main sequence."""
    return call.sequences[0].items[item].text


def tokens_of(call, item=0):
    """Return the tokens of the call's main sequence."""
    return call.sequences[0].items[item].tokens


def test_a_tokenizer_call_in_the_cell_gives_text_and_positions():
    tokenizer, encoder = wordpiece(), model()
    call = watched(lambda: encoder(**tokenizer("the cat", return_tensors="pt")))
    assert text(call) == "the cat"
    assert [(t.text, t.start, t.end) for t in tokens_of(call)[1:3]] == [
        ("the", 0, 3),
        ("cat", 4, 7),
    ]
    assert call.notes == []


def test_encode_gives_text_and_positions_too():
    tokenizer, encoder = wordpiece(), model()
    call = watched(lambda: encoder(tokenizer.encode("the cat", return_tensors="pt")))
    assert text(call) == "the cat"
    assert [(t.text, t.start, t.end) for t in tokens_of(call)[1:3]] == [
        ("the", 0, 3),
        ("cat", 4, 7),
    ]


def test_a_chat_template_gives_the_rendered_text():
    tokenizer, encoder = byte_level(), model()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    chat = [{"role": "user", "content": "hi"}]
    call = watched(
        lambda: encoder(
            input_ids=tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)[
                "input_ids"
            ]
        )
    )
    assert text(call) == "<user>hi"
    assert "".join(token.text for token in tokens_of(call)) == "<user>hi"


def test_a_pair_has_positions_in_both_texts():
    tokenizer, encoder = wordpiece(), model()
    call = watched(lambda: encoder(**tokenizer("the cat", "the\ncat", return_tensors="pt")))
    assert text(call) == "the cat\nthe\ncat"
    words = [t for t in tokens_of(call) if not t.special]
    assert [text(call)[t.start : t.end] for t in words] == ["the", "cat", "the", "cat"]
    assert [t.start for t in words] == [0, 4, 8, 12]


def test_a_padded_batch_shows_each_item_with_its_text_and_padding():
    tokenizer, encoder = wordpiece(), model()
    call = watched(
        lambda: encoder(**tokenizer(["cat", "the cat"], return_tensors="pt", padding=True))
    )
    assert text(call) == "cat"
    assert [t.text for t in tokens_of(call)] == ["[CLS]", "cat", "[SEP]", "[PAD]"]
    assert tokens_of(call)[3].special
    assert [t.padding for t in tokens_of(call)] == [False, False, False, True]
    assert text(call, 1) == "the cat"
    assert [t.text for t in tokens_of(call, 1)] == ["[CLS]", "the", "cat", "[SEP]"]
    assert not any(t.padding for t in tokens_of(call, 1))


def test_padding_that_came_later_does_not_lose_the_text():
    tokenizer, encoder = wordpiece(), model()

    def run():
        one = tokenizer("the cat")
        encoder(**tokenizer.pad([one], padding="max_length", max_length=8, return_tensors="pt"))

    call = watched(run)
    assert text(call) == "the cat"
    assert [(t.start, t.end) for t in tokens_of(call)] == [
        (-1, -1),
        (0, 3),
        (4, 7),
        *[(-1, -1)] * 5,
    ]


def test_the_newest_text_with_these_ids_is_shown():
    tokenizer, encoder = wordpiece(), model()

    def run():
        tokenizer("the cat")
        encoder(**tokenizer("THE  cat", return_tensors="pt"))

    assert text(watched(run)) == "THE  cat"


def test_ids_made_elsewhere_are_named_by_the_notebooks_tokenizer():
    tokenizer, encoder = wordpiece(), model()
    inputs = tokenizer("the cat", return_tensors="pt")
    call = watched(lambda: encoder(**inputs), {"tok": tokenizer, "same": tokenizer, "n": 1})
    assert [t.text for t in tokens_of(call)] == ["[CLS]", "the", "cat", "[SEP]"]
    assert text(call) is None
    assert {(t.start, t.end) for t in tokens_of(call)} == {(-1, -1)}
    assert "outside the watched cell" in call.notes[0]


def test_the_tokenizer_with_the_models_name_is_used():
    one, other, encoder = wordpiece(), byte_level(), model()
    encoder.config._name_or_path = other.name_or_path = "theirs"
    call = watched(lambda: encoder(torch.tensor([[4, 5]])), {"one": one, "other": other})
    assert [t.piece for t in tokens_of(call)] == other.convert_ids_to_tokens([4, 5])


def test_neither_of_two_unnamed_tokenizers_is_guessed():
    call = watched(
        lambda: model()(torch.tensor([[4, 5]])), {"one": wordpiece(), "other": byte_level()}
    )
    assert [t.text for t in tokens_of(call)] == ["4", "5"]
    assert "not from a tokenizer" in call.notes[0]


def test_embeddings_instead_of_ids_show_positions():
    _, outcomes = record(model(), {"inputs_embeds": torch.zeros(1, 3, 16)})
    assert [t.text for t in tokens_of(outcomes[0])] == ["0", "1", "2"]
    assert "positions" in only_call(outcomes).notes[0]


def test_a_cache_filled_in_the_cell_names_its_keys():
    tokenizer = byte_level()
    decoder = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=400, n_embd=16, n_layer=1, n_head=2)
    ).eval()
    outcomes: list[Outcome] = []
    with torch.no_grad(), observing(outcomes.append, {"tokenizer": tokenizer}):
        first = decoder(**tokenizer("ab", return_tensors="pt"), use_cache=True)
        token = tokenizer("c", return_tensors="pt")["input_ids"]
        decoder(token, past_key_values=first.past_key_values)
    assert [t.text for t in tokens_of(outcomes[1])] == ["c"]
    later = all_calls(outcomes)[1]
    assert [t.text for t in later.sequences[later.axes[0][1]].items[0].tokens] == [
        "a",
        "b",
        "c",
    ]


def test_a_cache_filled_elsewhere_shows_dots_and_a_note():
    decoder = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=400, n_embd=16, n_layer=1, n_head=2)
    ).eval()
    with torch.no_grad():
        first = decoder(torch.tensor([[1, 2]]), use_cache=True)
    call = watched(lambda: decoder(torch.tensor([[3]]), past_key_values=first.past_key_values))
    assert [t.text for t in call.sequences[call.axes[0][1]].items[0].tokens] == ["·", "·", "3"]
    assert any("cache" in note for note in call.notes)


def test_tokenizing_while_watched_changes_neither_result_nor_tokenizer():
    tokenizer = wordpiece()
    before = tokenizer.backend_tokenizer.to_str()
    plain = tokenizer("the cat").data
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        watched_ = tokenizer("the cat").data
    assert plain == watched_
    assert tokenizer.backend_tokenizer.to_str() == before
