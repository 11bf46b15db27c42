"""Calls in threads of a tagged cell and of methods, in a real kernel; what is said of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernel.conftest import Kernel, Watched
from tests.kernel.test_cells import CALL, eager
from tests.panel import numbers

WAYS = {
    "a thread": """
import threading
thread = threading.Thread(target=lambda: model(**inputs))
thread.start(); thread.join()
""",
    "a pool of the cell": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as own: own.submit(model, **inputs).result()
""",
    "a pool that is older than the cell": "older.submit(model, **inputs).result()",
    "asyncio": "import asyncio\nout = await asyncio.to_thread(model, **inputs)",
    "forward": "out = model.forward(**inputs)",
    "a part": "out = model.encoder(model.embeddings(inputs['input_ids']))",
}

OLDER = """
import threading
from concurrent.futures import ThreadPoolExecutor
older = ThreadPoolExecutor(1, "older")
older.submit(int).result()
"""


def layers(kernel: Kernel, trace: dict[str, Any]) -> np.ndarray[Any, Any]:
    """First head of each layer, as the panel gets it."""
    heads = []
    for site in range(6):
        at = {"trace": trace["id"], "item": 0, "site": site, "head": 0}
        result, buffers = kernel.ask("trace/head", at)
        heads.append(numbers(result, buffers))
    return np.stack(heads)


@pytest.mark.parametrize("name", WAYS)
def test_a_call_of_a_tagged_cell_is_shown_wherever_it_is_made(kernel: Kernel, name: str) -> None:
    kernel.run(OLDER)
    watched = kernel.watched(WAYS[name], cell=name)
    assert watched.ran.reply["status"] == "ok"
    [trace] = watched.traces
    assert watched.problems == []
    assert abs(layers(kernel, trace) - eager(kernel)[:, 0]).max() < 1e-5


GO_ON = """
import threading
go, inside = threading.Event(), threading.Event()
def hold(*_):
    if threading.current_thread() is slow: inside.set(); go.wait(30)
handle = model.encoder.layer[3].register_forward_pre_hook(hold)
slow = threading.Thread(target=lambda: model(**inputs), name="the slow one")
slow.start()
inside.wait(30)
"""


def end(kernel: Kernel, since: int) -> Watched:
    """Let the held thread go on, in a cell that is not watched, and wait for what comes."""
    ran = kernel.run("go.set(); slow.join(); handle.remove()")
    assert ran.reply["status"] == "ok"
    kernel.value("__import__('attnlab').widget.started().endpoint.session.settle()")
    return Watched(ran, kernel.pushes(since))


def test_a_call_that_outlasts_its_cell_is_shown_once_it_has_returned(kernel: Kernel) -> None:
    watched = kernel.watched(GO_ON, cell="goes on")
    [problem] = watched.problems
    assert "BertModel is still running in the thread “the slow one”" in problem["title"]
    assert watched.traces == []
    later = end(kernel, kernel.revision)
    [trace] = later.traces
    assert trace["cell"] == "goes on"
    assert [push["resolved"] for push in later.pushes if "resolved" in push] == [["goes on"]]
    assert abs(layers(kernel, trace) - eager(kernel)[:, 0]).max() < 1e-5


def test_a_call_that_returns_after_a_newer_run_is_not_shown_over_it(kernel: Kernel) -> None:
    kernel.watched(GO_ON, cell="goes on")
    [newer] = kernel.watched(CALL).traces
    later = end(kernel, kernel.revision)
    assert later.traces == []
    assert kernel.ask("state")[0]["traces"][-1]["id"] == newer["id"]


OLD = """
import threading
ask, done = threading.Event(), threading.Event()
def wait():
    ask.wait(30); model(**inputs); done.set()
threading.Thread(target=wait, name="the old one").start()
"""


@pytest.mark.parametrize("tagged", [True, False])
def test_a_call_in_a_thread_of_another_cell_is_named(kernel: Kernel, tagged: bool) -> None:
    kernel.run(OLD)
    if not tagged:
        kernel.run("import attnlab\nattnlab.watch(model, tokenizer)")
    try:
        tags = ["attention"] if tagged else []
        watched = kernel.watched("ask.set(); done.wait(30)", cell="asks", tags=tags)
    finally:
        if not tagged:
            kernel.run("attnlab.unwatch()")
    assert watched.traces == []
    [problem] = watched.problems
    assert "BertModel was called in a thread that attnlab does not follow" in problem["title"]
    assert "“the old one” was started outside of the cell" in problem["cause"]


def test_a_watched_model_is_seen_in_threads_and_through_its_parts(kernel: Kernel) -> None:
    kernel.run("import attnlab\nattnlab.watch(model, tokenizer)")
    try:
        for name in ("a thread", "forward", "a part"):
            [trace] = kernel.watched(WAYS[name], cell=name, tags=[]).traces
            assert abs(layers(kernel, trace) - eager(kernel)[:, 0]).max() < 1e-5
        # Most cells do not call the model, and nothing is said of them.
        assert kernel.watched("1 + 1", cell="plain", tags=[]).problems == []
    finally:
        kernel.run("attnlab.unwatch()")


def test_after_a_run_without_a_call_the_older_trace_is_marked(kernel: Kernel) -> None:
    [trace] = kernel.watched(CALL, cell="first").traces
    watched = kernel.watched("import math", cell="second")
    [problem] = watched.problems
    assert problem["cell"] == "second"
    assert problem["execution"] > trace["execution"]
    state = kernel.ask("state")[0]
    assert problem in state["problems"]
    # Once the cell calls the model, that is over.
    again = kernel.watched(CALL, cell="second")
    assert [push["resolved"] for push in again.pushes if "resolved" in push] == [["second"]]
