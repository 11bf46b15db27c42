"""A model that hangs for a typed text holds up neither cells nor later edits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attnlab.server.messages import ErrorCode
from tests.kernel.conftest import LOAD, Kernel

HANGING = """
import threading
hanging, released, stuck = threading.Event(), threading.Event(), []

def hang(text):
    if "spins" in text:
        turns = 0
        while not released.is_set():
            turns += 1
    elif "grabs" in text:  # What it catches cannot end it.
        while not released.is_set():
            try:
                turns = 0
                while not released.is_set():
                    turns += 1
            except BaseException:
                pass
    else:
        released.wait()

class Hanging(type(model)):
    def forward(self, input_ids, **kwargs):
        text = tokenizer.decode(input_ids[0])
        if "hangs" in text:
            stuck.append(threading.current_thread())
            hanging.set()
            hang(text)
        return super().forward(input_ids, **kwargs)

model.__class__ = Hanging
"""
OTHERS = "[own.name for own in threading.enumerate() if own.name == 'attnlab passes']"
ENDED = "[own.join(60) for own in stuck] and not any(own.is_alive() for own in stuck)"
KINDS = ("spins", "grabs", "waits")
CELLS = ("abc", "other")


@pytest.fixture(scope="module")
def loaded(minilm_path: Path) -> Iterator[Kernel]:
    it = Kernel()
    it.start()
    it.attach()
    for code in (LOAD.format(path=str(minilm_path)), HANGING):
        assert it.run(code).reply["status"] == "ok"
    yield it
    it.close()


@pytest.fixture
def kernel(loaded: Kernel) -> Iterator[Kernel]:
    """A kernel in which two tagged cells have run."""
    loaded.run("released.clear(); hanging.clear(); stuck.clear()")
    for cell in CELLS:
        ran = loaded.watched(code("The cat sat"), cell)
        assert ran.ran.reply["status"] == "ok", ran.ran.reply
    yield loaded
    loaded.run("released.set()")
    assert loaded.value(f"not stuck or ({ENDED})")


def code(text: str) -> str:
    return f'outputs = model(**tokenizer("{text}", return_tensors="pt"))'


def ask(kernel: Kernel, id_: str, method: str, params: dict[str, Any]) -> None:
    """Ask without waiting for the answer."""
    kernel.send({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def answer(kernel: Kernel, id_: str) -> dict[str, Any]:
    """Wait for the answer to it."""

    def answers() -> list[dict[str, Any]]:
        said = [message["content"]["data"]["content"]["rpc"] for message in kernel.messages()]
        return [message for message in said if message.get("id") == id_]

    found: list[dict[str, Any]] = kernel.wait(answers)
    assert len(found) == 1
    return found[0]


def change(text: str, cell: str = "abc") -> dict[str, Any]:
    changes = [{"text": code(text)}]
    return {"cell": cell, "base": 0, "version": 1, "changes": changes, "limit": 500}


def typed(kernel: Kernel, text: str, cell: str = "abc") -> dict[str, Any]:
    """Type a text, and wait for what comes of it."""
    result, _ = kernel.ask("textDocument/didChange", change(text, cell))
    return dict(result)


def hang(kernel: Kernel, kind: str, id_: str, cell: str = "abc") -> None:
    """Type a text for which the model hangs, and wait until it does."""
    kernel.run("hanging.clear()")
    ask(kernel, id_, "textDocument/didChange", change(f"The cat hangs and {kind}", cell))
    assert kernel.value("hanging.wait(60)")


def shown(kernel: Kernel) -> tuple[dict[str, str], set[str]]:
    """Return what a page would show: the text of each cell, and all traces."""
    state, _ = kernel.ask("state")
    texts = {source["cell"]: source["text"] for source in state["sources"]}
    return texts, {trace["id"] for trace in state["traces"]}


def codes(result: dict[str, Any]) -> list[str]:
    return [diagnostic["code"] for diagnostic in result["diagnostics"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_runs_while_the_pass_for_an_edit_hangs_and_its_result_is_dropped(
    kernel: Kernel, kind: str
) -> None:
    hang(kernel, kind, f"hangs.{kind}")

    assert kernel.run("1 + 1").result == "2"

    slow = answer(kernel, f"hangs.{kind}")["result"]
    assert codes(slow) == ["slow"]
    assert not slow["live"]
    assert "run the cell" in slow["diagnostics"][0]["message"]
    for cell in CELLS:
        assert typed(kernel, "The dog sat", cell)["live"]
    before = shown(kernel)
    assert before[0] == dict.fromkeys(CELLS, code("The dog sat"))
    kernel.run("released.set()")
    assert kernel.value(ENDED)
    assert shown(kernel) == before  # What came in the end is not shown.
    assert kernel.value(OTHERS) == ["attnlab passes"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_next_text_is_shown_while_an_earlier_one_hangs(
    kernel: Kernel, kind: str, cell: str
) -> None:
    hang(kernel, kind, f"next.{kind}.{cell}")
    assert typed(kernel, "The bird sat", cell)["live"]
    assert shown(kernel)[0][cell] == code("The bird sat")
    assert codes(answer(kernel, f"next.{kind}.{cell}")["result"]) == ["slow"]


def test_a_python_loop_is_stopped_when_its_pass_is_abandoned(kernel: Kernel) -> None:
    hang(kernel, "spins", "broken off")
    kernel.run("1 + 1")
    assert kernel.value(ENDED)
    assert not kernel.value("released.is_set()")


def test_a_cell_runs_while_the_pass_for_a_trial_text_hangs(kernel: Kernel) -> None:
    texts, traces = shown(kernel)
    params = {"trace": min(traces), "texts": ["The cat hangs and waits"], "limit": 500}
    ask(kernel, "tried", "trace/trial", params)
    assert kernel.value("hanging.wait(60)")
    assert kernel.run("1 + 1").result == "2"
    error = answer(kernel, "tried")["error"]
    assert error["code"] == ErrorCode.NOT_REPEATABLE
    assert "too long" in error["message"]
    kernel.run("released.set()")
    assert kernel.value(ENDED)
    assert shown(kernel) == (texts, traces)


def test_after_three_hanging_texts_others_wait_until_one_ends(kernel: Kernel) -> None:
    for number in range(3):
        hang(kernel, "waits", f"behind.{number}")
        kernel.run("1 + 1")
        assert codes(answer(kernel, f"behind.{number}")["result"]) == ["slow"]
    result = typed(kernel, "The dog sat", "other")
    assert codes(result) == ["slow"]
    assert "still run" in result["diagnostics"][0]["message"]
    assert kernel.run("2 + 2").result == "4"
    kernel.run("released.set()")
    assert kernel.value(ENDED)
    assert typed(kernel, "The dog sat", "other")["live"]
