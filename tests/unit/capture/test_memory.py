"""Recordings stay within their budget, and omitted data is reported."""

from __future__ import annotations

import pytest
import torch
import transformers

from attnlab.capture.record import memory
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from tests.unit.capture.test_calls_batches import bloom
from tests.unit.outcomes import only_call, only_refusal
from tests.unit.tiny_models import Family, _small, bert, ids, llama, record, trace
from tests.unit.watching import differs, only, unnoticed


def large():
    config = transformers.BertConfig(**_small())
    mask = torch.ones(16, 32, dtype=torch.long)
    mask[:, -3:] = 0
    return Family("BertModel", config, {"input_ids": ids(16, 32), "attention_mask": mask})


def test_the_first_items_of_a_too_large_batch_are_kept_with_a_note(monkeypatch):
    family = large()
    whole = only(unnoticed(family.model, lambda m: m(**family.inputs)))
    monkeypatch.setenv(memory.VARIABLE, str(whole.nbytes // 3))
    recorded = only(unnoticed(family.model, lambda m: m(**family.inputs)))
    assert 1 <= recorded.items < 16
    assert recorded.nbytes <= whole.nbytes // 3 * 1.2
    assert {site.items for site in recorded.sites} == {recorded.items}
    assert (
        f"The batch has 16 items; only the first {recorded.items} fit into memory "
        f"(set {memory.VARIABLE} higher to record more)." in recorded.notes
    )
    expected = [layer[: recorded.items] for layer in family.oracle()[""]]
    assert differs(recorded, expected) < 2e-6
    assert all(site.certificate.exact for site in recorded.sites)
    assert len(recorded.sequences[0].items) == recorded.items


def test_one_item_is_kept_however_small_the_budget(monkeypatch):
    monkeypatch.setenv(memory.VARIABLE, "1")
    family = llama()
    recorded = only(unnoticed(family.model, lambda m: m(ids(4, 9))))
    assert recorded.items == 1
    assert all(site.certificate.exact for site in recorded.sites)


class Dense(torch.nn.Module):
    """Attention whose scores are learned for positions: no q and k, only weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.scores, self.value = torch.nn.Linear(12, 2 * 64), torch.nn.Linear(12, 12)

    def forward(self, x):
        hidden = self.scores(x).unflatten(-1, (2, -1)).transpose(1, 2)[..., : x.shape[1]]
        value = self.value(x).unflatten(-1, (2, -1)).transpose(1, 2)
        return (hidden.softmax(-1) @ value).transpose(1, 2).flatten(2)


def test_weights_that_can_only_be_kept_whole_are_refused_above_the_budget(monkeypatch):
    x = torch.randn(1, 64, 12)
    recorded = only(unnoticed(Dense, lambda m: m(x)))
    assert recorded.sites[0].record.weights is not None
    assert recorded.sites[0].certificate.exact
    monkeypatch.setenv(memory.VARIABLE, "8K")
    outcomes = unnoticed(Dense, lambda m: m(x))
    assert [type(item) for item in outcomes] == [Refusal]
    assert (
        "keeping all of its weights would exceed the memory budget" in only_refusal(outcomes).cause
    )
    assert "8.0 KiB" in only_refusal(outcomes).cause
    assert memory.VARIABLE in only_refusal(outcomes).cause


def test_a_mask_that_all_layers_share_is_kept_once():
    config = transformers.GPT2Config(vocab_size=60, n_embd=16, n_layer=6, n_head=2, n_positions=64)
    mask = torch.ones(2, 40, dtype=torch.long)
    mask[0, :5] = 0
    family = Family("GPT2LMHeadModel", config, {"input_ids": ids(2, 40), "attention_mask": mask})
    _, outcomes = record(family.model(), family.inputs)
    held = [
        tensor.data_ptr()
        for item in only_call(outcomes).records
        for tensor in item.tensors
        if tensor.shape[-2:] == (40, 40)
    ]
    assert len(held) == 6
    assert len(set(held)) == 1


def test_the_memory_of_a_trace_counts_shared_tensors_once_and_grows_linearly():
    family = llama()

    def nbytes(length):
        _, outcomes = record(family.model(), {"input_ids": ids(1, length)})
        recorded = trace(outcomes[0])
        assert recorded.predicted is not None
        # What was predicted is counted as well: 10 tokens and 5 numbers for each position.
        predicted = sum(tensor.nbytes for tensor in recorded.predicted.tensors)
        assert predicted < 200 * length
        return recorded.nbytes - predicted

    short, long = nbytes(16), nbytes(32)
    # 2 layers of q, k and v: 32 + 16 + 16 numbers for each token. The rest is kept rows: 7 of
    # the output, and 16, however long the text is, of the outputs of the three projections and
    # of the queries and keys that were computed from them.
    rows = 2 * 4 * (7 * 32 + 16 * 64 + 16 * 48)
    assert 2 * 64 * 4 * 16 <= short <= 2 * 64 * 4 * 16 + rows
    assert long < 2.1 * short


def test_a_recording_refers_to_no_tensors_of_the_model():
    import gc
    import weakref

    model = bloom()
    held = []
    model.transformer.h[0].self_attention.query_key_value.register_forward_hook(
        lambda _, __, output: held.append(weakref.ref(output))
    )
    _, outcomes = record(model, {"input_ids": ids(1, 6)})
    params = {parameter.data_ptr() for parameter in model.parameters()}
    for item in only_call(outcomes).records:
        assert not params & {tensor.data_ptr() for tensor in item.tensors}
    gc.collect()
    assert held[0]() is None


@pytest.mark.parametrize("place", ["cpu", "CPU ", "model", ""])
def test_recordings_may_be_moved_to_the_cpu_where_they_are_already(place, monkeypatch):
    monkeypatch.setenv(memory.DEVICE, place)
    family = bert()
    recorded = only(unnoticed(family.model, lambda m: m(**family.inputs)))
    assert differs(recorded, family.oracle()[""]) < 2e-6


@pytest.mark.parametrize(
    ("variable", "value"), [(memory.DEVICE, "the moon"), (memory.VARIABLE, "a lot")]
)
@pytest.mark.parametrize("make", [lambda: bert().model(), bloom], ids=["interface", "tap"])
def test_an_invalid_setting_is_a_refusal_that_names_it_and_not_an_error_of_the_call(
    variable, value, make, monkeypatch
):
    monkeypatch.setenv(variable, value)
    outcomes = unnoticed(make, lambda m: m(ids(1, 5)))
    assert [type(item) for item in outcomes] == [Refusal]
    assert variable in only_refusal(outcomes).cause
    assert repr(value) in only_refusal(outcomes).cause
    monkeypatch.delenv(variable)
    assert [type(item) for item in unnoticed(make, lambda m: m(ids(1, 5)))] == [RecordedCall]


@pytest.mark.parametrize(
    ("given", "nbytes"),
    [("", 1 << 30), ("  ", 1 << 30), ("512M", 512 << 20), ("2 GiB", 2 << 30), ("1000", 1000)],
)
def test_a_budget_is_a_number_of_bytes(given, nbytes, monkeypatch):
    monkeypatch.setenv(memory.VARIABLE, given)
    assert memory.budget() == nbytes


@pytest.mark.parametrize("given", ["-1", "1T", "1.5G", "M"])
def test_an_invalid_budget_is_an_error_with_an_example(given, monkeypatch):
    monkeypatch.setenv(memory.VARIABLE, given)
    with pytest.raises(ValueError, match="512M or 2G"):
        memory.budget()
