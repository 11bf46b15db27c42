"""What a real kernel holds for attnlab: within the budget, and nothing that the notebook deleted.

Python's cycle collector is off in the kernel, so that what goes, goes by reference counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import LOAD, Kernel

BUDGET = 24 << 20

SETUP = """
import gc
import weakref
import torch

WORDS = " ".join(["The cat sat on the mat"] * 60)
gone = {}

def live():
    held = {}
    for own in gc.get_objects():
        if issubclass(type(own), torch.Tensor):
            storage = own.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
    return sum(held.values())

def run():
    with torch.no_grad():
        model(**tokenizer(WORDS, truncation=True, return_tensors="pt"))

def traces():
    from attnlab import widget
    session = widget.started().endpoint.session
    session.settle()
    return [own.nbytes for own in session.traces]

run()
gc.collect()
gc.disable()
gc.freeze()
"""

CALL = (
    "with torch.no_grad():\n"
    '    result = model(**tokenizer({} + WORDS, truncation=True, return_tensors="pt"))'
)

COPIES = 1 << 20
"""Bytes of ids, masks and kept rows that documents and looked-at heads may take."""


@pytest.fixture(scope="module")
def kernel(minilm_path: Path) -> Iterator[Kernel]:
    it = Kernel(ATTNLAB_MEMORY=str(BUDGET))
    it.start()
    it.attach(focus={"site": 0, "head": 0}, query=0)
    for code in (LOAD.format(path=str(minilm_path)), SETUP):
        assert it.run(code).reply["status"] == "ok"
    yield it
    it.close()


def edit(kernel: Kernel, cell: str, version: int, text: str) -> dict[str, Any]:
    params = {"cell": cell, "base": 0, "version": version, "limit": 1024}
    result = kernel.ask("textDocument/didChange", {**params, "changes": [{"text": text}]})[0]
    assert isinstance(result, dict)
    return result


def test_reruns_and_edits_stay_within_the_budget(kernel: Kernel) -> None:
    for number in range(12):
        cell = f"cell-{number % 4}"
        kernel.watched("run()", cell)
        kernel.run("run()")
    code = CALL.format('"A dog."')
    for cell in ("cell-5", "cell-6"):
        kernel.watched(code, cell)
        for version in range(1, 4):
            assert edit(kernel, cell, version, CALL.format(f'"A {"big " * version}dog."'))["live"]
    kernel.watched(f"try:\n    model(1)\nexcept Exception:\n    pass\n{code}", "cell-7")
    held = kernel.value("traces()")
    assert sum(held) <= BUDGET + max(held)
    assert len(held) > 1
    assert kernel.value("live()") <= BUDGET + max(held) + COPIES


def test_a_deleted_model_is_freed_at_the_end_of_its_cell(kernel: Kernel) -> None:
    code = 'out = model(**tokenizer("The cat", return_tensors="pt"))'
    kernel.run("import attnlab\nattnlab.watch(model, tokenizer)")
    kernel.watched(code, "cell-1")
    assert edit(kernel, "cell-1", 1, code.replace("cat", "dog"))["live"]
    kernel.watched(code, "cell-2", tags=())
    kernel.run(
        "for name in ('model', 'tokenizer', 'out'):\n"
        "    gone[name] = weakref.ref(globals()[name])\n"
        "del model, tokenizer, out, inputs"
    )
    assert kernel.value("[name for name, own in gone.items() if own() is not None]") == []
    (said,) = edit(kernel, "cell-1", 2, code.replace("cat", "bird"))["diagnostics"]
    assert said["message"] == "The model is no longer in memory; run the cell."
