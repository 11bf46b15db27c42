"""Positions are shown with the labels that the user gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

import attnlab
from attnlab.capture.tokens.labels import Labels
from tests.unit.capture.test_tokens import byte_level
from tests.unit.tiny_models import bert, gpt2, ids, llama, t5

RESIDUES = ["Met", "Lys", "Thr"]


def encoder():
    """A model without token ids."""
    torch.manual_seed(0)
    # In training mode, PyTorch does not fuse its operations.
    return torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)


def frames(count, batch=1):
    return torch.zeros(batch, count, 16)


def labeled(model, tokens, *calls, tokenizer=None):
    """Record calls of a model; return their traces."""
    with torch.no_grad(), attnlab.record(model, tokenizer, tokens=tokens) as trace:
        for call in calls:
            model(call)
    return trace.calls


def texts(trace, item=0, sequence=0):
    return [token.text for token in trace.sequences[sequence].items[item].tokens]


# --- models without ids -------------------------------------------------------------------


def test_labels_name_the_positions_of_a_model_without_ids():
    (trace,) = labeled(encoder(), RESIDUES, frames(3))
    assert texts(trace) == RESIDUES
    assert [t.piece for t in trace.sequences[0].items[0].tokens] == RESIDUES
    assert trace.notes == []
    assert len(trace.sequences) == 1  # They are its queries and its keys.


def test_one_list_is_for_all_batch_items():
    (trace,) = labeled(encoder(), RESIDUES, frames(3, batch=2))
    assert trace.items == 2
    assert trace.to_xarray()[0].query_token.values.tolist() == [RESIDUES] * 2


def test_a_list_of_lists_is_one_for_each_batch_item():
    patients = [["a0", "a1"], ["b0", "b1"]]
    (trace,) = labeled(encoder(), patients, frames(2, batch=2))
    assert [texts(trace, item) for item in (0, 1)] == patients


def test_labels_are_for_every_call_with_as_many_positions():
    first, second, third = labeled(encoder(), RESIDUES, frames(3), frames(2), frames(3))
    assert texts(first) == texts(third) == RESIDUES
    assert texts(second) == ["0", "1"]
    assert [len(trace.notes) for trace in (first, second, third)] == [0, 2, 0]


def test_the_layers_with_as_many_positions_are_the_main_ones():
    class Shortening(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.long, self.short = encoder(), encoder()

        def forward(self, x):
            return self.short(self.long(x)[:, ::2])

    (trace,) = labeled(Shortening(), RESIDUES, frames(5))
    assert texts(trace) == RESIDUES
    assert [len(trace.sequences[site.rows]) for site in trace.sites] == [5, 3]


def test_patches_of_an_image_may_have_labels():
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4,
    )  # fmt: skip
    names = ["class", "sky", "roof", "grass", "door"]
    (trace,) = labeled(transformers.ViTModel(config).eval(), names, torch.zeros(2, 3, 8, 8))
    assert texts(trace) == names
    assert trace.sequences[0].name == "patches"


def test_labels_of_embeddings_keep_the_padding_of_each_item():
    model = bert().model()
    width = model.config.hidden_size
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    with torch.no_grad(), attnlab.record(model, tokens=[RESIDUES, RESIDUES]) as trace:
        model(inputs_embeds=torch.zeros(2, 3, width), attention_mask=mask)
    padding = [[t.padding for t in item.tokens] for item in trace.sequences[0].items]
    assert padding == [[False, False, True], [False, False, False]]


# --- models with ids ----------------------------------------------------------------------


def test_labels_replace_the_text_of_tokens_and_keep_their_ids():
    given = ids(1, 3)
    (trace,) = labeled(gpt2().model(), RESIDUES, given)
    tokens = trace.sequences[0].items[0].tokens
    assert [t.text for t in tokens] == RESIDUES
    assert [t.id for t in tokens] == given[0].tolist()
    assert trace.notes == []


def test_tokens_of_a_text_keep_their_position_in_it():
    tokenizer, model = byte_level(), gpt2().model()
    model.resize_token_embeddings(len(tokenizer))
    trace = attnlab.trace(model, tokenizer, "hié", tokens=["H", "I", "E", "'"])
    tokens = trace.sequences[0].items[0].tokens
    assert [(t.text, t.start, t.end, t.part) for t in tokens] == [
        ("H", 0, 1, False),
        ("I", 1, 2, False),
        ("E", 2, 3, False),
        ("'", 2, 3, False),
    ]
    assert trace.sequences[0].items[0].text == "hié"


def test_keys_in_a_cache_keep_the_labels_that_they_had_as_queries():
    model = llama().model()
    with torch.no_grad(), attnlab.record(model, tokens=RESIDUES) as trace:
        first = model(ids(1, 3), use_cache=True)
        model(torch.tensor([[9]]), past_key_values=first.past_key_values)
    assert texts(trace, sequence=trace.sites[0].columns) == [*RESIDUES, "9"]


def test_the_main_sequence_of_an_encoder_decoder_is_the_decoders():
    model = t5().model()
    with torch.no_grad(), attnlab.record(model, tokens=RESIDUES) as trace:
        model(input_ids=ids(1, 4), decoder_input_ids=ids(1, 3))
    names = {
        sequence.name: [t.text for t in sequence.items[0].tokens] for sequence in trace.sequences
    }
    assert names["target"] == RESIDUES
    assert len(names["source"]) == 4
    assert not set(names["source"]) & set(RESIDUES)


# --- generate -----------------------------------------------------------------------------


def generated(tokens, prompts, tokenizer=None, **options):
    model = gpt2().model()
    torch.manual_seed(0)
    with attnlab.record(model, tokenizer, tokens=tokens) as trace:
        result = model.generate(prompts, max_new_tokens=2, pad_token_id=0, **options)
    return trace, result[:, prompts.shape[1] :].tolist()


class Letters:
    def decode(self, numbers):
        return "".join(chr(0x100 + number) for number in numbers)


def test_the_prompt_of_generate_has_labels_and_the_tokenizer_names_the_rest():
    trace, (written,) = generated(RESIDUES, ids(1, 3), Letters())
    assert texts(trace) == [*RESIDUES, *(chr(0x100 + number) for number in written)]


def test_without_a_tokenizer_generated_tokens_are_ids_and_the_note_says_so():
    trace, (written,) = generated(RESIDUES, ids(1, 3))
    assert texts(trace) == [*RESIDUES, *map(str, written)]
    assert any("tokens are shown as ids" in note for note in trace.notes)


def test_labels_may_also_include_the_generated_tokens():
    trace, _ = generated([*RESIDUES, "x", "y"], ids(1, 3))
    assert texts(trace) == [*RESIDUES, "x", "y"]


def test_each_text_of_generate_has_the_labels_of_its_prompt():
    prompts = [["a", "b", "c"], ["d", "e", "f"]]
    options = {"do_sample": True, "num_return_sequences": 2}
    trace, _ = generated(prompts, ids(2, 3), **options)
    starts = [texts(trace, item)[:3] for item in range(trace.items)]
    assert starts == [prompts[0], prompts[0], prompts[1], prompts[1]]


def test_labels_that_fit_neither_prompt_nor_text_are_noted_with_all_numbers():
    trace, _ = generated([*RESIDUES, "x"], ids(1, 3))
    assert not set(texts(trace)) & set(RESIDUES)
    assert trace.notes[-1].startswith(
        "tokens= has 4 labels, and this call has 5 positions, 3 of them in the prompt:"
    )


# --- labels that do not fit ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "note"),
    [
        (["a"], "tokens= has 1 label, and this call has 3 positions: the labels are not shown."),
        (list("abcd"), "tokens= has 4 labels, and this call has 3 positions: the labels are not"),
        (
            [list("abc"), list("ab")],
            "tokens= has 2 to 3 labels per batch item, and this call has 3",
        ),
        ([list("abc")], "tokens= has labels for 1 batch item, and this call has 2: they are not"),
        ([list("abc")] * 3, "tokens= has labels for 3 batch items, and this call has 2: they are"),
    ],
)
def test_other_numbers_of_labels_are_noted_and_positions_shown(tokens, note):
    (trace,) = labeled(encoder(), tokens, frames(3, batch=2))
    assert texts(trace) == ["0", "1", "2"]
    assert trace.weights(0, 1).shape == (3, 3)
    assert trace.notes[-1].startswith(note)
    assert "Pass one " in trace.notes[-1]


def test_tokens_of_a_tokenizer_are_shown_if_the_labels_do_not_fit():
    (trace,) = labeled(gpt2().model(), RESIDUES, torch.tensor([[1, 2]]), tokenizer=Letters())
    assert texts(trace) == ["ā", "Ă"]


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        ("MKT", TypeError, r"pass tokens=list\(…\)"),
        ([1, 2], TypeError, "not int: 1"),
        (np.array([[1]]), TypeError, "not int: 1"),
        (np.array("MKT"), TypeError, "not ndarray"),
        (["a", None], TypeError, "not NoneType"),
        ([["a"], "b"], TypeError, r"pass tokens=list\(…\)"),
        ([["a"], [["b"]]], TypeError, "not list"),
        ({"a": 1}, TypeError, "not dict"),
        (3, TypeError, "not int"),
        ([], ValueError, "this list is empty"),
    ],
)
def test_values_that_are_not_labels_are_refused_before_the_block(tokens, error, message):
    model = encoder()
    with pytest.raises(error, match=message):
        attnlab.record(model, tokens=tokens)


# --- the labels themselves ----------------------------------------------------------------


def test_labels_may_be_an_array_or_a_tuple():
    assert Labels.of(np.array(RESIDUES)) == Labels.of(tuple(RESIDUES)) == Labels.of(RESIDUES)
    assert Labels.of(np.array([RESIDUES])) == Labels.of([tuple(RESIDUES)])


def test_a_later_change_of_the_list_has_no_effect():
    tokens = list(RESIDUES)
    model = encoder()
    with torch.no_grad(), attnlab.record(model, tokens=tokens) as trace:
        tokens[0] = "changed"
        model(frames(3))
    assert texts(trace) == RESIDUES


def test_characters_that_cannot_be_displayed_are_made_visible():
    (trace,) = labeled(encoder(), ["a\nb", "\u202e", "\ud800"], frames(3))
    assert texts(trace) == ["a⏎b", "⟨U+202E⟩", "\ufffd"]
    assert trace.sequences[0].items[0].tokens[2].piece == "\ufffd"


def test_the_result_of_the_call_is_unchanged():
    model, given = encoder(), torch.randn(1, 3, 16)
    with torch.no_grad():
        expected = model(given)
        with attnlab.record(model, tokens=RESIDUES):
            found = model(given)
    assert torch.equal(found, expected)
