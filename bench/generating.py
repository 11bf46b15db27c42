"""Measures the cost of recording ``generate`` step by step, relative to the plain call.

Plain and recorded calls alternate, and each round gives one ratio. The time is that of the whole
call, including the combination of the steps into one trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
import transformers

from attnlab.capture.watch import observing
from tests import smollm

NEW = (16, 64, 256)
"""Numbers of generated tokens."""
ROUNDS = 7


def measure() -> Iterator[str]:
    """Measure the cost for a few numbers of tokens."""
    model = transformers.AutoModelForCausalLM.from_pretrained(smollm.folder()).eval()
    model.generation_config.eos_token_id = None  # All tokens are generated.
    threads = torch.get_num_threads()
    yield f"SmolLM2-135M, greedy, a prompt of 16 tokens, {threads} threads; the goal is 1.05."
    yield ""
    yield "| generated tokens | plain, per token | recorded ÷ plain |"
    yield "|---|---|---|"
    for count in NEW:
        plain, ratio = compare(model, count)
        yield f"| {count} | {1000 * plain / count:.1f} ms | {ratio:.2f} |"


def compare(model: Any, count: int) -> tuple[float, float]:
    """Return the median time of the plain call in seconds, and the median of the ratios."""
    ids = torch.randint(5, 1000, (1, 16), generator=torch.Generator().manual_seed(0))

    def plain() -> None:
        options = {"max_new_tokens": count, "do_sample": False}
        with torch.no_grad():
            model.generate(ids, **options)

    def recorded() -> None:
        with observing(lambda _: None, {}):
            plain()

    plain()
    recorded()  # detects how the model is captured
    times = [(timed(plain), timed(recorded)) for _ in range(ROUNDS)]
    return median(one for one, _ in times), median(two / one for one, two in times)


def timed(call: Callable[[], None]) -> float:
    """Return the processor time of a call in seconds."""
    began = time.process_time()
    call()
    return time.process_time() - began
