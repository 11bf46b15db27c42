"""What watched cells, edits and requests leave is freed by reference counting alone.

The cycle collector is off in these tests. What a cell makes is dropped with its trace; a deleted
model, its tokenizer and its inputs are gone at the end of the cell that deletes them, as they are
without attnlab.
"""

from __future__ import annotations

import contextvars
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
import torch

from attnlab.server.messages import ErrorCode
from attnlab.traces.store import Store
from tests.unit.capture.test_freed_calls import live, uncollected, unlogged  # noqa: F401 - a fixture
from tests.unit.feeding import decoder, encoder, tokenizer
from tests.unit.notebook import Notebook

CALL = 'model(**tok({}, return_tensors="pt"))'
CAT, DOG = CALL.format('"the cat"'), CALL.format('"the big dog"')


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    it = Notebook()
    it.names.update({"torch": torch, "model": encoder(), "tok": tokenizer(), "writer": decoder()})
    it.initialize()
    yield it
    it.close()


def trace(notebook: Notebook) -> str:
    return notebook.session.traces[-1].id


def run(notebook: Notebook) -> None:
    notebook.cell(CAT)


def run_of_a_tensor(notebook: Notebook) -> None:
    notebook.cell("x = torch.tensor([[5, 6, 7]])\nwith torch.no_grad():\n    model(x)\ndel x")


def run_of_a_loop(notebook: Notebook) -> None:
    notebook.cell(f"for text in ('a cat', 'dogs'):\n    {CALL.format('text')}")


def run_that_fails(notebook: Notebook) -> None:
    assert notebook.cell(f"{CAT}\nmodel(1)") is not None


def run_that_python_cannot_parse(notebook: Notebook) -> None:
    assert notebook.cell("model(") is SyntaxError


def run_of_generate(notebook: Notebook) -> None:
    made = "max_new_tokens=2, do_sample=False, eos_token_id=None"
    notebook.cell(f'writer.generate(**tok("the cat", return_tensors="pt"), {made})')


def run_without_attention(notebook: Notebook) -> None:
    notebook.cell("torch.nn.Linear(2, 2)(torch.ones(1, 2))")


def edit(notebook: Notebook) -> None:
    notebook.cell(CAT)
    for text in (DOG, CAT, DOG):
        assert notebook.edit(text)["result"]["live"]


def edits_that_are_refused(notebook: Notebook) -> None:
    notebook.cell(CAT)
    for text in ("model(", f"x = 1\n{CAT}", CALL.format('open("x").read()'), CALL.format("z")):
        assert not notebook.edit(text)["result"]["live"]
    notebook.cell(f"for text in ('a cat',):\n    {CALL.format('text')}")
    for _ in range(3):
        assert not notebook.edit(DOG)["result"]["live"]


def edit_of_a_model_that_fails(notebook: Notebook) -> None:
    notebook.cell(CAT)
    embedded = notebook.names["model"].get_input_embeddings()
    forward = embedded.forward
    embedded.forward = lambda *_: (_ for _ in ()).throw(ValueError("a fault"))
    assert not notebook.edit(DOG)["result"]["live"]
    embedded.forward = forward


def edit_that_cannot_be_shown(notebook: Notebook) -> None:
    notebook.cell(CAT)

    def fail(*_: Any) -> Any:
        raise ValueError("a fault")

    with mock.patch("attnlab.server.session.changes._subscribed_payloads", fail):
        assert "error" in notebook.edit(DOG)


def tries(notebook: Notebook) -> None:
    notebook.cell(CAT)
    recording = trace(notebook)
    for text in ("a dog", "two big dogs"):
        assert "error" not in notebook.attempt(recording, text)
    assert "error" in notebook.attempt(recording, "a dog", "too many")
    assert "error" in notebook.attempt(recording, "a dog " * 2000)


def requests(notebook: Notebook) -> None:
    notebook.subscribe(focus={"site": 0, "head": 0}, query=0, size=8, neuron=True)
    notebook.cell(CAT)
    place = {"trace": trace(notebook), "item": 0, "site": 0, "head": 1}
    query = place | {"query": 1}
    row = {name: value for name, value in query.items() if name != "head"}
    whole = {"trace": place["trace"], "item": 0}
    for method, params in (
        ("trace/head", place),
        ("trace/topk", place),
        ("trace/vectors", place),
        ("trace/neuron", query),
        ("trace/row", row),
        ("trace/scores", whole),
        ("trace/thumbnails", whole | {"size": 8, "sampled": False}),
        ("trace/tile", place | {"level": 0, "x": 0, "y": 0}),
        ("trace/trialTexts", {"trace": place["trace"]}),
    ):
        assert "error" not in notebook.ask(method, params)[0], method
    notebook.session.selected()
    notebook.session.state(lambda: False)


def requests_that_fail(notebook: Notebook) -> None:
    notebook.cell(CAT)
    place = {"trace": trace(notebook), "item": 0, "site": 0, "head": 99}
    for _ in range(2):
        assert "error" in notebook.ask("trace/head", place)[0]
        assert "error" in notebook.ask("trace/head", place | {"trace": "none"})[0]


def a_request_that_is_cancelled(notebook: Notebook) -> None:
    notebook.cell(CAT)
    (began, go), site = (threading.Event(), threading.Event()), notebook.session.traces[-1]
    computed, place = site.head, {"trace": site.id, "item": 0, "site": 0, "head": 0}

    def head(*given: Any) -> Any:
        began.set()
        go.wait()
        return computed(*given)

    vars(site)["head"] = head
    id_ = next(notebook._ids)
    rpc = {"jsonrpc": "2.0", "id": id_, "method": "trace/head", "params": place}
    notebook.endpoint.receive(notebook.envelope(rpc))
    began.wait()
    notebook.tell("$/cancelRequest", {"id": id_})
    go.set()
    sent = notebook.wait(
        lambda: [message for message, _ in notebook.sent if message["rpc"].get("id") == id_]
    )
    assert sent[0]["rpc"]["error"]["code"] == ErrorCode.REQUEST_CANCELLED
    del vars(site)["head"]


DONE = [
    run,
    run_of_a_tensor,
    run_of_a_loop,
    run_that_fails,
    run_that_python_cannot_parse,
    run_of_generate,
    run_without_attention,
    edit,
    edits_that_are_refused,
    edit_of_a_model_that_fails,
    edit_that_cannot_be_shown,
    tries,
    requests,
    requests_that_fail,
    a_request_that_is_cancelled,
]


@pytest.mark.parametrize("do", DONE, ids=lambda value: value.__name__)
def test_repeated_use_keeps_no_more_objects(
    do: Callable[[Notebook], None], notebook: Notebook
) -> None:
    counts = []
    with uncollected():
        for _ in range(5):
            do(notebook)
            notebook.rest()
            counts.append(live())
            notebook.sent.clear()
    assert len(set(counts[1:])) == 1, counts


def drop_all(store: Store) -> None:
    for id_ in [trace.id for trace in store.traces]:
        store.discard(id_)


@pytest.mark.parametrize("do", DONE, ids=lambda value: value.__name__)
def test_a_trace_is_freed_when_the_store_drops_it(
    do: Callable[[Notebook], None], notebook: Notebook
) -> None:
    with uncollected():
        for _ in range(2):
            do(notebook)
        store = notebook.session._traces._store
        traces = notebook.session.traces
        references: list[weakref.ref[Any]] = [weakref.ref(trace) for trace in traces]
        references += [weakref.ref(site.record) for trace in traces for site in trace.sites]
        del traces
        if store is not None:
            drop_all(store)
        notebook.rest()
        assert [trace() for trace in references if trace() is not None] == []


# --- models that are deleted ------------------------------------------------------------


class Scaled(torch.nn.Module):
    """A model that takes an argument with a history of gradients, and another model."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.eval()

    def forward(self, input_ids: Any, scale: Any = None, other: Any = None, **more: Any) -> Any:
        result = self.inner(input_ids=input_ids, **more)
        return result.logits * scale.flatten()[0]


class Box:
    """An object of the notebook."""


SETUP = "model, tok, kept = make(), tokenizer(), Box()\n"
VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")

MADE: dict[str, str] = {
    "called": CAT,
    "called with names": (
        'inputs = tok("the cat", return_tensors="pt")\nids, mask = inputs["input_ids"], '
        'inputs["attention_mask"]\nout = model(**inputs)'
    ),
    "called without gradients": f"with torch.no_grad():\n    out = {CAT}",
    "trained": f"out = {CAT}\nout.logits.sum().backward()",
    "failed": f"{CAT}\ntry:\n    model(1)\nexcept Exception:\n    pass",
    "a graph in an argument": (
        "weight = torch.ones(1, requires_grad=True)\nscale = weight * 2\n"
        'model = Scaled(model)\nout = model(**tok("the cat", return_tensors="pt"), scale=scale)'
    ),
    "a model in an argument": (
        "scale, other = torch.ones(1), make()\n"
        'outer = Scaled(model)\nout = outer(**tok("the cat", return_tensors="pt"), scale=scale, '
        "other=other)"
    ),
    "a large argument": (
        "scale = torch.ones(1 << 19)\nmodel = Scaled(model)\n"
        'out = model(**tok("the cat", return_tensors="pt"), scale=scale)'
    ),
    "in a dictionary": 'models = {"a": model}\n' + CAT.replace("model(", 'models["a"](', 1),
    "through a function": f"def of(text):\n    return {CALL.format('text')}\nout = of('a cat')",
    "several texts": f"for text in ('a cat', 'dogs'):\n    out = {CALL.format('text')}",
    "another cell's text": "x = torch.tensor([[5, 6, 7]])\nout = model(x)",
    "forward": f"out = {CAT.replace('model(', 'model.forward(', 1)}",
    "in a thread": (
        f"import threading\nthread = threading.Thread(target=lambda: {CAT})\n"
        "thread.start()\nthread.join()"
    ),
}

WRITER: dict[str, str] = {
    "generated": (
        'inputs = tok("the cat", return_tensors="pt")\n'
        "out = model.generate(**inputs, max_new_tokens=2, do_sample=False, eos_token_id=None)"
    ),
    "generated with a method of before": (
        'generate = model.generate\nout = generate(**tok("the cat", return_tensors="pt"), '
        "max_new_tokens=2, do_sample=False, eos_token_id=None)"
    ),
}

COMPILED = {
    "compiled": (
        'fast = torch.compile(model, backend="eager")\n' + CAT.replace("model(", "fast(", 1)
    ),
}

PIPED = {
    "in a pipeline": (
        "from transformers import pipeline\n"
        'pipe = pipeline("feature-extraction", model=model, tokenizer=tok)\nout = pipe("the cat")'
    ),
}

CASES = {**MADE, **WRITER, **PIPED, **COMPILED}

MARK = """
import weakref
gone.update({name: weakref.ref(own) for name, own in list(globals().items()) if follows(own)})
del follows
"""

DELETE = """
for name in set(globals()) - present - {kept}:
    del globals()[name]
"""

MODELS = frozenset({"model", "models", "outer", "fast", "pipe", "generate", "tok"})


def follows(value: Any) -> bool:
    return isinstance(value, torch.nn.Module | torch.Tensor | Box) or hasattr(value, "vocab_size")


Live = Callable[[Notebook, str], None]


def merely_run(notebook: Notebook, code: str) -> None:
    notebook.cell(code)


def run_and_edited(notebook: Notebook, code: str) -> None:
    notebook.cell(code)
    for text in ("the big dog", "a bird"):
        notebook.edit(code.replace("the cat", text))


def run_and_tried(notebook: Notebook, code: str) -> None:
    notebook.cell(code)
    for trace in notebook.session.traces:
        notebook.attempt(trace.id, "a bird")


def run_without_a_tag(notebook: Notebook, code: str) -> None:
    notebook.cell(code, tags=())


def watched(notebook: Notebook, code: str) -> None:
    notebook.cells.models.add(notebook.names["model"], notebook.names["tok"])
    notebook.cell(code, tags=())


def watched_and_unwatched(notebook: Notebook, code: str) -> None:
    watched(notebook, code)
    notebook.cells.models.remove()


def survivors(
    code: str, make: Callable[[], Any], use: Live, kept: frozenset[str] = frozenset()
) -> set[str]:
    """Run a cell, delete all that it made in another; name what is in memory at that cell's end."""
    torch._dynamo.reset()  # What it keeps depends on what it has compiled before.
    notebook = Notebook()
    notebook.initialize()
    gone: dict[str, weakref.ref[Any]] = {}
    names = {"torch": torch, "make": make, "tokenizer": tokenizer, "Box": Box, "Scaled": Scaled}
    names |= {"gone": gone, "VARIABLE": VARIABLE, "CALL": CALL}
    try:
        notebook.names.update(names)
        notebook.names["present"] = {*notebook.names, "present"}
        with uncollected():
            notebook.cell(SETUP, tags=())
            use(notebook, code)
            notebook.names["follows"] = follows
            assert notebook.cell(MARK, tags=()) is None
            notebook.rest()
            assert notebook.cell(DELETE.format(kept=set(kept)), tags=()) is None
            notebook.rest()
            assert "model" in gone
            if notebook.session.traces:
                store = notebook.session._traces._store
                assert store is not None
                drop_all(store)
            left = {name for name, value in gone.items() if value() is not None}
            return {*left, "tensors"} if live() and not left else left
    finally:
        notebook.close()


@pytest.mark.parametrize(
    "use",
    [merely_run, run_and_edited, run_and_tried, watched, watched_and_unwatched],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("case", CASES)
def test_deleted_objects_are_freed_at_the_end_of_the_cell(case: str, use: Live) -> None:
    expected = survivors_without(case)
    if "model" in expected and use is watched:
        expected = {*expected, "tok"}  # It is kept as long as its model is watched.
    assert survivors(CASES[case], maker(case), use) == expected
    # What torch.compile keeps for itself, it keeps with and without attnlab.
    assert expected == set() or case in COMPILED


@pytest.mark.parametrize("case", [*MADE, *WRITER, *PIPED])
def test_deleted_inputs_are_freed_although_the_model_stays(case: str) -> None:
    expected = survivors_without(case, MODELS)
    assert survivors(CASES[case], maker(case), run_and_edited, MODELS) == expected
    assert "model" in expected
    assert not expected - MODELS


def test_a_model_in_a_context_variable_is_freed_when_the_variable_is_reset(
    notebook: Notebook,
) -> None:
    with uncollected():
        gone = weakref.ref(notebook.names["model"])
        token = VARIABLE.set(notebook.names["model"])
        notebook.cell(CAT)
        VARIABLE.reset(token)
        del token
        notebook.cell("del model", tags=())
        notebook.rest()
        assert gone() is None


@functools.cache
def survivors_without(case: str, kept: frozenset[str] = frozenset()) -> set[str]:
    return survivors(CASES[case], maker(case), run_without_a_tag, kept)


def maker(case: str) -> Callable[[], Any]:
    return decoder if case in WRITER else encoder


@pytest.mark.parametrize(
    ("deleted", "why"),
    [
        ("model", "The model is no longer in memory; run the cell."),
        ("tok", "The tokenizer is no longer in memory; run the cell."),
    ],
)
def test_a_document_reports_which_object_was_deleted(
    deleted: str, why: str, notebook: Notebook
) -> None:
    notebook.cell(CAT)
    recording = trace(notebook)
    assert notebook.edit(DOG)["result"]["live"]
    notebook.cell(f"del {deleted}", tags=())
    notebook.rest()
    (params, _) = notebook.pushes()[-1]
    assert [it["message"] for it in params["source"]["diagnostics"]] == [why]
    assert params["source"]["diagnostics"][0]["code"] == "model"
    assert not params["source"]["outdated"]
    opened = {"cell": "c", "version": 0, "text": DOG}
    for result in (
        notebook.edit(CAT)["result"],
        notebook.ask("textDocument/didOpen", opened)[0]["result"],
    ):
        assert not result["live"]
        assert [it["message"] for it in result["diagnostics"]] == [why]
    assert (
        notebook.ask("trace/trialTexts", {"trace": trace(notebook)})[0]["result"]["reason"] == why
    )
    assert notebook.attempt(trace(notebook), "a bird")["error"]["message"] == why
    assert recording != trace(notebook)
    notebook.names.update({"model": encoder(), "tok": tokenizer()})
    notebook.cell(DOG)
    assert notebook.edit(CAT)["result"]["live"]


def test_an_edit_reports_which_argument_was_deleted(notebook: Notebook) -> None:
    notebook.names.update({"scaled": Scaled(notebook.names["model"]), "big": torch.ones(1 << 19)})
    cell = 'scaled(**tok("the cat", return_tensors="pt"), scale=big)'
    notebook.cell(cell)
    edited = cell.replace("cat", "dog")
    assert notebook.edit(edited)["result"]["live"]
    notebook.cell("big = torch.ones(1 << 19)", tags=())
    (said,) = notebook.edit(cell)["result"]["diagnostics"]
    assert said["message"] == "`scale` of the call is no longer in memory; run the cell."
