"""Calls in threads: those of the block are recorded, others are named."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.pool import ThreadPool

import pytest
import torch
import transformers
from torch import nn

import attnlab
from attnlab.capture import watch
from attnlab.capture.hooks.threads import disown
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.outcomes import Outcome, all_calls
from tests.unit.tiny_models import FAMILIES, bert, ids, llama, trace
from tests.unit.watching import differs, leaves, only, unnoticed

PATIENCE = 20


def joined(run):
    """Run in a thread."""
    kept = []
    thread = threading.Thread(target=lambda: kept.append(run()))
    thread.start()
    thread.join(PATIENCE)
    return kept[0]


def nested(run):
    """Run in a thread that was started by a thread."""
    return joined(lambda: joined(run))


def submitted(run):
    """Run in a new thread pool."""
    with ThreadPoolExecutor(2) as pool:
        return pool.submit(run).result(PATIENCE)


def mapped(run):
    """Run in a pool of `multiprocessing`."""
    with ThreadPool(2) as pool:
        return pool.map(lambda _: run(), [0])[0]


def awaited(run):
    """Run in the default pool of an event loop."""

    async def main():
        return await asyncio.to_thread(run)

    # In a separate thread: browser tests run an event loop in this one.
    return joined(lambda: asyncio.run(main()))


class Eager(threading.Thread):
    """A thread that equals all others and overrides `start`."""

    def __init__(self, run):
        super().__init__()
        self.run_function, self.kept = run, None

    def __eq__(self, other):
        return True

    __hash__ = threading.Thread.__hash__

    def start(self):
        super().start()

    def run(self):
        self.kept = self.run_function()


def subclassed(run):
    """Run in a subclass of `threading.Thread`."""
    thread = Eager(run)
    thread.start()
    thread.join(PATIENCE)
    return thread.kept


def timed(run):
    """Run in a timer."""
    kept = []
    timer = threading.Timer(0, lambda: kept.append(run()))
    timer.start()
    timer.join(PATIENCE)
    return kept[0]


WAYS = [joined, nested, submitted, mapped, awaited, subclassed, timed]


def without_gradients(model, inputs):
    """Call a model with the gradient mode of its owner, which is a setting of each thread."""
    with torch.no_grad():
        return model(**inputs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["BERT, padded", "Llama, grouped heads"])
def test_a_call_in_a_thread_of_the_block_has_the_weights_of_an_eager_copy(way, name):
    family = FAMILIES[name]()
    call = lambda model: way(lambda: without_gradients(model, family.inputs))  # noqa: E731
    recorded = only(unnoticed(family.model, call))
    assert differs(recorded, family.oracle()[""]) < 1e-5
    assert all(site.certificate.exact for site in recorded.sites)


@pytest.mark.parametrize("way", WAYS)
def test_record_includes_the_call_of_its_model_in_a_thread(way):
    family = bert()
    model = family.model()
    with attnlab.record(model) as block:
        way(lambda: model(**family.inputs))
        assert differs(block, family.oracle()[""]) < 1e-5
    assert len(block.calls) == 1


def test_work_that_the_block_submits_to_older_threads_belongs_to_it():
    family = bert()
    model, other = family.model(), family.model()
    begun, go = threading.Event(), threading.Event()

    def before():
        begun.set()
        go.wait(PATIENCE)
        return other(**family.inputs)

    with ThreadPoolExecutor(1) as pool:
        earlier = pool.submit(before)  # In the only thread of the pool, older than the block.
        begun.wait(PATIENCE)
        outcomes: list[Outcome] = []
        with observing(outcomes.append, {}) as observation:
            future = pool.submit(model, **family.inputs)
            go.set()
            result = future.result(PATIENCE)
        assert torch.equal(earlier.result()[0], result[0])
    assert [type(item) for item in outcomes] == [RecordedCall]
    assert differs(trace(outcomes[0]), family.oracle()[""]) < 1e-5
    assert not vars(observation.missed)["running"]


def test_a_thread_that_is_older_than_the_block_is_named_and_its_call_is_unaffected():
    family = bert()
    model = family.model()
    plain = model(**family.inputs)[0]
    go, results = threading.Event(), []

    def wait():
        go.wait(PATIENCE)
        results.append(model(**family.inputs)[0])

    thread = threading.Thread(target=wait, name="the old one")
    thread.start()
    with attnlab.record(model) as block:
        go.set()
        thread.join(PATIENCE)
    assert torch.equal(results[0], plain)
    with pytest.raises(attnlab.NotRecordedError) as said:
        block.newest()
    assert "BertModel was called in a thread that attnlab does not follow" in str(said.value)
    assert "“the old one” was started outside of the block" in str(said.value)


def test_threads_of_attnlab_belong_to_no_block():
    family = bert()
    model = family.model()

    def ours():
        disown()
        model(**family.inputs)

    with attnlab.record(model) as block:
        thread = threading.Thread(target=ours)
        thread.start()
        thread.join(PATIENCE)
    assert block.calls == []
    assert "BertModel was not called" in repr(block)


def test_two_threads_that_call_one_model_simultaneously_have_separate_texts():
    family = llama()
    model = family.model()
    texts = [ids(1, 6 + seed, seed=seed) for seed in range(4)]
    plain = [without_gradients(model, {"input_ids": text}).logits for text in texts]
    gate = threading.Barrier(len(texts))
    results = {}
    outcomes: list[Outcome] = []

    def run(seed):
        for _ in range(3):
            gate.wait(PATIENCE)
            results[seed] = without_gradients(model, {"input_ids": texts[seed]}).logits

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with observing(outcomes.append, {}):
            threads = [threading.Thread(target=run, args=(seed,)) for seed in range(len(texts))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    for seed, expected in enumerate(plain):
        assert torch.equal(results[seed], expected)
    assert [type(item) for item in outcomes] == [RecordedCall] * 12
    eager = family.model("eager")
    for item in outcomes:
        recorded = trace(item)
        seed = len(recorded.sequences[0]) - 6
        said = eager(input_ids=texts[seed], output_attentions=True).attentions
        assert differs(recorded, said) < 1e-5
        assert all(site.certificate.exact for site in recorded.sites)


def test_two_threads_that_generate_with_one_model_simultaneously_do_not_affect_each_other():
    model = llama().model()
    more = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    texts = [ids(1, 5 + seed, seed=seed) for seed in range(3)]
    plain = [model.generate(input_ids=text, **more) for text in texts]
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}), ThreadPoolExecutor(3) as pool:
        written = list(pool.map(lambda text: model.generate(input_ids=text, **more), texts))
    for one, other in zip(plain, written, strict=True):
        assert torch.equal(one, other)
    assert sorted(item.generated or 0 for item in all_calls(outcomes)) == [5, 6, 7]


class Meeting:
    """A hook that stops a forward pass in the middle until it is released."""

    def __init__(self, model):
        self.inside, self.go = threading.Event(), threading.Event()
        layers = model.encoder.layer
        self.handle = layers[len(layers) - 1].register_forward_pre_hook(self)

    def __call__(self, *_):
        self.inside.set()
        assert self.go.wait(PATIENCE)


def classes():
    """Return everything in classes that attnlab replaces."""
    owners = (torch.nn.Module, transformers.GenerationMixin, threading.Thread, Future)
    return [dict(owner.__dict__) for owner in owners]


def test_a_call_that_outlasts_its_block_is_recorded_and_then_everything_is_restored():
    family = bert()
    model = family.model()
    plain = model(**family.inputs)[0]
    meeting = Meeting(model)
    before, results = classes(), []
    thread = threading.Thread(
        target=lambda: results.append(model(**family.inputs)[0]), name="the slow one"
    )
    with attnlab.record(model) as block:
        thread.start()
        assert meeting.inside.wait(PATIENCE)
    with pytest.raises(
        attnlab.NotRecordedError, match="still running in the thread “the slow one”"
    ):
        block.newest()
    meeting.go.set()
    thread.join(PATIENCE)
    assert torch.equal(results[0], plain)
    assert differs(block, family.oracle()[""]) < 1e-5
    assert len(block.calls) == 1
    assert classes() == before
    assert watch._gate.blocks.idle


def test_a_thread_that_outlasts_its_block_begins_no_further_recording():
    family = bert()
    model = family.model()
    first, go = threading.Event(), threading.Event()

    def run():
        model(**family.inputs)
        first.set()
        go.wait(PATIENCE)
        model(**family.inputs)

    thread = threading.Thread(target=run)
    before = classes()
    with attnlab.record(model) as block:
        thread.start()
        assert first.wait(PATIENCE)
    assert classes() == before
    with attnlab.record(model) as next_block:
        go.set()
        thread.join(PATIENCE)
    assert len(block.calls) == 1
    assert next_block.calls == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_a_thread_is_raised_and_everything_is_restored(error):
    family = bert()
    model = family.model()

    def fail(*_):
        raise error("half way")

    model.encoder.layer[1].register_forward_pre_hook(fail)
    before = classes()
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(1) as pool, observing(outcomes.append, {}):
        future = pool.submit(model, **family.inputs)
        raised = future.exception(PATIENCE)
    assert type(raised) is error
    assert str(raised) == "half way"
    assert classes() == before
    assert [type(item) for item in outcomes] == [Refusal]
    assert watch._gate.blocks.idle


def test_a_thread_that_is_started_twice_raises_as_usual():
    with observing(lambda _: None, {}):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        thread.join(PATIENCE)
        future: Future[int] = Future()
        future.set_result(3)
        assert future.result() == 3


def test_nested_blocks_in_one_thread_have_separate_threads():
    family = bert()
    model = family.model()
    outer: list[Outcome] = []
    inner: list[Outcome] = []
    with ExitStack() as stack:
        stack.enter_context(observing(outer.append, {}))
        with observing(inner.append, {}):
            joined(lambda: model(**family.inputs))
        joined(lambda: model(**family.inputs))
    assert (len(outer), len(inner)) == (2, 1)


def test_a_block_opened_in_a_thread_belongs_only_to_that_thread():
    family = bert()
    model = family.model()
    outcomes: list[Outcome] = []

    def block():
        with observing(outcomes.append, {}):
            model(**family.inputs)

    joined(block)
    model(**family.inputs)
    assert len(outcomes) == 1


def test_a_stream_of_generated_text_is_recorded_without_waiting_for_its_thread():
    tokenizer = wordpiece()
    model = llama().model()
    inputs = tokenizer("the cat", return_tensors="pt")
    more = {"max_new_tokens": 3, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    plain = model.generate(**inputs, **more)
    with attnlab.record(model, tokenizer) as block:
        streamer = transformers.TextIteratorStreamer(tokenizer, timeout=PATIENCE)
        thread = threading.Thread(
            target=model.generate, kwargs={**inputs, "streamer": streamer, **more}
        )
        thread.start()
        text = "".join(streamer)
    thread.join(PATIENCE)
    assert text == tokenizer.decode(plain[0])
    assert block.generated == inputs["input_ids"].shape[1]
    assert len(block.calls) == 1


def test_results_of_a_call_in_a_thread_are_bit_identical():
    family = bert()
    model = family.model()
    plain = leaves(joined(lambda: without_gradients(model, family.inputs)))
    with observing(lambda _: None, {}):
        watched = leaves(joined(lambda: without_gradients(model, family.inputs)))
    assert all(torch.equal(one, other) for one, other in zip(plain, watched, strict=True))


def test_a_thread_that_outlives_the_block_keeps_neither_it_nor_its_model():
    family = bert()
    model = family.model()
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with attnlab.record(model) as block:
            pool.submit(model, **family.inputs).result(PATIENCE)
            thread = threading.Thread(target=go.wait, args=(PATIENCE,))
            thread.start()
        kept = weakref.ref(model)
        assert len(block.calls) == 1
        del model
        gc.collect()
        assert kept() is None
        go.set()
        thread.join(PATIENCE)


def ours(error):
    """Return the frames of attnlab in a traceback."""
    shown = traceback.extract_tb(error.__traceback__)
    return [frame for frame in shown if "attnlab/capture" in frame.filename]


def test_tracebacks_of_threads_and_methods_show_no_frames_of_attnlab():
    family = bert()
    model = family.model()

    def fail(*_):
        raise ValueError("half way")

    handle = model.encoder.layer[1].register_forward_pre_hook(fail)
    with observing(lambda _: None, {}), ThreadPoolExecutor(1) as pool:
        raised = [pool.submit(model, **family.inputs).exception(PATIENCE)]
        for call in (model, model.forward, lambda **given: nn.DataParallel(model)(**given)):
            with pytest.raises(ValueError, match="half way") as caught:
                call(**family.inputs)
            raised.append(caught.value)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        with pytest.raises(RuntimeError) as twice:
            thread.start()
        raised.append(twice.value)
    handle.remove()
    assert [ours(error) for error in raised] == [[]] * 5
