"""What Python hands out in a notebook's kernel."""

from __future__ import annotations

from tests.kernel.conftest import Kernel

SHOWN = "attnlab.current().sequences[0].items[0].text"


def test_current_without_a_trace_explains_what_to_do(fresh: Kernel) -> None:
    ran = fresh.run("import attnlab\nattnlab.current()")
    assert ran.reply["ename"] == "RuntimeError"
    assert "tag a cell" in ran.reply["evalue"]


def test_the_current_trace_is_the_newest_of_the_panel(kernel: Kernel) -> None:
    call = "inputs = tokenizer({!r}, return_tensors='pt')\nout = model(**inputs)"
    first = kernel.begin(call.format("The first"), ["attention"], "abc")
    # Queued behind the watched cell, so that it runs at once after it.
    second = kernel.begin(f"import attnlab\n{SHOWN}")
    kernel.finish(first)
    assert kernel.finish(second).result == "'The first'"
    inside = kernel.run(f"{call.format('The second')}\n{SHOWN}", ["attention"], "def")
    assert inside.result == "'The second'"
    assert kernel.value("attnlab.current().heads().shape") == (72, 18)


def test_a_block_records_beside_a_tagged_cell(kernel: Kernel) -> None:
    code = "import attnlab\nwith attnlab.record(model) as trace:\n    out = model(**inputs)"
    watched = kernel.watched(code)
    assert len(watched.traces) == 1
    assert kernel.value("trace.weights(3, 7).shape") == tuple(
        [watched.traces[0]["sites"][0]["queries"]] * 2
    )
