"""After any error in attnlab, the cell does what it does without it, and the reason is reported.

Every function of attnlab that a cell's thread enters fails once. The oracle is the same cell
without attnlab.
"""

from __future__ import annotations

import copy
import json
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn

from tests.unit import feeding
from tests.unit.injecting import BORDER, InjectedError, Step, failing, steps
from tests.unit.notebook import Notebook
from tests.unit.watching import leaves, same, world

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "sat", "on", "the", "mat"]


def _tokenizer() -> Any:
    backend = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]"
    )


SIZES: dict[str, Any] = {"vocab_size": 16, "hidden_size": 16, "intermediate_size": 16}
SIZES |= {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32}
ENDS: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}

TOKENIZER = _tokenizer()
ENCODER = feeding._made("BertForMaskedLM", transformers.BertConfig(**SIZES))
DECODER = feeding._made("LlamaForCausalLM", transformers.LlamaConfig(**SIZES, **ENDS))


class Attends(nn.Module):
    """Attention that the tap follows; in training mode, so that it takes no fast path."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(12, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]


class Fails(nn.Module):
    """A model whose forward raises an error after its attention."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Attends()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner(x)
        raise KeyError("of the user")


def fused() -> nn.Module:
    """An encoder each of whose layers PyTorch computes in one operation."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def compiled(inner: Any) -> Any:
    """Compile a model, and use the compiled model in the scenario."""
    return torch.compile(inner, backend="eager")


def filled() -> Any:
    """A cache whose tensors carry gradients."""
    cache = transformers.DynamicCache(config=DECODER.config)
    DECODER(torch.tensor([[5, 6]]), cache=cache, use_cache=True)
    return cache


def pipe() -> Any:
    """A pipeline."""
    model = copy.deepcopy(ENCODER)
    return transformers.pipeline("fill-mask", model=model, tokenizer=TOKENIZER, device="cpu")


def constant(value: Any) -> Callable[[], Any]:
    return lambda: value


@dataclass
class Scenario:
    """A cell and its global names, which are created for each run, except those in `kept`."""

    code: str
    names: dict[str, Callable[[], Any]] = field(default_factory=dict)
    kept: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def make(self) -> dict[str, Any]:
        for name, make in self.kept.items():
            if callable(make):
                cache = make()
                self.kept[name] = constant(cache) if isinstance(cache, nn.Module) else cache
        return {
            "__name__": "__main__",
            "torch": torch,
            "threading": threading,
            "ThreadPoolExecutor": ThreadPoolExecutor,
            "tok": TOKENIZER,
            **{name: make() for name, make in {**self.kept, **self.names}.items()},
        }


def encoder() -> Any:
    return copy.deepcopy(ENCODER)


def writer() -> Any:
    return copy.deepcopy(DECODER)


IDS = "torch.tensor([[5, 6, 7]])"

SCENARIOS = {
    "plain": Scenario(
        'out = model(**tok("a cat", return_tensors="pt")).logits', {"model": encoder}
    ),
    "without gradients": Scenario(
        'with torch.inference_mode():\n    out = model(**tok("a cat", return_tensors="pt")).logits',
        {"model": encoder},
    ),
    "tap": Scenario("out = model(torch.ones(1, 4, 12))", {"model": Attends}),
    "tap in inference mode": Scenario(
        "with torch.inference_mode():\n    out = model(torch.ones(1, 4, 12))", {"model": Attends}
    ),
    "compiled": Scenario(f"out = model({IDS}).logits", kept={"model": lambda: compiled(encoder())}),
    "compiled, a cache with gradients": Scenario(
        f"out = model({IDS}, cache=cache, use_cache=True).logits",
        {"cache": filled},
        {"model": lambda: compiled(writer())},
    ),
    "generate": Scenario(
        'out = model.generate(**tok("a cat", return_tensors="pt", return_token_type_ids=False),'
        " max_new_tokens=2)",
        {"model": writer},
    ),
    "beams": Scenario(
        f"out = model.generate({IDS}, max_new_tokens=2, num_beams=2)", {"model": writer}
    ),
    "tokenizer": Scenario('out = tok(["a cat"], return_tensors="pt")["input_ids"]'),
    "pipeline": Scenario('out = pipe("a [MASK] sat")[0]["score"]', {"pipe": pipe}),
    "an error": Scenario("out = None\nmodel(torch.ones(1, 4, 12))", {"model": Fails}),
    "thread": Scenario(
        "given = []\n"
        "def work():\n"
        f"    given.append(model({IDS}).logits)\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "thread.join()\n"
        "out = given[0]\n"
        "with ThreadPoolExecutor(1) as pool:\n"
        f"    more = pool.submit(model, {IDS}).result().logits",
        {"model": encoder},
    ),
    "fast path": Scenario(
        "with torch.no_grad():\n    out = model(torch.ones(1, 4, 12))", {"model": fused}
    ),
    "forward": Scenario(f"out = model.forward({IDS}).logits", {"model": encoder}),
    "nothing": Scenario("out = 1"),
    "another cell": Scenario("out = 1"),
}


@dataclass
class Outcome:
    """Return everything that a user can see of a cell."""

    result: Any
    error: str
    drawn: Any
    said: list[str]
    world: dict[str, Any]


def run(scenario: Scenario, cell: Callable[[str, dict[str, Any]], None]) -> Outcome:
    names = scenario.make()
    torch.manual_seed(3)
    random.seed(3)
    raised = ""
    lost: list[Any] = []
    hook, sys.unraisablehook = sys.unraisablehook, lost.append
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                cell(scenario.code, names)
            except (KeyError, KeyboardInterrupt) as error:
                raised = repr(error)
    finally:
        sys.unraisablehook = hook
    assert not lost
    drawn = (torch.get_rng_state(), random.getstate())
    texts = [f"{message.category.__name__}: {message.message}" for message in said]
    return Outcome(names.get("out"), raised, drawn, texts, world())


def plain(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, "<c>", "exec"), names)


class Watched(Notebook):
    """A notebook whose cells are watched, and whose events report no error."""

    def execute(self, code: str, names: dict[str, Any], tagged: bool = True) -> None:
        shell = self.shell
        shell.user_ns = names
        shell.execution_count += 1
        tags = ["attention"] if tagged else []
        shell.request(f"run-{shell.execution_count}", tags=tags, cellId="c")
        shell.cell_id, shell.raw_cell = "c", code
        shell.fire("pre_run_cell")
        try:
            plain(code, names)
        finally:
            shell.fire("post_run_cell")

    def messages(self) -> str:
        """Return everything that the panel shows."""
        self.session.settle()
        return json.dumps(self.session.state(lambda: False), default=str)


@pytest.fixture(scope="module")
def notebook() -> Iterator[Watched]:
    actual = Watched()
    yield actual
    actual.close()
    torch._dynamo.reset()


STRIDE = 1 if os.environ.get("EVERY_FAULT") else 8
"""An error is raised in every eighth function, different ones in each scenario, or in every one."""


def chosen(name: str, found: list[Step]) -> list[Step]:
    """Choose where to raise."""
    inside = [entry for entry in found if entry not in BORDER]
    return inside[list(SCENARIOS).index(name) % STRIDE :: STRIDE]


def watcher(name: str, notebook: Watched) -> Callable[[str, dict[str, Any]], None]:
    return lambda code, names: notebook.execute(code, names, tagged=name != "another cell")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_of_attnlab_reaches_the_panel_and_not_the_cell(
    name: str, notebook: Watched
) -> None:
    scenario, watched = SCENARIOS[name], watcher(name, notebook)
    run(scenario, plain)
    expected = run(scenario, plain)
    run(scenario, watched)
    astray: list[tuple[Step, str]] = []
    places = chosen(name, steps(lambda: run(scenario, watched)))
    for place in places:
        with failing(place, InjectedError("a fault")) as raised:
            try:
                agree(run(scenario, watched), expected)
            except Exception as error:  # noqa: BLE001 - whatever reaches the cell
                astray.append((place, f"{type(error).__name__}: {error}"[:300]))
        # Some functions are called only in the first runs, as their results are kept.
        if raised and "InjectedError: a fault" not in notebook.messages():
            astray.append((place, "no message"))
    assert astray == []
    # And the next cell is watched as usual.
    agree(run(scenario, notebook.execute), expected)
    assert "InjectedError" not in notebook.messages()


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_interrupt_inside_attnlab_is_raised_and_everything_is_restored(
    name: str, notebook: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    scenario, watched = SCENARIOS[name], watcher(name, notebook)
    run(scenario, plain)
    expected = run(scenario, plain)
    run(scenario, watched)
    astray: list[tuple[Step, str]] = []
    for place in chosen(name, steps(lambda: run(scenario, watched), everywhere=False)):
        with failing(place, KeyboardInterrupt(), everywhere=False) as raised:
            found = run(scenario, watched)
        if raised and found.error != "KeyboardInterrupt()":
            astray.append((place, f"it was lost: {found.error}"))
        for what, value in expected.world.items():
            if found.world[what] != value:
                astray.append((place, f"{what} are not as before"))
    assert astray == []
    agree(run(scenario, notebook.execute), expected)
    assert "interrupted" not in notebook.messages()
    # The next cell is followed wherever the one before was interrupted.
    assert "could not follow a cell" not in caplog.text


def agree(found: Outcome, expected: Outcome) -> None:
    """Check that the cell has done what it does without attnlab."""
    assert found.error == expected.error
    assert found.said == expected.said
    assert torch.equal(found.drawn[0], expected.drawn[0])
    assert found.drawn[1] == expected.drawn[1]
    if leaves(expected.result):
        same(found.result, expected.result)
    else:
        assert found.result == expected.result
    for name, value in expected.world.items():
        assert found.world[name] == value, name
