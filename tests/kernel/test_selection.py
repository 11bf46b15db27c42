"""`attnlab.selection` in a real kernel, with a panel that speaks over the wire."""

from __future__ import annotations

from typing import Any

from tests.kernel.conftest import Kernel

SELECTED: dict[str, Any] = {
    "item": 0,
    "site": 3,
    "head": 7,
    "heads": [7],
    "query": None,
    "key": None,
    "dimension": None,
    "pairs": "all",
}


def tell(kernel: Kernel, page: str = "page", **parts: Any) -> None:
    """A panel tells what is selected in it, and the kernel has heard it."""
    params = {"panel": "p", "selection": {**SELECTED, **parts}}
    kernel.send({"jsonrpc": "2.0", "method": "selection/didChange", "params": params}, page)
    kernel.ask("state", page=page)


def asked(kernel: Kernel) -> list[tuple[str, dict[str, Any]]]:
    """Which page was asked to select what."""
    contents = (message["content"]["data"]["content"] for message in kernel.messages())
    return [
        (content["to"], content["rpc"]["params"])
        for content in contents
        if content["rpc"].get("method") == "selection/set"
    ]


def shown(kernel: Kernel, page: str = "page") -> None:
    """Attach a page that shows a trace of eight tokens, and tell its selection."""
    kernel.attach(page)
    kernel.watched("inputs = tokenizer('The cat sat on the mat', return_tensors='pt')\n"
                   "import attnlab\nout = model(**inputs)")  # fmt: skip
    tell(kernel, page)


def test_a_panels_selection_is_read_in_a_cell(kernel: Kernel) -> None:
    shown(kernel)
    assert kernel.run("attnlab.selection").result == "Selection(layer=3, head=7)"
    tell(kernel, query=8 - 1, key=2, heads=[0, 7])
    assert kernel.run("attnlab.selection").result == (
        "Selection(layer=3, head=7, heads=[0, 7], query=7, key=2)"
    )
    weight = "attnlab.current().weights(attnlab.selection.layer, attnlab.selection.head).shape"
    assert kernel.value(weight) == (8, 8)


def test_an_assignment_is_requested_only_from_the_panels_page(kernel: Kernel) -> None:
    shown(kernel, "first")
    shown(kernel, "second")
    before = len(asked(kernel))
    ran = kernel.run("attnlab.selection.query = 5\nattnlab.selection.head = 2")
    assert ran.reply["status"] == "ok", ran.reply
    kernel.wait(lambda: len(asked(kernel)) >= before + 2)
    want = [{**SELECTED, "query": 5}, {**SELECTED, "query": 5, "head": 2, "heads": [2]}]
    assert asked(kernel)[before:] == [
        ("second", {"panel": "p", "selection": selected}) for selected in want
    ]


def test_a_cell_can_select_in_a_trace_that_it_created(kernel: Kernel) -> None:
    shown(kernel)
    before = len(asked(kernel))
    longer = "inputs = tokenizer('The cat sat on the mat and slept', return_tensors='pt')\n"
    code = f"{longer}out = model(**inputs)\nattnlab.selection.query = 9"
    watched = kernel.watched(code)
    assert watched.ran.reply["status"] == "ok", watched.ran.reply
    assert [params["selection"]["query"] for _, params in asked(kernel)[before:]] == [9]


def test_an_observer_is_called_while_a_cell_runs(kernel: Kernel) -> None:
    shown(kernel)
    waits = (
        "import threading\nheard, seen = threading.Event(), []\n"
        "def hear(change):\n    seen.append((change.name, change.new))\n    heard.set()\n"
        "attnlab.selection.observe(hear, names='query')\n"
        "print('ready', flush=True)\nassert heard.wait(30)"
    )
    id_ = kernel.begin(waits)
    kernel.wait(lambda: [m for m in kernel.iopub if m["content"].get("text") == "ready\n"])
    tell(kernel, query=4)
    ran = kernel.finish(id_)
    assert ran.reply["status"] == "ok", ran.reply
    assert kernel.value("seen") == [("query", 4)]
    kernel.run("attnlab.selection.unobserve(hear, names='query')")


def test_an_observer_that_raises_disturbs_no_panel(kernel: Kernel) -> None:
    shown(kernel)
    kernel.run("def broken(change):\n    1 / 0\nattnlab.selection.observe(broken, names='query')")
    tell(kernel, query=6)
    assert kernel.value("attnlab.selection.query") == 6
    kernel.run("attnlab.selection.unobserve(broken, names='query')")


def test_an_invalid_index_is_refused_in_the_cell(kernel: Kernel) -> None:
    shown(kernel)
    before = len(asked(kernel))
    ran = kernel.run("attnlab.selection.head = 12")
    assert ran.reply["ename"] == "NoSuchHeadError"
    assert "only heads 0 to 11" in ran.reply["evalue"]
    assert len(asked(kernel)) == before


def test_without_a_panel_the_repr_is_empty_and_setting_explains(fresh: Kernel) -> None:
    ran = fresh.run("import attnlab\nattnlab.selection")
    assert ran.result == "Selection(no panel shows attention)"
    assert fresh.run("attnlab.selection.head = 1").reply["ename"] == "RuntimeError"
