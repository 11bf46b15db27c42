"""Each site is shown over the text that its module was given, whatever its length.

The oracle is an eager copy of the module that reads the text, called with each text alone, and
the tokenizer's names for the ids that it was given.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from attnlab.analysis.scores import scores
from tests.unit.capture.test_calls_batches import bert, bloom, spread
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.tiny_models import VOCABULARY, _small
from tests.unit.watching import differs, only, unnoticed

tokenizer = wordpiece()

A, B, C = "the cat seeing", "cat the seeing", "see the cat"
LONG = "the cat seeing the cat"


def given(*texts):
    return dict(tokenizer(list(texts), return_tensors="pt", padding=True))


def recorded(make, call):
    trace = only(unnoticed(make, call, namespace={"tokenizer": tokenizer}))
    assert all(site.certificate.exact for site in trace.sites)
    return trace


def tokens(trace, axis):
    """Return the tokens along an axis by item, as the tokenizer names them."""
    return [[token.piece for token in item.tokens] for item in trace.sequences[axis].items]


def pieces(ids):
    return [tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]


def padding(trace, axis):
    return [[token.padding for token in item.tokens] for item in trace.sequences[axis].items]


def reads(trace, calls, eager):
    """Check that the sites equal those of an eager copy called with each text in turn."""
    with torch.no_grad():
        said = [eager(**call, output_attentions=True).attentions for call in calls]
    assert differs(trace, [layer for layers in said for layer in layers]) < 2e-6
    places = iter(trace.sites)
    for call, layers in zip(calls, said, strict=True):
        for _ in layers:
            site = next(places)
            for axis in (site.rows, site.columns):
                assert tokens(trace, axis) == pieces(call["input_ids"])
                hidden = [[not seen for seen in row] for row in call["attention_mask"].tolist()]
                assert padding(trace, axis) == hidden


class Siamese(nn.Module):
    """One encoder for any number of texts."""

    def __init__(self):
        super().__init__()
        self.encoder = bert()

    def forward(self, *texts):
        return torch.stack([self.encoder(**text).pooler_output.sum() for text in texts])


@pytest.mark.parametrize(
    "texts",
    [(A, B), (B, A), (A, LONG), (LONG, A), (A, A), (A, B, C), (A, LONG, B, LONG, A)],
    ids=lambda texts: " | ".join(texts),
)
def test_one_encoder_that_reads_several_texts_has_a_sequence_for_each(texts):
    calls = [given(text) for text in texts]
    trace = recorded(Siamese, lambda m: m(*calls))
    reads(trace, calls, bert("eager"))
    assert len(trace.sequences) == len(texts)


def test_batches_of_texts_have_separate_items_and_padding():
    calls = [given(A, "cat"), given("see", B)]
    reads(recorded(Siamese, lambda m: m(*calls)), calls, bert("eager"))


def test_batches_of_different_sizes_are_kept_whole():
    calls = [given(A, B), given(B, C, A)]
    trace = recorded(Siamese, lambda m: m(*calls))
    assert [site.items for site in trace.sites] == [2, 2, 3, 3]
    assert trace.items == 3
    assert tokens(trace, trace.sites[2].rows) == pieces(calls[1]["input_ids"])
    with torch.no_grad():
        said = bert("eager")(**calls[1], output_attentions=True).attentions
    for item in range(3):
        actual = torch.from_numpy(trace.head(2, 1, item))
        assert (actual - said[0][item, 1]).abs().max() < 2e-6


def test_the_scores_of_a_text_use_only_its_tokens():
    repeated = "the cat the cat the cat"
    other = "the cat see seeing the"
    assert given(repeated)["input_ids"].shape == given(other)["input_ids"].shape
    both = recorded(Siamese, lambda m: m(given(other), given(repeated)))
    alone = recorded(bert, lambda m: m(**given(repeated)))
    for site, other in zip(both.sites[2:], alone.sites, strict=True):
        found, expected = vars(scores(both, site)), vars(scores(alone, other))
        assert not np.isnan(expected["induction"]).any()
        for name, numbers in expected.items():
            np.testing.assert_allclose(found[name], numbers, atol=1e-6, err_msg=name)


class Towers(nn.Module):
    """Three encoders with different weights and vocabularies, given ids by position."""

    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleList(spread(_tower(place)) for place in range(3))

    def forward(self, first, second, third):
        texts = (first, second, third)
        return sum(entry(text)[0].sum() for entry, text in zip(self.towers, texts, strict=True))


def _tower(place, implementation="sdpa"):
    config = transformers.BertConfig(**_small(num_hidden_layers=1, vocab_size=VOCABULARY + place))
    return transformers.BertModel._from_config(config, attn_implementation=implementation)


def test_towers_that_are_given_ids_by_position_each_have_their_text():
    calls = [given(text)["input_ids"] for text in (A, B, C)]
    trace = recorded(Towers, lambda m: m(*calls))
    assert [tokens(trace, site.rows) for site in trace.sites] == [pieces(ids) for ids in calls]
    assert [tokens(trace, site.columns) for site in trace.sites] == [pieces(ids) for ids in calls]


class Own(nn.Module):
    """An encoder of no library: its ids have another name, and it embeds them itself."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(VOCABULARY, 12)
        self.places = nn.Embedding(VOCABULARY, 12)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, words, places=None):
        x = self.words(words)
        if places is not None:
            x = x + self.places(places)
        return self.attention(x, x, x, need_weights=False)[0]


class Pair(nn.Module):
    """Two calls of an encoder, and attention from one text to the other."""

    def __init__(self, encoder=Own, width=12):
        super().__init__()
        self.encoder = encoder()
        torch.manual_seed(0)
        self.between = nn.MultiheadAttention(width, 3, batch_first=True)

    def forward(self, one, two):
        first, second = self.encoder(one), self.encoder(two)
        return self.between(first, second, second, need_weights=False)[0]


def test_ids_of_any_name_are_those_that_an_embedding_layer_was_given():
    one, two = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(Pair, lambda m: m(one, two))
    assert tokens(trace, trace.sites[0].rows) == pieces(one)
    assert tokens(trace, trace.sites[1].rows) == pieces(two)
    # The text of the queries and keys in between was not seen: their lengths prove nothing.
    between = trace.sites[2]
    assert trace.sequences[between.rows].name == "positions"
    assert trace.sequences[between.columns].name == "positions"
    assert any("positions are shown" in note for note in trace.notes)


def test_a_custom_encoder_shows_its_ids_beside_its_positions():
    ids = given(A)["input_ids"]
    places = torch.arange(ids.shape[1])[None]
    trace = recorded(Own, lambda m: m(ids, places))
    assert tokens(trace, 0) == pieces(ids)
    assert trace.sites[0].rows == trace.sites[0].columns == 0


class Embedded(nn.Module):
    """The texts are embedded before the encoder is called."""

    def __init__(self, changed=False):
        super().__init__()
        self.encoder = bert()
        self.changed = changed

    def forward(self, one, two):
        table = self.encoder.get_input_embeddings()
        first, second = table(one), table(two)
        if self.changed:
            second = second * 1.5
        states = [self.encoder(inputs_embeds=entry)[0] for entry in (first, second)]
        return torch.cat(states, 1)


def test_embeddings_belong_to_the_ids_that_they_were_computed_from():
    one, two = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(Embedded, lambda m: m(one, two))
    shown = [tokens(trace, site.rows) for site in trace.sites]
    assert shown == [pieces(one), pieces(one), pieces(two), pieces(two)]


def test_embeddings_of_unknown_origin_show_positions_and_a_note():
    one, two = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(lambda: Embedded(changed=True), lambda m: m(one, two))
    assert tokens(trace, trace.sites[0].rows) == pieces(one)
    assert trace.sequences[trace.sites[2].rows].name == "positions"
    assert any("positions are shown" in note for note in trace.notes)


def test_each_choice_of_multiple_choice_is_an_item_with_its_own_text():
    def make(implementation="sdpa"):
        torch.manual_seed(0)
        return spread(
            transformers.BertForMultipleChoice._from_config(
                transformers.BertConfig(**_small()), attn_implementation=implementation
            )
        )

    texts = [A, "cat", B, LONG, "see", C]
    flat = given(*texts)
    nested = {name: value.unflatten(0, (2, 3)) for name, value in flat.items()}
    trace = recorded(make, lambda m: m(**nested))
    with torch.no_grad():
        said = make("eager")(**nested, output_attentions=True).attentions
    assert trace.items == 6
    assert differs(trace, said) < 2e-6
    assert tokens(trace, trace.sites[0].rows) == pieces(flat["input_ids"])
    hidden = [[not seen for seen in row] for row in flat["attention_mask"].tolist()]
    assert padding(trace, trace.sites[0].rows) == hidden


class Nested(nn.Module):
    """Documents of several passages, each read separately, outside the interface."""

    def __init__(self):
        super().__init__()
        self.encoder = bloom()

    def forward(self, documents, masks):
        flat = {"input_ids": documents.flatten(0, 1), "attention_mask": masks.flatten(0, 1)}
        return self.encoder(**flat).logits.unflatten(0, documents.shape[:2]).sum(1)


def test_the_items_of_a_nested_batch_are_the_texts_that_were_read():
    flat = given(A, B, C, LONG)
    nested = [flat[name].unflatten(0, (2, 2)) for name in ("input_ids", "attention_mask")]
    trace = recorded(Nested, lambda m: m(*nested))
    with torch.no_grad():
        mask = flat["attention_mask"]
        said = bloom()(flat["input_ids"], attention_mask=mask, output_attentions=True).attentions
    assert differs(trace, said) < 2e-6
    assert trace.items == 4
    assert tokens(trace, trace.sites[0].rows) == pieces(flat["input_ids"])


class Chunked(nn.Module):
    """A text longer than the encoder reads, in pieces of equal length."""

    def __init__(self, named=True):
        super().__init__()
        self.encoder = bert()

    def forward(self, input_ids):
        return torch.cat([self.encoder(input_ids=entry)[0] for entry in input_ids.split(4, 1)], 1)


def test_pieces_of_a_long_text_have_separate_tokens():
    ids = given(f"{LONG} {B} cat")["input_ids"][:, :12]
    trace = recorded(Chunked, lambda m: m(input_ids=ids))
    shown = [tokens(trace, site.rows) for site in trace.sites]
    assert shown == [pieces(entry) for entry in ids.split(4, 1) for _ in range(2)]


def t5(implementation="sdpa"):
    torch.manual_seed(0)
    # T5Config does not declare the start token, which it takes.
    start: dict[str, Any] = {"decoder_start_token_id": 0}
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4, **start
    )
    return spread(
        transformers.T5ForConditionalGeneration._from_config(
            config, attn_implementation=implementation
        )
    )


class Translators(nn.Module):
    """An encoder-decoder that is called twice."""

    def __init__(self):
        super().__init__()
        self.inner = t5()

    def forward(self, pairs):
        return sum(self.inner(**pair).logits.sum() for pair in pairs)


def test_an_encoder_decoder_inside_another_module_has_source_and_target_in_each_call():
    pairs = []
    for source, target in ((A, B), (B, A)):
        ids = given(target)["input_ids"]
        pairs.append({**given(source), "decoder_input_ids": ids})
    trace = recorded(Translators, lambda m: m(pairs))
    assert [site.kind for site in trace.sites] == ["encoder", "decoder", "cross"] * 2
    for pair, sites in zip(pairs, (trace.sites[:3], trace.sites[3:]), strict=True):
        source, target = pieces(pair["input_ids"]), pieces(pair["decoder_input_ids"])
        shown = [(tokens(trace, site.rows), tokens(trace, site.columns)) for site in sites]
        assert shown == [(source, source), (target, target), (target, source)]


class Apart(nn.Module):
    """An encoder and a decoder that a module calls one after the other."""

    def __init__(self):
        super().__init__()
        self.inner = t5()

    def forward(self, source, target):
        states = self.inner.get_encoder()(input_ids=source)[0]
        return self.inner.get_decoder()(input_ids=target, encoder_hidden_states=states)[0]


def test_a_decoder_that_is_called_with_an_encoders_states_has_the_encoders_text_as_keys():
    source, target = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(Apart, lambda m: m(source, target))
    kinds = {site.kind: site for site in trace.sites}
    assert tokens(trace, kinds["encoder"].columns) == pieces(source)
    assert tokens(trace, kinds["decoder"].columns) == pieces(target)
    assert tokens(trace, kinds["cross"].rows) == pieces(target)
    assert tokens(trace, kinds["cross"].columns) == pieces(source)


class Beside(nn.Module):
    """A text, and a tower with the same number of positions that reads no text."""

    def __init__(self):
        super().__init__()
        self.encoder = bert()
        torch.manual_seed(0)
        self.other = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, signal: Any, **text: Any) -> Any:
        hidden = self.other(signal, signal, signal, need_weights=False)[0].sum()
        return self.encoder(**text)[0] + hidden


@pytest.mark.parametrize("name", ["input_ids", "tokens"])
def test_a_tower_without_text_shows_positions_although_its_length_matches(name):
    text = given(A)
    signal = torch.randn(1, text["input_ids"].shape[1], 12)

    class Given(Beside):
        def forward(self, signal, tokens):  # type: ignore[override]
            return super().forward(signal, input_ids=tokens)

    make, call = (Beside, lambda m: m(signal, **text)) if name == "input_ids" else (
        Given, lambda m: m(signal, text["input_ids"])
    )  # fmt: skip
    trace = recorded(make, call)
    assert trace.sequences[trace.sites[0].rows].name == "positions"
    assert tokens(trace, trace.sites[1].rows) == pieces(text["input_ids"])
    assert trace.sequences[0].name == "tokens"


class Buffered(nn.Module):
    """One tensor that contains each text in turn."""

    def __init__(self):
        super().__init__()
        self.encoder = bert()

    def forward(self, ids, following):
        first = self.encoder(input_ids=ids)[0]
        ids.copy_(following)
        return torch.cat([first, self.encoder(input_ids=ids)[0]], 1)


def test_a_tensor_that_is_overwritten_with_the_next_text_is_read_as_it_was():
    one, two = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(Buffered, lambda m: m(one.clone(), two))
    shown = [tokens(trace, site.rows) for site in trace.sites]
    assert shown == [pieces(one), pieces(one), pieces(two), pieces(two)]


class Continued(nn.Module):
    """A decoder that continues with its cache within one call."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = spread(
            transformers.GPT2LMHeadModel(
                transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=1, n_head=2)
            )
        )

    def forward(self, first, more):
        cache = transformers.DynamicCache()
        name = "cache" if "cache" in self.inner.forward.__code__.co_varnames else "past_key_values"
        self.inner(input_ids=first, use_cache=True, **{name: cache})
        return self.inner(input_ids=more, use_cache=True, **{name: cache}).logits


def test_a_cache_that_continues_within_one_call_brings_the_tokens_that_filled_it():
    first, more = given(A)["input_ids"], given("cat see")["input_ids"]
    trace = recorded(Continued, lambda m: m(first, more))
    assert tokens(trace, trace.sites[1].rows) == pieces(more)
    assert tokens(trace, trace.sites[1].columns) == pieces(torch.cat([first, more], 1))


def test_the_text_of_a_part_that_fails_is_not_assigned_to_the_next():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = bert()

        def forward(self, one, two):
            with suppress(AttributeError, TypeError):
                self.encoder(input_ids=one, attention_mask="wrong")
            return self.encoder(input_ids=two)[0]

    one, two = given(A)["input_ids"], given(B)["input_ids"]
    trace = recorded(Failing, lambda m: m(one, two))
    assert {str(tokens(trace, site.rows)) for site in trace.sites} == {str(pieces(two))}
