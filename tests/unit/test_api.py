"""What a person calls from Python, without a panel."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from transformers import AutoModel, AutoTokenizer

import attnlab
from attnlab.analysis.recorded import Recorded
from attnlab.analysis.table import COLUMNS
from attnlab.capture.reading import interface
from attnlab.live.cells.run import Run
from attnlab.server.protocol.worker import Worker
from attnlab.server.session.session import Session
from attnlab.traces.trace import Trace
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.tiny_models import bert, gpt2, ids, llama, record, t5

ROOT = Path(__file__).parents[2]
TEXT = "The cat sat on the mat because the cat was tired."


@pytest.fixture(scope="session")
def minilm(minilm_path):
    return AutoModel.from_pretrained(minilm_path)


@pytest.fixture
def tokenizer(minilm_path):
    return AutoTokenizer.from_pretrained(minilm_path)


@pytest.fixture(scope="session")
def eager(minilm_path):
    return AutoModel.from_pretrained(minilm_path, attn_implementation="eager")


def words(trace, item=0, sequence=0):
    return [token.text for token in trace.sequences[sequence].items[item].tokens]


# --- trace --------------------------------------------------------------------------------


def test_the_trace_of_a_text_has_the_models_weights(minilm, tokenizer, eager):
    recording = attnlab.trace(minilm, tokenizer, TEXT)
    with torch.no_grad():
        said = eager(**tokenizer(TEXT, return_tensors="pt"), output_attentions=True).attentions
    assert [site.layer for site in recording.sites] == list(range(6))
    for site, expected in zip(recording.sites, said, strict=True):
        assert site.certificate.exact
        for head in range(site.heads):
            found = recording.weights(site.layer, head)
            np.testing.assert_allclose(found, expected[0, head], rtol=0, atol=1e-5)
            assert np.array_equal(site.weights(head), found)
    assert words(recording)[:4] == ["[CLS]", "the", "cat", "sat"]
    assert recording.sequences[0].items[0].text == TEXT
    assert not recording.notes
    assert repr(recording).startswith("<Trace of BertModel: 14 tokens, 1 item; 6 layers × 12 heads")


def test_several_texts_are_one_padded_batch(minilm, tokenizer):
    recording = attnlab.trace(minilm, tokenizer, ["It slept.", TEXT])
    assert recording.items == 2
    assert words(recording, 0)[3:6] == [".", "[SEP]", "[PAD]"]
    alone = attnlab.trace(minilm, tokenizer, "It slept.").weights(3, 5)
    np.testing.assert_allclose(recording.weights(3, 5, item=0)[:5, :5], alone, rtol=0, atol=1e-5)


def test_a_pair_and_tokenizer_arguments_are_passed_on(minilm, tokenizer):
    assert words(attnlab.trace(minilm, tokenizer, "Who sat?", text_pair="The cat.")) == [
        "[CLS]", "who", "sat", "?", "[SEP]", "the", "cat", ".", "[SEP]",
    ]  # fmt: skip
    cut = attnlab.trace(minilm, tokenizer, TEXT, truncation=True, max_length=4)
    assert words(cut) == ["[CLS]", "the", "cat", "[SEP]"]


def test_texts_of_different_lengths_need_a_padding_token(minilm, tokenizer):
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match="padding") as caught:
        attnlab.trace(minilm, tokenizer, ["It slept.", TEXT])
    assert "tokenizer.eos_token" in caught.value.__notes__[0]
    assert attnlab.trace(minilm, tokenizer, [TEXT]).items == 1


@pytest.mark.parametrize("mode", [True, False])
def test_the_models_mode_and_parameters_stay_as_they_are(minilm, tokenizer, mode):
    minilm.train(mode)
    attnlab.trace(minilm, tokenizer, TEXT)
    assert minilm.training is mode
    assert all(parameter.grad is None for parameter in minilm.parameters())
    minilm.eval()


def test_arguments_that_the_model_does_not_take_are_omitted(minilm_path, tokenizer):
    model = llama().model()
    model.resize_token_embeddings(len(tokenizer))
    recording = attnlab.trace(model, tokenizer, "The cat.")  # BERT's tokenizer gives token types
    assert words(recording) == ["[CLS]", "the", "cat", ".", "[SEP]"]
    assert recording.sites[0].kind == "decoder"


def test_an_encoder_decoder_reads_a_target_too(tokenizer):
    model = t5().model()
    model.resize_token_embeddings(len(tokenizer))
    model.config.decoder_start_token_id = 0
    with pytest.raises(ValueError, match="text_target="):
        attnlab.trace(model, tokenizer, TEXT)
    recording = attnlab.trace(model, tokenizer, TEXT, text_target="It slept.")
    assert {site.kind for site in recording.sites} == {"encoder", "decoder", "cross"}
    assert recording.weights(1, 2, kind="cross").shape == (5, 14)
    with pytest.raises(LookupError, match="kind='encoder'"):
        recording.weights(1, 2)


def test_a_model_without_attention_is_refused_with_a_reason(tokenizer):
    class Sum(torch.nn.Module):
        def forward(self, input_ids):
            return input_ids.sum()

    with pytest.raises(attnlab.NotRecordedError, match="called Sum, which ran no attention"):
        attnlab.trace(Sum(), tokenizer, TEXT)


@pytest.mark.parametrize("given", [3, transformers.BertModel, lambda: None])
def test_an_object_that_is_not_a_model_is_refused(tokenizer, given):
    with pytest.raises(TypeError, match="attnlab records a torch module"):
        attnlab.trace(given, tokenizer, TEXT)


def test_a_pipeline_is_refused_with_a_hint_at_its_model(minilm, tokenizer):
    pipe = transformers.pipeline("feature-extraction", model=minilm, tokenizer=tokenizer)
    with pytest.raises(TypeError, match=r"its \.model is one"), attnlab.record(pipe):
        pass
    with attnlab.record(minilm) as block:
        pipe(TEXT)
    assert words(block)[1] == "the"


# --- record -------------------------------------------------------------------------------


def test_a_block_becomes_the_trace_of_its_newest_call():
    family = llama()
    model = family.model()
    with torch.no_grad():
        expected = model(**family.inputs).logits
    with torch.no_grad(), attnlab.record(model) as block:
        first = model(**family.inputs).logits
        assert len(block.sequences[0]) == 9
        model(input_ids=ids(1, 5))
    assert torch.equal(first, expected)
    assert isinstance(block, Trace)
    assert block.weights(0, 0).shape == (5, 5)
    assert [len(call.sequences[0]) for call in block.calls] == [9, 5]
    assert [call.index for call in block.calls] == [0, 1]
    oracle = family.oracle()[""][1][0, 3]
    np.testing.assert_allclose(block.calls[0].weights(1, 3), oracle, rtol=0, atol=1e-5)
    model(input_ids=ids(1, 4))
    assert len(block.calls) == 2


def test_calls_beyond_the_memory_budget_are_dropped_oldest_first(monkeypatch):
    monkeypatch.setenv("ATTNLAB_MEMORY", "60K")
    model = llama().model()
    with torch.no_grad(), attnlab.record(model) as block:
        for _ in range(8):
            model(input_ids=ids(1, 20))
    assert [call.index for call in block.calls] == [*range(8)][-len(block.calls) :]
    assert 1 <= len(block.calls) < 8
    assert block.index == 7


def test_the_tokenizer_may_be_named_where_the_block_does_not_call_it(minilm, tokenizer):
    inputs = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad(), attnlab.record(minilm, tokenizer) as block:
        minilm(**inputs)
    assert words(block)[1] == "the"


def test_generated_text_is_one_trace():
    model = gpt2().model()
    with attnlab.record(model) as block:
        written = model.generate(
            ids(1, 4), max_new_tokens=3, min_new_tokens=3, do_sample=False, pad_token_id=0
        )
    assert block.generated == 4
    assert block.weights(0, 0).shape[0] >= written.shape[1] - 1


@pytest.mark.parametrize(
    "use",
    [
        lambda recording: recording.sites,
        lambda recording: recording.weights(0, 0),
        lambda recording: recording.heads(),
        lambda recording: recording.topk(0, 0),
        lambda recording: recording.to_xarray(),
    ],
)
def test_every_use_before_the_first_call_raises_an_explanation(use):
    with attnlab.record(bert().model()) as block:
        assert repr(block) == "<No trace: nothing recorded yet: call the model inside the block>"
        with pytest.raises(RuntimeError, match="call the model inside the block"):
            use(block)
        assert block.calls == []
    with pytest.raises(attnlab.NotRecordedError, match="BertModel was not called"):
        use(block)
    with pytest.raises(AttributeError, match="no attribute 'wieghts'"):
        _ = block.wieghts


def test_the_fields_of_a_block_are_those_of_its_newest_call():
    family = bert()
    model = family.model()
    with torch.no_grad(), attnlab.record(model) as block:
        model(**family.inputs)
        first = [getattr(block, field.name) for field in dataclasses.fields(Recorded)]
        kept = block.newest()
        model(input_ids=family.inputs["input_ids"][:, :2])
    assert first == [getattr(kept, field.name) for field in dataclasses.fields(Recorded)]
    assert (kept.index, block.index) == (0, 1)
    assert (kept.sites[0].keys, block.sites[0].keys) == (family.inputs["input_ids"].shape[1], 2)
    assert block.weights(0, 0).shape == block.newest().weights(0, 0).shape == (2, 2)
    assert repr(block) == repr(block.calls[1])
    assert block.nbytes == block.calls[1].nbytes


def test_fields_with_a_default_are_those_of_the_newest_call_too():
    model = gpt2().model()
    with attnlab.record(model) as block:
        with pytest.raises(attnlab.NotRecordedError):
            _ = block.predicted
        model.generate(ids(1, 4), max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert block.predicted is block.newest().predicted is not None
    assert len(block.steps) == 3
    assert len(block.predictions()) == 3


def test_another_model_is_not_recorded_and_a_thread_of_the_block_is():
    family = bert()
    model, other = family.model(), family.model()
    with attnlab.record(model) as block:
        other(**family.inputs)
        with pytest.raises(RuntimeError, match="nothing recorded yet"):
            _ = block.sites
        thread = threading.Thread(target=lambda: model(**family.inputs))
        thread.start()
        thread.join()
    assert len(block.calls) == 1


def test_the_users_exception_passes_and_is_reported():
    family = bert()
    model = family.model()

    def block():
        with attnlab.record(model) as recording:
            held.append(recording)
            model(**family.inputs)
            raise KeyError("mine")

    held: list[Any] = []
    with pytest.raises(KeyError, match="mine"):
        block()
    (recording,) = held
    assert len(recording.sites) == 2

    broken = llama().model()
    broken.model.layers[1].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), attnlab.record(broken) as recording:
        broken(**llama().inputs)
    with pytest.raises(RuntimeError, match=r"did not finish.*ZeroDivisionError"):
        _ = recording.sites


def test_a_refused_model_does_not_disturb_the_block_but_its_trace_says_why(monkeypatch):

    def fault(*_):
        raise RuntimeError("broken inside")

    family = bert()
    model = family.model()
    with torch.no_grad(), attnlab.record(model) as block:
        model(**family.inputs)
        monkeypatch.setattr(interface, "note", fault)
        model(**family.inputs)
    with pytest.raises(RuntimeError, match=r"could not record.*broken inside.*report it"):
        _ = block.sites
    assert repr(block).startswith("<No trace: attnlab could not record this call")
    assert len(block.calls) == 1


def test_nothing_of_jupyter_is_loaded(minilm_path):
    code = f"""
import attnlab, sys
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained({str(minilm_path)!r})
tokenizer = AutoTokenizer.from_pretrained({str(minilm_path)!r})
inputs = tokenizer("The cat", return_tensors="pt")
with attnlab.record(model) as trace:
    model(**inputs)
assert trace.sequences[0].items[0].tokens[1].text == "the"
assert not {{"IPython", "anywidget", "ipywidgets", "pandas", "xarray"}} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- current ------------------------------------------------------------------------------


def test_outside_a_notebook_there_is_no_current_trace():
    with pytest.raises(RuntimeError, match=r"attnlab\.record"):
        attnlab.current()


def test_the_current_trace_is_that_of_the_newest_cell(monkeypatch):
    worker = Worker()
    session = Session("s" * 32, worker, lambda *_: None)
    backend = SimpleNamespace(endpoint=SimpleNamespace(session=session))
    monkeypatch.setitem(sys.modules, "attnlab.widget", SimpleNamespace(_backend=backend))
    with pytest.raises(RuntimeError, match="tag a cell"):
        attnlab.current()
    family = bert()
    _, outcomes = record(family.model(), family.inputs)
    for execution in (1, 2):
        run = Run("abc", execution)
        session.began(run)
        session.called(run, outcomes[0])
        assert attnlab.current().execution == execution  # within the cell that runs
        session.ended(run)
    recording = attnlab.current()
    assert isinstance(recording, Recorded)
    assert recording.heads().shape[0] == 8
    worker.close()


# --- what a trace hands out -----------------------------------------------------------------


def test_the_table_has_one_line_for_each_head(minilm, tokenizer):
    recording = attnlab.trace(minilm, tokenizer, TEXT)
    table = recording.heads()
    assert isinstance(table, pd.DataFrame)
    described = ["site", "stack", "kind", "layer", "head", "group", "method", "exact"]
    assert list(table.columns) == [*described, *COLUMNS]
    assert list(zip(table["layer"], table["head"], strict=True)) == [
        (layer, head) for layer in range(6) for head in range(12)
    ]
    assert table["exact"].all()
    for _, line in table.iterrows():
        weights = recording.weights(line["layer"], line["head"]).astype(np.float64)
        assert line["self_token"] == pytest.approx(np.diagonal(weights).mean(), abs=1e-6)
        assert line["previous_token"] == pytest.approx(np.diagonal(weights, -1).mean(), abs=1e-6)
        entropy = -(weights * np.log(np.maximum(weights, 1e-45))).sum(1).mean()
        assert line["entropy"] == pytest.approx(entropy, abs=1e-5)
    # MiniLM's head 0.2 looks at the token before, whatever the text.
    best = table.iloc[table["previous_token"].argmax()]
    assert (best["layer"], best["head"]) == (0, 2)


def test_the_table_names_the_key_group_of_each_head():
    family = llama()
    model = family.model()
    with torch.no_grad(), attnlab.record(model) as block:
        model(**family.inputs)
    assert block.heads()["group"].tolist() == [0, 0, 1, 1] * 2


def test_xarray_holds_the_weights_beside_their_tokens(minilm, tokenizer):
    pytest.importorskip("xarray")
    recording = attnlab.trace(minilm, tokenizer, ["It slept.", TEXT])
    arrays = recording.to_xarray()
    assert list(arrays) == list(range(6))
    array = arrays[3]
    assert array.dims == ("item", "head", "query", "key")
    assert array.shape == (2, 12, 14, 14)
    assert array.dtype == np.float32
    assert int(array.layer) == 3
    assert array.query_token[1].values.tolist() == words(recording, 1)
    for item in range(2):
        np.testing.assert_allclose(array[item, 7], recording.weights(3, 7, item=item), atol=1e-6)
    assert list(recording.to_xarray(sites=[2])) == [2]
    with pytest.raises(IndexError, match="sites 0 to 5"):
        recording.to_xarray(sites=[6])


def test_xarray_refuses_more_than_the_budget_of_memory(minilm, tokenizer, monkeypatch):
    pytest.importorskip("xarray")
    recording = attnlab.trace(minilm, tokenizer, TEXT)
    monkeypatch.setenv("ATTNLAB_MEMORY", "20K")
    with pytest.raises(MemoryError, match=r"6 sites take 55 KiB.*20 KiB.*ATTNLAB_MEMORY"):
        recording.to_xarray()
    assert list(recording.to_xarray(sites=[0])) == [0]


@pytest.mark.parametrize(("package", "call"), [("pandas", "heads"), ("xarray", "to_xarray")])
def test_a_package_that_is_missing_is_named_with_the_command(monkeypatch, package, call):
    family = bert()
    model = family.model()
    with torch.no_grad(), attnlab.record(model) as block:
        model(**family.inputs)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install '?{package}"):
        getattr(block, call)()


def test_topk_weights_and_neuron_steps_are_found_by_layer(minilm, tokenizer):
    recording = attnlab.trace(minilm, tokenizer, ["It slept.", TEXT])
    weights = recording.weights(2, 7, item=1)
    edges = recording.topk(2, 7, k=3, item=1)
    assert edges.indices[:, 0].tolist() == weights.argmax(1).tolist()
    assert edges.indices.shape == (14, 3)
    neuron = recording.neuron(2, 7, query=3, item=1)
    np.testing.assert_allclose(neuron.weights, weights[3], atol=1e-6)


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda recording: recording.weights(6, 0), "0, 1, 2, 3, 4, 5"),
        (lambda recording: recording.weights(0, 12), "heads 0 to 11"),
        (lambda recording: recording.weights(0, 0, item=1), "items 0 to 0"),
        (lambda recording: recording.weights(0, 0, kind="cross"), "encoder"),
        (lambda recording: recording.topk(9, 0), "0, 1, 2, 3, 4, 5"),
        (lambda recording: recording.neuron(0, 0, 14), "queries 0 to 13"),
        (lambda recording: recording.row(0, 14), "queries 0 to 13"),
        (lambda recording: recording.heads(item=3), "items 0 to 0"),
    ],
)
def test_an_invalid_index_is_reported_with_the_valid_range(minilm, tokenizer, ask, hint):
    recording = attnlab.trace(minilm, tokenizer, TEXT)
    with pytest.raises(IndexError, match=hint):
        ask(recording)


# --- the guide ----------------------------------------------------------------------------


def test_the_guides_examples_run(minilm_path, capsys):
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    # That section needs a panel: see test_selection.py.
    text = re.sub(r"^## The panel's selection$.*?(?=^## )", "", text, flags=re.M | re.S)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, object] = {
        "language_model": llama().model(),
        "its_tokenizer": wordpiece(),
    }
    for block in blocks:
        code = block.replace("sentence-transformers/all-MiniLM-L6-v2", str(minilm_path))
        exec(compile(code, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "was not called" in printed
    assert "2 encoder.layer.2.attention.self encoder 2 12 interface" in printed
