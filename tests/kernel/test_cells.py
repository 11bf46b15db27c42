"""Watched cells in a real kernel: what is pushed, and that nothing else changes."""

from __future__ import annotations

import base64
import time
from typing import Any

import numpy as np
import pytest

from tests.kernel.conftest import Kernel
from tests.panel import Panel, numbers

CALL = "out = model(**inputs)"

EAGER = """
import base64, torch
from transformers import AutoModel
_eager = AutoModel.from_pretrained(model.config._name_or_path, attn_implementation="eager")
with torch.no_grad():
    _seen = _eager(**inputs, output_attentions=True).attentions
print(base64.b64encode(torch.stack(_seen)[:, ITEM].float().numpy().tobytes()).decode())
"""

DIGEST = """
import hashlib
def _digest(out):
    return hashlib.sha256(out.last_hidden_state.detach().numpy().tobytes()).hexdigest()
_digest(model(**inputs))
"""

LEFT = """
import sys, torch, transformers
from transformers.modeling_utils import AttentionInterface, PreTrainedModel
from transformers import PreTrainedTokenizerBase
def _left():
    owners = [torch.nn.Module, AttentionInterface, PreTrainedModel, PreTrainedTokenizerBase]
    owners += [type(model), type(tokenizer), type(tokenizer).__mro__[1]]
    found = []
    for owner in owners:
        for name, value in vars(owner).items():
            if "attnlab" in getattr(getattr(value, "__code__", None), "co_filename", ""):
                found.append(f"{owner.__name__}.{name}")
    own = [n for m in model.modules() for n, v in vars(m).items() if "attnlab" in repr(type(v))]
    finders = [repr(f) for f in sys.meta_path if "attnlab" in type(f).__module__]
    hooks = [m for m in model.modules() if m._forward_hooks or m._forward_pre_hooks]
    return found + own + finders + hooks
"""


def eager(kernel: Kernel, item: int = 0) -> np.ndarray[Any, Any]:
    """Weights of an eager copy of the model: (layers, heads, queries, keys)."""
    script = EAGER.replace("ITEM", str(item))
    data = np.frombuffer(base64.b64decode(kernel.run(script).text), "<f4")
    tokens = kernel.value("inputs['input_ids'].shape[1]")
    return data.reshape(6, 12, tokens, tokens)


def test_one_message_contains_the_trace_and_what_the_panel_shows(kernel: Kernel) -> None:
    kernel.attach(size=4, focus={"site": 3, "head": 7}, query=2)
    watched = kernel.watched(
        f"inputs = tokenizer('The cat sat on the mat', return_tensors='pt')\n{CALL}"
    )
    assert [push["running"] for push in watched.pushes] == ["abc", "abc", None]
    (trace,) = watched.traces
    assert trace["cell"] == "abc"
    assert trace["model"] == "BertModel"
    (sequence,) = trace["sequences"]
    assert sequence["text"] == "The cat sat on the mat"
    words = [token["text"] for token in sequence["tokens"]]
    assert words == ["[CLS]", "the", "cat", "sat", "on", "the", "mat", "[SEP]"]
    assert [site["method"] for site in trace["sites"]] == ["interface"] * 6
    assert all("uncertified" not in site for site in trace["sites"])
    push = watched.pushes[1]
    thumbnails, head, row = (numbers(p, push["buffers"]) for p in push["payloads"])
    truth = eager(kernel)
    np.testing.assert_allclose(head, truth[3, 7], atol=1e-5)
    np.testing.assert_allclose(row, truth[3, :, 2], atol=1e-5)
    pooled = truth.reshape(72, 4, 2, 4, 2).max((2, 4))
    np.testing.assert_allclose(thumbnails, pooled * 255, atol=0.6)


def test_every_other_payload_can_be_requested(kernel: Kernel) -> None:
    (trace,) = kernel.watched(CALL).traces
    truth = eager(kernel)
    of = {"trace": trace["id"], "item": 0}
    result, buffers = kernel.ask("trace/head", {**of, "site": 0, "head": 11})
    np.testing.assert_allclose(numbers(result, buffers), truth[0, 11], atol=1e-5)
    result, buffers = kernel.ask("trace/row", {**of, "site": 5, "query": 0})
    np.testing.assert_allclose(numbers(result, buffers), truth[5, :, 0], atol=1e-5)
    result, buffers = kernel.ask("trace/thumbnails", {**of, "size": 64, "sampled": False})
    np.testing.assert_allclose(numbers(result, buffers), truth.reshape(72, 8, 8) * 255, atol=0.6)


def test_the_cells_output_is_bit_identical_with_and_without(kernel: Kernel) -> None:
    plain = kernel.run(DIGEST).result
    watched = kernel.watched(DIGEST)
    assert watched.ran.result == plain
    assert len(watched.traces) == 1


@pytest.mark.parametrize("error", ["ValueError('mine')", "KeyboardInterrupt()", "SystemExit(3)"])
def test_a_forward_pass_that_raises_is_a_problem_and_nothing_is_left(
    kernel: Kernel, error: str
) -> None:
    plain = kernel.run(DIGEST).result
    kernel.watched(CALL, cell="broken")
    code = f"""
_layer = model.encoder.layer[2]
_old = _layer.forward
def _fail(*args, **kwargs):
    raise {error}
_layer.forward = _fail
try:
    model(**inputs)
finally:
    del _layer.forward
"""
    watched = kernel.watched(code, cell="broken")
    assert watched.ran.reply["status"] == "error"
    assert watched.ran.reply["ename"] == error.split("(")[0]
    assert not watched.traces
    (problem,) = watched.problems
    assert problem["cell"] == "broken"
    assert "BertModel" in problem["title"]
    state = kernel.ask("state")[0]
    assert "broken" in [trace["cell"] for trace in state["traces"]]
    assert kernel.run(LEFT + "_left()").result == "[]"
    assert kernel.run(DIGEST).result == plain


def test_an_interrupt_inside_the_forward_pass_leaves_nothing(kernel: Kernel) -> None:
    plain = kernel.run(DIGEST).result
    code = """
import time
_layer = model.encoder.layer[2]
_old = _layer.forward
def _slow(*args, **kwargs):
    print("inside", flush=True)
    time.sleep(30)
    return _old(*args, **kwargs)
_layer.forward = _slow
try:
    model(**inputs)
finally:
    del _layer.forward
"""
    since = kernel.revision
    id_ = kernel.begin(code, ["attention"], "stopped")
    kernel.wait(
        lambda: any(
            "inside" in str(m["content"])
            and m["parent_header"].get("msg_id") == id_
            and m["msg_type"] == "stream"
            for m in kernel.iopub
        )
    )
    kernel.manager.interrupt_kernel()
    ran = kernel.finish(id_)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    kernel.wait(lambda: any(push["running"] is None for push in kernel.pushes(since)))
    (problem,) = [push["problem"] for push in kernel.pushes(since) if "problem" in push]
    assert "interrupted" in problem["cause"]
    assert kernel.run(LEFT + "_left()").result == "[]"
    assert kernel.run(DIGEST).result == plain
    assert len(kernel.watched(CALL).traces) == 1


def test_while_a_cell_sleeps_requests_are_answered(kernel: Kernel) -> None:
    since = kernel.revision
    id_ = kernel.begin(f"import time\n{CALL}\ntime.sleep(4)", ["attention"], "sleeper")
    kernel.wait(lambda: any("trace" in push for push in kernel.pushes(since)))
    (trace,) = [push["trace"] for push in kernel.pushes(since) if "trace" in push]
    began = time.monotonic()
    for head in range(5):
        kernel.ask("trace/head", {"trace": trace["id"], "item": 0, "site": 0, "head": head})
    assert kernel.ask("state")[0]["running"] == "sleeper"
    kernel.attach("a page that is opened now")
    assert time.monotonic() - began < 2.0
    assert not any(_idle_of(message, id_) for message in kernel.iopub)
    assert kernel.finish(id_).reply["status"] == "ok"


def test_a_cells_output_does_not_change_while_requests_are_answered(kernel: Kernel) -> None:
    code = f"import time\n{CALL}\nfor _n in range(20):\n    print(_n, flush=True); time.sleep(0.05)"
    since = kernel.revision
    id_ = kernel.begin(code, ["attention"], "printer")
    for _ in range(8):
        kernel.ask("state")
    ran = kernel.finish(id_)
    assert ran.text == "".join(f"{n}\n" for n in range(20))
    kernel.wait(lambda: any(push["running"] is None for push in kernel.pushes(since)))
    # Requests were handled in between, each with a parent message of its own.
    assert {push["parent"] for push in kernel.pushes(since)} == {id_}


def test_pushes_belong_to_the_request_that_ran_the_cell(kernel: Kernel) -> None:
    watched = kernel.watched(CALL)
    assert {push["parent"] for push in watched.pushes} == {watched.ran.id}
    before = watched.ran.id
    again = kernel.watched(CALL)
    assert {push["parent"] for push in again.pushes} == {again.ran.id} != {before}


def test_each_outermost_call_is_a_separate_trace(kernel: Kernel) -> None:
    watched = kernel.watched(
        "for _text in ('one', 'two words', 'three small words'):\n"
        "    model(**tokenizer(_text, return_tensors='pt'))"
    )
    assert [trace["sequences"][0]["text"] for trace in watched.traces] == [
        "one",
        "two words",
        "three small words",
    ]
    assert [trace["call"] for trace in watched.traces] == [0, 1, 2]
    state = kernel.ask("state")[0]
    found = [trace for trace in state["traces"] if trace["cell"] == "abc"]
    assert [trace["calls"] for trace in found] == [3, 3, 3]
    drawn = [push for push in watched.pushes if push["payloads"]]
    assert drawn[-1]["trace"]["call"] == 2


def test_a_rerun_replaces_the_cells_traces_and_two_cells_stand_side_by_side(
    kernel: Kernel,
) -> None:
    kernel.watched(f"{CALL}\n{CALL}", cell="one")
    other = kernel.watched(CALL, cell="two")
    rerun = kernel.watched(CALL, cell="one")
    held = kernel.ask("state")[0]["traces"]
    assert [trace["id"] for trace in held if trace["cell"] == "one"] == [rerun.traces[0]["id"]]
    assert [trace["id"] for trace in held if trace["cell"] == "two"] == [other.traces[0]["id"]]
    assert held[-1]["cell"] == "one"


def test_a_page_that_follows_the_pushes_knows_the_kernels_traces(kernel: Kernel) -> None:
    panel = kernel.attach("follower")
    since = panel.revision
    kernel.watched(CALL, cell="one")
    kernel.watched("model(1)", cell="two")
    kernel.watched(CALL, cell="two")
    for push in kernel.pushes(since):
        assert not panel.push(push, push["buffers"])
    held = Panel()
    held.load(kernel.ask("state")[0])
    assert (panel.revision, panel.traces, panel.problems) == (
        held.revision,
        held.traces,
        held.problems,
    )


def test_a_trace_has_the_number_of_its_cells_prompt(kernel: Kernel) -> None:
    watched = kernel.watched(CALL)
    assert watched.traces[0]["execution"] == watched.ran.reply["execution_count"]


def test_tracebacks_of_user_code_show_no_frames_of_attnlab(kernel: Kernel) -> None:
    watched = kernel.watched("model(input_ids=torch.tensor([[10**9]]))")
    shown = "\n".join(watched.ran.reply["traceback"])
    assert "modeling_bert.py" in shown
    assert "attnlab" not in shown


CALLS_NONE = "import torch\ntorch.nn.Linear(2, 2)(torch.ones(2)).shape"


def test_a_tagged_cell_without_a_model_call_reports_what_it_called(kernel: Kernel) -> None:
    watched = kernel.watched(CALLS_NONE, cell="calls none")
    assert watched.ran.reply["status"] == "ok"
    [problem] = watched.problems
    count = watched.ran.reply["execution_count"]
    assert problem["title"] == f"Cell [{count}] ran: no attention was found"
    assert "called Linear, which ran no attention" in problem["cause"]
    [problem] = kernel.watched("import math", cell="imports only").problems
    assert problem["title"] == f"Cell [{count + 1}] ran: no model call was found"
    assert problem["cause"] == "The cell called no torch module."
    [problem] = kernel.watched("no_such_name", cell="raises").problems
    assert problem["cause"] == "The cell ended with NameError before it called a model."


def test_a_cell_that_no_longer_calls_a_model_marks_its_older_trace(kernel: Kernel) -> None:
    kernel.watched(CALL, cell="calls no more")
    [problem] = kernel.watched(CALLS_NONE, cell="calls no more").problems
    assert "ran: no attention was found" in problem["title"]


def test_watch_shows_a_model_in_every_cell_until_unwatch(kernel: Kernel) -> None:
    kernel.run("import attnlab\nattnlab.watch(model, tokenizer)")
    try:
        watched = kernel.watched(
            f"{CALL}\n_eager(**inputs) if '_eager' in globals() else 0", tags=[]
        )
        assert [trace["model"] for trace in watched.traces] == ["BertModel"]
        both = kernel.watched(CALL)
        assert len(both.traces) == 1
    finally:
        kernel.run("attnlab.unwatch(model)")
    count = len(kernel.messages())
    kernel.run(CALL)
    assert len(kernel.messages()) == count
    assert "is not watched" in kernel.run("attnlab.unwatch(model)").reply["evalue"]
    assert "not the class" in kernel.run("attnlab.watch(type(model))").reply["evalue"]


def test_a_watched_model_can_be_unwatched(kernel: Kernel) -> None:
    ran = kernel.run(
        "import attnlab, gc, weakref, torch\n"
        "_m = torch.nn.Linear(2, 2)\nattnlab.watch(_m)\n_r = weakref.ref(_m)\n"
        "del _m\ngc.collect()\n_r() is None"
    )
    assert ran.result == "True"


def test_a_cell_that_runs_code_as_cells_is_one_run(kernel: Kernel) -> None:
    watched = kernel.watched(f"get_ipython().run_cell({CALL!r})\n{CALL}")
    assert [trace["call"] for trace in watched.traces] == [0, 1]
    assert [push["running"] for push in watched.pushes].count(None) == 1


def test_hostile_text_arrives_unchanged(kernel: Kernel) -> None:
    text = "<img src=x onerror=alert(1)></script>\u202e\U0001f468\u200d\U0001f469\x00 NaN"
    watched = kernel.watched(f"model(**tokenizer({text!r}, return_tensors='pt'))")
    (trace,) = watched.traces
    (sequence,) = trace["sequences"]
    assert sequence["text"] == text
    assert all("\x00" not in token["text"] for token in sequence["tokens"])


def test_the_widgets_state_stays_small_and_contains_no_attention(kernel: Kernel) -> None:
    kernel.watched(CALL)
    size = "len(__import__('json').dumps(attnlab.widget.started().hub.get_state()))"
    kernel.run("import attnlab.widget")
    first = kernel.value(size)
    for _ in range(5):
        kernel.watched(CALL)
    assert kernel.value(size) - first <= 2  # Digits of the revision.
    assert first < 5_000


def _idle_of(message: dict[str, Any], id_: str) -> bool:
    return bool(
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == id_
        and message["content"]["execution_state"] == "idle"
    )


def test_every_item_of_a_batch_is_exact_and_its_padding_is_marked(kernel: Kernel) -> None:
    kernel.attach(size=4, focus={"site": 2, "head": 5}, item=1)
    watched = kernel.watched(
        "inputs = tokenizer(['The cat sat on the mat', 'A dog'], padding=True,\n"
        "                   return_tensors='pt')\nmodel(**inputs)"
    )
    (trace,) = watched.traces
    assert trace["items"] == 2
    (item,) = watched.pushes[1]["items"]
    (sequence,) = item["sequences"]
    words = [token["text"] for token in sequence["tokens"] if not token["padding"]]
    assert words == ["[CLS]", "a", "dog", "[SEP]"]
    assert len(sequence["tokens"]) == len(trace["sequences"][0]["tokens"])
    assert kernel.ask("trace/item", {"trace": trace["id"], "item": 1})[0] == item
    push = watched.pushes[1]
    head = numbers(push["payloads"][1], push["buffers"])
    np.testing.assert_allclose(head[:4], eager(kernel, item=1)[2, 5, :4], atol=1e-5)
    assert not head[:4, 4:].any()
