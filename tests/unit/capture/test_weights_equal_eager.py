"""Recorded weights equal those of an eager forward pass of an independent copy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from attnlab.capture.record.recorded_call import RecordedCall
from tests.unit.tiny_models import FAMILIES, record, trace


def equal(family, implementation=None):
    """Return the largest difference to the oracle over all items' defined rows, and the trace."""
    _, outcomes = record(family.model(implementation), family.inputs)
    assert [type(item) for item in outcomes] == [RecordedCall]
    recorded = trace(outcomes[0])
    expected = family.oracle()
    assert len(recorded.sites) == sum(len(layers) for layers in expected.values())
    worst = 0.0
    for site in recorded.sites:
        layer = expected[site.kind if "cross" in expected else ""][site.layer]
        assert tuple(layer.shape[:2]) == (recorded.items, site.heads)
        for item, head in product(range(recorded.items), range(site.heads)):
            actual, theirs = recorded.head(site.index, head, item), layer[item, head].numpy()
            assert actual.shape == theirs.shape
            defined = ~np.isnan(actual).any(axis=1)
            worst = max(worst, float(np.abs(actual - theirs)[defined].max()))
            for query in np.flatnonzero(defined).tolist():
                row = recorded.row(site.index, query, item)[head]
                assert np.allclose(row, actual[query], rtol=0, atol=1e-6)
    return worst, recorded


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_are_those_of_an_eager_forward_of_an_independent_copy(name):
    worst, _ = equal(FAMILIES[name]())
    assert worst < 2e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_of_an_eager_model_equal_those_it_returns(name):
    worst, _ = equal(FAMILIES[name](), "eager")
    assert worst < 2e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_every_site_is_certified_exact(name):
    _, recorded = equal(FAMILIES[name]())
    for site in recorded.sites:
        assert site.method == "interface"
        assert site.certificate.exact
        assert site.certificate.error < 1e-5
        assert site.certificate.reason == ""


def test_weights_of_a_half_precision_model_are_computed_in_float32_and_certified():
    family = FAMILIES["Llama, grouped heads"]()
    model = family.model().to(torch.bfloat16)
    _, outcomes = record(model, family.inputs)
    recorded = trace(outcomes[0])
    row = recorded.row(0, 8)
    assert row.dtype == np.float32
    assert np.allclose(row.sum(axis=1), 1, atol=1e-6)
    assert all(site.certificate.exact for site in recorded.sites)


def test_rows_with_a_learned_sink_sum_to_less_than_one():
    _, recorded = equal(FAMILIES["gpt-oss, sinks"]())
    sums = np.concatenate([recorded.row(site, 0).sum(axis=1) for site in (0, 1)])
    assert (sums < 0.9999).any()
    assert (sums <= 1.000001).all()
    assert (sums > 0).all()


def test_a_padding_query_without_any_key_has_no_weights_and_black_thumbnails():
    family = FAMILIES["GPT-2, batch with left padding"]()
    _, outcomes = record(family.model("sdpa"), family.inputs)
    recorded = trace(outcomes[0])
    head = recorded.head(0, 0)
    undefined = np.isnan(head).any(axis=1)
    assert undefined.tolist() == [True] * 3 + [False] * 6
    assert not recorded.thumbnails(9)[:, :3].any()


def test_layers_kinds_and_axes_of_an_encoder_decoder_are_distinguished():
    _, recorded = equal(FAMILIES["T5, position bias and cross attention"]())

    def name(index):
        return recorded.sequences[index].name

    outcomes = [
        (site.kind, site.layer, name(site.rows), name(site.columns)) for site in recorded.sites
    ]
    assert outcomes == [
        ("encoder", 0, "source", "source"),
        ("encoder", 1, "source", "source"),
        ("decoder", 0, "target", "target"),
        ("cross", 0, "target", "source"),
        ("decoder", 1, "target", "target"),
        ("cross", 1, "target", "source"),
    ]


def test_grouped_heads_are_counted():
    _, recorded = equal(FAMILIES["Llama, grouped heads"]())
    assert {(site.heads, site.groups) for site in recorded.sites} == {(4, 2)}


def test_the_real_model_is_exact(minilm_path):
    import transformers

    model = transformers.AutoModel.from_pretrained(minilm_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_path)
    inputs = tokenizer("The cat sat on the mat.", return_tensors="pt")
    _, outcomes = record(model, inputs)
    recorded = trace(outcomes[0])
    eager = transformers.AutoModel.from_pretrained(minilm_path, attn_implementation="eager")
    with torch.no_grad():
        expected = eager(**inputs, output_attentions=True).attentions
    assert len(recorded.sites) == 6
    for site in recorded.sites:
        for head in range(12):
            theirs = expected[site.layer][0, head].numpy()
            assert np.abs(recorded.head(site.index, head) - theirs).max() < 1e-5
        assert site.certificate.exact
