"""What threads and tasks of the user do beside passes that are not theirs is left as it is.

They draw random numbers, write to the model's attributes and buffers, and filter warnings,
while the model, which does the same in its own forward, is run for hundreds of typed texts and
for the second passes of ``generate()``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import LOAD, Kernel

SETUP = """
import asyncio
import logging
import random
import threading
import warnings
import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM

class Busy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert, self.passes, self.seen = model, 0, []
        self.register_buffer("steps", torch.zeros(8))

    def forward(self, **inputs):
        self.passes += 1
        self.seen.append(self.passes)
        self.steps += 1
        self.steps = self.steps.clone()
        torch.manual_seed(5), random.seed(5), numpy.random.seed(5)
        noise = torch.rand(1) + random.random() + numpy.random.rand()
        warnings.warn("said while it runs")
        return self.bert(**inputs)[0] + noise

busy = Busy().eval()
torch.manual_seed(0)
sizes = dict(hidden_size=32, intermediate_size=48, num_attention_heads=4)
writer = LlamaForCausalLM(LlamaConfig(vocab_size=30522, num_hidden_layers=2, **sizes)).eval()

draws = {"torch": [], "random": [], "numpy": []}
lost = []

def draw():
    draws["torch"].append(torch.rand(1, dtype=torch.float64).item())
    draws["random"].append(random.random())
    draws["numpy"].append(float(numpy.random.rand()))

def drawing():
    draw()
    yield

def attributes():
    number = len(draws["torch"])
    busy.noted, busy.bert.embeddings.noted, busy.passes = number, number, number
    yield
    if (busy.noted, busy.bert.embeddings.noted, busy.passes) != (number, number, number):
        lost.append("attribute")

def buffers():
    number = float(len(draws["torch"]))
    with torch.no_grad():
        busy.steps.fill_(number)
    yield
    if busy.steps.tolist() != 8 * [number]:
        lost.append("buffer")

def filters():
    number = len(draws["torch"])
    warnings.filterwarnings("ignore", message=f"number {number}")
    logging.getLogger("transformers").setLevel(20 + number % 3)
    yield
    if warnings.filters[0][1].pattern != f"number {number}":
        lost.append("filter")
    if logging.getLogger("transformers").level != 20 + number % 3:
        lost.append("level")
    del warnings.filters[0]

def turn():
    steps = [step() for step in (drawing, attributes, buffers, filters)]
    for step in steps:
        next(step)
    return steps

def work():
    while not halt.is_set():
        steps = turn()
        halt.wait(0.0003)
        for step in steps:
            next(step, None)

async def task():
    while not halt.is_set():
        draw()
        await asyncio.sleep(0.0005)

def begin():
    global halt, thread
    halt = threading.Event()
    thread = threading.Thread(target=work)
    torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
    thread.start()
"""

BEGIN = "begin(); running = asyncio.ensure_future(task())"

END = "halt.set(); thread.join(); await running"

EXPECTED = """
def expected(name):
    own = {
        "torch": lambda: torch.rand(1, dtype=torch.float64, generator=generator).item(),
        "random": random.Random(0).random,
        "numpy": numpy.random.RandomState(0).rand,
    }
    generator = torch.Generator().manual_seed(0)
    return sorted(float(own[name]()) for _ in draws[name])
"""

TYPED = 'with torch.no_grad(): result = busy(**tokenizer("{}", return_tensors="pt"))'

WRITTEN = (
    'ids = tokenizer("{}", return_tensors="pt").input_ids\n'
    "written = writer.generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=0)"
)

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "the", "dog", "ran", "in", "the", "park"]


@pytest.fixture(scope="module")
def loaded(minilm_path: Path) -> Iterator[Kernel]:
    it = Kernel()
    it.start()
    it.attach()
    assert it.run(LOAD.format(path=str(minilm_path))).reply["status"] == "ok"
    yield it
    it.close()


@pytest.fixture
def kernel(loaded: Kernel) -> Kernel:
    """A kernel whose models are new, and in which nothing was drawn yet."""
    for code in (SETUP, EXPECTED):
        assert loaded.run(code).reply["status"] == "ok"
    return loaded


def undisturbed(kernel: Kernel) -> None:
    """Nothing was taken back, and each number of each generator was drawn exactly once."""
    assert kernel.run(END).reply["status"] == "ok"
    assert kernel.value("lost[:5]") == []
    for name in ("torch", "random", "numpy"):
        assert kernel.value(f"len(draws[{name!r}])") > 100
        assert kernel.value(f"sorted(draws[{name!r}]) == expected({name!r})"), name


def edit(kernel: Kernel, version: int, text: str) -> dict[str, Any]:
    params = {"cell": "abc", "base": 0, "version": version, "limit": 1024}
    changes = [{"text": TYPED.format(text)}]
    result = kernel.ask("textDocument/didChange", {**params, "changes": changes})[0]
    assert isinstance(result, dict)
    return result


def test_typing_does_not_affect_other_threads(kernel: Kernel) -> None:
    assert kernel.watched(TYPED.format("the cat")).traces
    assert kernel.run(BEGIN).reply["status"] == "ok"
    for version in range(1, 301):
        text = " ".join(WORDS[(version * step) % len(WORDS)] for step in range(1, 9))
        result = edit(kernel, version, text)
        assert result["live"], result
    undisturbed(kernel)


def test_second_passes_do_not_affect_other_threads(kernel: Kernel) -> None:
    assert kernel.watched(WRITTEN.format("the cat")).traces
    assert kernel.run(BEGIN).reply["status"] == "ok"
    for number in range(40):
        text = WRITTEN.format(f"the cat {WORDS[number % len(WORDS)]}")
        # On a loaded machine the call is also shown while it runs.
        *so_far, trace = kernel.watched(text).traces
        assert all(shown.get("running") for shown in so_far)
        assert not trace.get("running")
        assert trace["generated"]
    undisturbed(kernel)
