"""Observing changes nothing that the notebook can see, and misses no call that it should record."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
import transformers
from transformers.generation.utils import GenerationMixin
from transformers.modeling_utils import AttentionInterface
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from attnlab.capture.hooks.import_watch import ImportWatch
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome, all_calls, only_call, only_refusal
from tests.unit.tiny_models import FAMILIES, bert, gpt2, ids, llama, record, trace

OWNERS = (torch.nn.Module, AttentionInterface, PreTrainedTokenizerBase, GenerationMixin)


def world():
    """Return everything that observing could leave behind."""
    classes = [dict(owner.__dict__) for owner in OWNERS]
    orders = [list(owner.__dict__) for owner in OWNERS]
    local = dict(transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS.__dict__)
    return classes, orders, local, list(sys.meta_path)


def ignore(outcomes):
    pass


# --- nothing changes ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_outputs_are_bit_identical_with_and_without_observing(name):
    family = FAMILIES[name]()
    model = family.model()
    with torch.no_grad():
        plain = model(**family.inputs)
    observed, outcomes = record(model, family.inputs)
    assert isinstance(outcomes[0], RecordedCall)
    assert list(plain) == list(observed)
    assert torch.equal(plain[0], observed[0])


def test_gradients_and_random_numbers_are_bit_identical_in_training():
    family = bert()

    def step(watched):
        model = family.model().train()
        torch.manual_seed(1)
        if watched:
            with observing(ignore, {}):
                loss = model(**family.inputs).last_hidden_state.sum()
        else:
            loss = model(**family.inputs).last_hidden_state.sum()
        loss.backward()
        return torch.rand(1), [parameter.grad for parameter in model.parameters()]

    (drawn, plain), (drawn_too, observed) = step(False), step(True)
    assert torch.equal(drawn, drawn_too)
    for one, other in zip(plain, observed, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


def test_everything_is_as_before_after_the_block():
    family = bert()
    model = family.model()
    before, attributes = world(), {id(m): dict(m.__dict__) for m in model.modules()}
    with observing(ignore, {}):
        assert world() != before
        model(**family.inputs)
    assert world() == before
    assert {id(m): dict(m.__dict__) for m in model.modules()} == attributes


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_restored_after_an_error_inside_the_forward_pass(error):
    family = bert()
    model = family.model()
    before = world()

    def fail(*_):
        raise error("half way")

    hook = model.encoder.layer[1].attention.self.query.register_forward_hook(fail)
    outcomes: list[Outcome] = []
    with pytest.raises(error, match="half way"), observing(outcomes.append, {}):
        model(**family.inputs)
    hook.remove()
    assert world() == before
    assert [type(item) for item in outcomes] == [Refusal]
    assert "BertModel did not finish" in only_refusal(outcomes).title
    # And the next watched call is recorded completely.
    _, outcomes = record(model, family.inputs)
    assert len(only_call(outcomes).records) == 2


def test_an_error_outside_the_model_leaves_nothing_of_a_block():
    before = world()
    with pytest.raises(KeyboardInterrupt), observing(ignore, {}):
        raise KeyboardInterrupt
    assert world() == before


def test_nested_blocks_leave_only_with_the_last():
    family = bert()
    model = family.model()
    before = world()
    outer: list[Outcome] = []
    inner: list[Outcome] = []
    with observing(outer.append, {}):
        with observing(inner.append, {}):
            model(**family.inputs)
        model(**family.inputs)
        assert world() != before
    assert world() == before
    assert (len(outer), len(inner)) == (2, 1)


def test_what_the_cell_itself_replaces_stays_and_our_replacement_becomes_inactive():
    family = bert()
    model = family.model()
    genuine = torch.nn.Module.__call__
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        ours = torch.nn.Module.__call__

        def theirs(module, *args, **kwargs):
            return ours(module, *args, **kwargs)

        torch.nn.Module.__call__ = theirs  # type: ignore[method-assign]
        model(**family.inputs)
    try:
        assert torch.nn.Module.__call__ is theirs
        model(**family.inputs)
    finally:
        torch.nn.Module.__call__ = genuine  # type: ignore[method-assign]
    assert len(outcomes) == 1


def test_the_attention_function_and_signatures_look_as_before():
    seen: list[Any] = []

    class Curious(transformers.BertModel):
        def forward(self, *args, **kwargs):
            functions: Any = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS
            found = functions.get_interface("sdpa", None)
            seen.append((found.__name__, inspect.signature(found)))
            seen.append(inspect.signature(PreTrainedTokenizerBase.__call__))
            return super().forward(*args, **kwargs)

    family = bert()
    model = Curious(family.config)
    model(**family.inputs)
    record(model, family.inputs)
    assert seen[:2] == seen[2:]


def test_errors_of_the_watcher_do_not_affect_the_call(caplog):
    family = bert()

    def broken(outcomes):
        raise RuntimeError("the panel fell over")

    with observing(broken, {}):
        family.model()(**family.inputs)
    assert "attnlab could not keep a recording" in caplog.text


def test_errors_of_the_recording_become_a_refusal_and_leave_the_result(monkeypatch):
    from attnlab.capture.reading.interface import InterfaceCall

    family = bert()
    model = family.model()
    with torch.no_grad():
        plain = model(**family.inputs)

    def broken(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(InterfaceCall, "note", broken)
    observed, outcomes = record(model, family.inputs)
    assert torch.equal(plain[0], observed[0])
    assert [type(item) for item in outcomes] == [Refusal]
    assert "a fault of ours" in only_refusal(outcomes).cause


# --- threads ------------------------------------------------------------------------------


def test_forward_passes_on_other_threads_are_neither_recorded_nor_disturbed():
    family = bert()
    mine, other = family.model(), family.model()
    results = []
    outcomes: list[Outcome] = []
    inside, done = threading.Event(), threading.Event()

    def elsewhere():
        inside.wait(20)
        functions: Any = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS
        results.append(functions.get_interface("sdpa", None))
        with torch.no_grad():
            results.append(other(**family.inputs)[0])
        done.set()

    def meet(*_):
        inside.set()
        assert done.wait(20)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    # The other thread's pass runs in the middle of this one.
    mine.encoder.layer[1].register_forward_pre_hook(meet)
    with torch.no_grad(), observing(outcomes.append, {}):
        actual = mine(**family.inputs)[0]
    thread.join()
    assert results[0] is transformers.integrations.sdpa_attention.sdpa_attention_forward
    assert torch.equal(results[1], actual)
    assert [len(item.records) for item in all_calls(outcomes)] == [2]


# --- what is recorded ---------------------------------------------------------------------


def test_each_outermost_call_is_recorded_separately():
    family = llama()
    model = family.model()
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        model(**family.inputs)
        model.model(**family.inputs)
    assert [item.model for item in all_calls(outcomes)] == ["LlamaForCausalLM", "LlamaModel"]
    assert [len(item.records) for item in all_calls(outcomes)] == [2, 2]
    assert all_calls(outcomes)[0].records[1].name == "model.layers.1.self_attn"
    assert all_calls(outcomes)[0].milliseconds > 0


def test_only_the_given_model_is_recorded_even_inside_another():
    family = bert()
    wanted, unwanted = family.model(), family.model()

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = wanted

        def forward(self, **inputs):
            unwanted(**inputs)
            return self.inner(**inputs)

    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}, only=wanted):
        unwanted(**family.inputs)
        Wrapper()(**family.inputs)
    assert [item.model for item in all_calls(outcomes)] == ["BertModel"]


def test_a_cache_that_is_overwritten_later_does_not_change_the_record():
    family = llama()
    model = family.model()
    cache = transformers.StaticCache(model.config, max_cache_len=16)
    _, outcomes = record(model, {**family.inputs, "past_key_values": cache})
    recorded = trace(outcomes[0])
    before = recorded.head(0, 0).copy()
    with torch.no_grad():
        cache.reset()
    assert (recorded.head(0, 0) == before).all()


def test_a_checkpointed_backward_pass_is_not_a_call_of_the_user():
    family = llama()
    model = family.model().train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        model(**family.inputs).logits.sum().backward()
    assert [item.model for item in all_calls(outcomes)] == ["LlamaForCausalLM"]


def test_shared_layers_are_numbered_by_their_order():
    config = transformers.AlbertConfig(
        vocab_size=60,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
    )
    _, outcomes = record(transformers.AlbertModel(config), {"input_ids": ids(1, 5)})
    assert [item.layer for item in only_call(outcomes).records] == [0, 1, 2]


def test_a_batch_is_recorded_completely_without_a_note():
    family = gpt2()
    _, outcomes = record(family.model(), family.inputs)
    assert only_call(outcomes).items == 2
    assert {item.items for item in only_call(outcomes).records} == {2}
    assert not any("batch" in note for note in only_call(outcomes).notes)


def test_recordings_have_no_gradients():
    family = bert()
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        family.model()(**family.inputs)
    for item in only_call(outcomes).records:
        assert not any(tensor.requires_grad for tensor in item.tensors)


def test_weights_before_dropout_are_shown_but_not_certified():
    family = bert()
    model = family.model().train()
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        model(**family.inputs)
    site = trace(outcomes[0]).sites[0]
    assert not site.certificate.exact
    assert "dropout was active: the weights are those before dropout" in site.certificate.reason
    assert all(part.training for part in model.modules())


# --- refusals -----------------------------------------------------------------------------


def test_modules_without_attention_are_ignored():
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        torch.nn.CrossEntropyLoss()(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
        torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())(torch.zeros(2, 3))
    assert outcomes == []


def test_a_failing_module_without_attention_is_ignored_too():
    outcomes: list[Outcome] = []
    with pytest.raises(RuntimeError), observing(outcomes.append, {}):
        torch.nn.Linear(3, 3)(torch.zeros(2, 4))
    assert outcomes == []


# --- imports ------------------------------------------------------------------------------


def test_watching_imports_neither_torch_nor_transformers():
    run("""
        import sys
        import attnlab.capture.watch, attnlab.traces.store
        with attnlab.capture.watch.observing(print, {}):
            pass
        assert not {"torch", "transformers", "numpy"} & set(sys.modules)
    """)


def test_a_model_imported_and_called_inside_the_block_is_not_missed():
    run("""
        import sys
        from attnlab.capture.watch import observing

        finders, outcomes = list(sys.meta_path), []
        with observing(outcomes.append, globals()):
            assert len(sys.meta_path) == len(finders) + 1
            from transformers import BertConfig, BertModel
            import torch
            sizes = dict(hidden_size=16, num_attention_heads=2, intermediate_size=16)
            model = BertModel(BertConfig(vocab_size=9, num_hidden_layers=2, **sizes))
            model(torch.tensor([[1, 2, 3]]))
        assert [len(call.records) for call in outcomes] == [2]

        import transformers.modeling_utils as library
        for module in (torch, library, sys.modules["transformers.tokenization_utils_base"]):
            assert "exec_module" not in vars(module.__loader__), module
            assert module.__spec__.loader is module.__loader__
            assert type(module.__loader__).__name__ == "SourceFileLoader"
        assert "attnlab" not in torch.nn.Module.__call__.__module__
        assert "attnlab" not in library.AttentionInterface.get_interface.__module__
        # torch adds a finder; attnlab's is gone.
        assert not [f for f in sys.meta_path if type(f).__module__.startswith("attnlab")]
    """)


def test_an_import_after_the_block_is_unaffected():
    run("""
        import sys
        from attnlab.capture.watch import observing
        with observing(print, {}):
            import importlib.util
            importlib.util.find_spec("torch")
        import torch
        assert "exec_module" not in vars(torch.__loader__)
        assert "attnlab" not in torch.nn.Module.__call__.__module__
    """)


def test_the_finder_finds_nothing_by_itself():
    outcomes: list[Any] = []
    watch = ImportWatch(
        ["no_such_module_at_all"], lambda *found: outcomes.append(found), outcomes.append
    )
    watch.start()
    try:
        with pytest.raises(ModuleNotFoundError):
            __import__("no_such_module_at_all")
    finally:
        watch.stop()
    assert watch not in sys.meta_path
    assert outcomes == []


def test_a_module_that_fails_to_import_fails_as_before(tmp_path, monkeypatch):
    (tmp_path / "attnlab_broken_module.py").write_text("raise ValueError('as ever')")
    monkeypatch.syspath_prepend(tmp_path)
    outcomes: list[Any] = []
    watch = ImportWatch(
        ["attnlab_broken_module"], lambda *found: outcomes.append(found), outcomes.append
    )
    watch.start()
    try:
        with pytest.raises(ValueError, match="as ever"):
            __import__("attnlab_broken_module")
    finally:
        watch.stop()
    assert outcomes == []


def run(source):
    """Run Python source in a new process, in which nothing is imported yet."""
    done = subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(source)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
