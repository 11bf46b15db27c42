"""The replacements of library functions are invisible, and can be restored in any order."""

from __future__ import annotations

import inspect
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.generation.utils import GenerationMixin
from transformers.modeling_utils import AttentionInterface
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from tests.unit.capture.test_tokens import wordpiece
from tests.unit.outcomes import Outcome
from tests.unit.tiny_models import bert, ids, llama

PLACES: dict[str, tuple[type, str]] = {
    "module": (torch.nn.Module, "__call__"),
    "generate": (GenerationMixin, "generate"),
    "tokenizer": (PreTrainedTokenizerBase, "__call__"),
    "encode": (PreTrainedTokenizerBase, "encode"),
    "template": (PreTrainedTokenizerBase, "apply_chat_template"),
    "interface": (AttentionInterface, "get_interface"),
    "thread": (threading.Thread, "start"),
    "future": (Future, "__init__"),
}
GENUINE = {place: vars(owner)[name] for place, (owner, name) in PLACES.items()}
CODES = {place: value.__code__ for place, value in GENUINE.items()}
HELD = {place: dict(vars(value)) for place, value in GENUINE.items()}


def seen(function: Any) -> list[Any]:
    """Return what `inspect` finds about a function."""
    return [
        inspect.signature(function),
        inspect.getsource(function),
        inspect.getfullargspec(function),
        inspect.getdoc(function),
        function.__name__,
        function.__qualname__,
        function.__module__,
        function.__defaults__,
        function.__annotations__,
    ]


@pytest.mark.parametrize("place", PLACES)
def test_a_replaced_function_looks_like_the_original(place: str) -> None:
    owner, name = PLACES[place]
    expected = seen(GENUINE[place])
    with observing(lambda _: None, {}):
        assert seen(getattr(owner, name)) == expected
        if place != "interface":
            assert vars(owner)[name] is GENUINE[place]
            assert pickle.loads(pickle.dumps(getattr(owner, name))) is GENUINE[place]


@pytest.mark.parametrize("place", ["module", "generate", "tokenizer"])
def test_wrong_arguments_raise_the_same_message(place: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "module": lambda: bert().model()(color="red"),
        "generate": lambda: llama().model().generate(ids(1, 3), color="red"),
        "tokenizer": lambda: wordpiece()(),
    }
    with pytest.raises((TypeError, ValueError)) as plain:
        calls[place]()
    with observing(lambda _: None, {}), pytest.raises(plain.type) as watched:
        calls[place]()
    assert str(watched.value) == str(plain.value)


@pytest.mark.parametrize("wrappers", [1, 2])
def test_a_lookup_that_the_notebook_wraps_in_a_block_works_in_the_next_ones(wrappers: int) -> None:
    """What it has replaced in a block stays, and calls what was there in the block."""
    model = bert().model()

    def wrapped(replaced: Any) -> Any:
        return lambda *args, **kwargs: replaced(*args, **kwargs)

    try:
        for _ in range(wrappers):
            with observing(lambda _: None, {}):
                replaced = wrapped(vars(AttentionInterface)["get_interface"])
                AttentionInterface.get_interface = replaced  # type: ignore[method-assign]
        for _ in range(2):
            outcomes: list[Any] = []
            with observing(outcomes.append, {}):
                model(ids(1, 4))
            (call,) = outcomes
            assert isinstance(call, RecordedCall)
            assert [record.method for record in call.records] == ["interface"] * len(call.records)
            assert len(call.records) == model.config.num_hidden_layers
    finally:
        AttentionInterface.get_interface = GENUINE["interface"]  # type: ignore[method-assign]
    with observing(outcomes.append, {}):
        model(ids(1, 4))
    assert len(outcomes) == 2


class Functions(TorchFunctionMode):
    """A function mode of the user that notes what is called."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.log.append(str(getattr(func, "__name__", func)))
        return func(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    """The same for operations."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.log.append(str(func))
        return func(*args, **(kwargs or {}))


def encoder() -> Any:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()


CALLS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "plain": (lambda: bert().model(), lambda value: value(ids(1, 4))),
    "tap": (
        lambda: torch.nn.MultiheadAttention(12, 2),
        lambda value: value(*[torch.ones(3, 12)] * 3),
    ),
    "fused": (encoder, lambda value: value(torch.ones(1, 4, 12))),
    "generate": (
        lambda: llama().model(),
        lambda value: value.generate(ids(1, 3), max_new_tokens=2),
    ),
}


@pytest.mark.parametrize("mode", [Functions, Operations])
@pytest.mark.parametrize("around", [True, False], ids=["around the block", "in the block"])
@pytest.mark.parametrize("name", CALLS)
def test_the_users_modes_see_the_same_operations(name: str, around: bool, mode: Any) -> None:
    make, call = CALLS[name]
    logs: list[list[str]] = []
    with torch.no_grad():
        for watched in (False, False, True):
            model = make().eval()
            log: list[str] = []
            outcomes: list[Outcome] = []
            block = observing(outcomes.append, {})
            with ExitStack() as stack:
                for context in (mode(log), block) if around else (block, mode(log)):
                    if context is not block or watched:
                        stack.enter_context(context)
                call(model)
            logs.append(log)
            assert bool(outcomes) is watched
    assert logs[1]
    assert logs[2] == logs[1]


class Backend:
    """Compiles nothing; counts what it was asked to compile."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, _: Any) -> Any:
        self.graphs += 1
        return graph.forward


@pytest.mark.parametrize("first", ["plain", "watched", "compiled in a block"])
@pytest.mark.parametrize("make", [lambda: llama().model(), lambda: torch.nn.Linear(4, 4)])
def test_a_model_is_compiled_once_whether_watched_or_not(make: Any, first: str) -> None:
    torch._dynamo.reset()
    backend, model = Backend(), make()
    given = torch.ones(1, 4) if isinstance(model, torch.nn.Linear) else ids(1, 4)
    block = observing(lambda _: None, {})
    with torch.no_grad():
        if first == "compiled in a block":
            with block:
                compiled = torch.compile(model, backend=backend)
                compiled(given)
        else:
            compiled = torch.compile(model, backend=backend)
            with block if first == "watched" else ExitStack():
                compiled(given)
        graphs = backend.graphs
        compiled(given)
        with observing(lambda _: None, {}):
            compiled(given)
        compiled(given)
    assert backend.graphs == graphs > 0
    torch._dynamo.reset()


def test_a_function_saved_in_a_block_and_restored_after_it_is_the_original() -> None:
    outcomes: list[Any] = []
    model = bert().model()
    with observing(outcomes.append, {}):
        saved = torch.nn.Module.__call__
        torch.nn.Module.__call__ = lambda value, *args, **kwargs: saved(value, *args, **kwargs)  # type: ignore[method-assign]
        model(ids(1, 4))
    torch.nn.Module.__call__ = saved  # type: ignore[method-assign]
    assert vars(torch.nn.Module)["__call__"] is GENUINE["module"]
    assert GENUINE["module"].__code__ is CODES["module"]
    model(ids(1, 4))
    assert [type(entry) for entry in outcomes] == [RecordedCall]


class Orders(RuleBasedStateMachine):
    """Blocks that open and close, and a notebook that saves, replaces and restores."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[Any, list[Any]]] = []
        self.saved: dict[str, list[Any]] = {place: [] for place in PLACES}
        self.mine: dict[str, Any] = {}
        """The attributes that the notebook has set, by place; none for the library's functions."""
        self.model = bert().model()
        self.tokenizer = wordpiece()

    @rule()
    def opens(self) -> None:
        if len(self.blocks) < 3:
            outcomes: list[Any] = []
            block = observing(outcomes.append, {})
            block.__enter__()
            self.blocks.append((block, outcomes))

    @rule(which=st.integers(0, 2))
    def closes(self, which: int) -> None:
        if which < len(self.blocks):
            self.blocks.pop(which)[0].__exit__(None, None, None)

    @rule(place=st.sampled_from(list(PLACES)))
    def saves(self, place: str) -> None:
        owner, name = PLACES[place]
        self.saved[place].append((vars(owner)[name], self.mine.get(place)))

    @rule(place=st.sampled_from(["module", "generate", "tokenizer", "interface"]))
    def replaces(self, place: str) -> None:
        owner, name = PLACES[place]
        before = vars(owner)[name]

        def mine(*args: Any, **kwargs: Any) -> Any:
            return before(*args, **kwargs)

        setattr(owner, name, mine)
        self.mine[place] = mine

    @rule(place=st.sampled_from(list(PLACES)), which=st.integers(0, 5))
    def restores(self, place: str, which: int) -> None:
        if which < len(self.saved[place]):
            owner, name = PLACES[place]
            function, self.mine[place] = self.saved[place][which]
            setattr(owner, name, function)

    @rule()
    def calls(self) -> None:
        before = [len(reported) for _, reported in self.blocks]
        encoded = self.tokenizer("the cat")["input_ids"]
        assert self.model(ids(1, 4))[0].shape[:2] == (1, 4)
        assert self.tokenizer("the cat")["input_ids"] == encoded
        counts = [
            len(reported) - count for (_, reported), count in zip(self.blocks, before, strict=True)
        ]
        assert all(count <= 1 for count in counts)

    @invariant()
    def leaves_nothing(self) -> None:
        if self.blocks:
            return
        for place, (owner, name) in PLACES.items():
            genuine = GENUINE[place]
            assert genuine.__code__ is CODES[place]
            assert vars(genuine) == HELD[place]
            mine = self.mine.get(place)
            # Other code may restore our replacement, which is removed with the next block.
            if place != "interface":
                assert vars(owner)[name] is (genuine if mine is None else mine)

    def teardown(self) -> None:
        while self.blocks:
            self.closes(0)
        self.leaves_nothing()
        for place, (owner, name) in PLACES.items():
            setattr(owner, name, GENUINE[place])
        with observing(lambda _: None, {}):
            pass
        for place, (owner, name) in PLACES.items():
            assert vars(owner)[name] is GENUINE[place]


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
