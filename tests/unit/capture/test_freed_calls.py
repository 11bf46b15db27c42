"""The memory of a recording is freed by reference counting alone, without the cycle collector.

Each test makes the same calls with and without attnlab while Python's cycle collector is off. As
many tensors must be alive afterwards; what the user's own objects keep is the same in both.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import pytest
import torch
import transformers

import attnlab
from attnlab.capture.passes.call_recording import StoppedPass
from attnlab.capture.reading import interface
from attnlab.capture.reading.text_scopes import TextScopes
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.tap.mode import Tap
from attnlab.capture.watch import observing
from tests.unit.capture.test_calls_batches import bloom
from tests.unit.tiny_models import VOCABULARY, _small, ids, llama, t5

WRITTEN = {"max_new_tokens": 3, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}

Watched = Callable[[], AbstractContextManager[Any]]
Use = Callable[[Any, Watched], Any]


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no cycles in a block, and have `gc` track only objects created in it."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


def live() -> int:
    """Count the tensors created since cycles are not collected that are alive."""
    return sum(issubclass(type(candidate), torch.Tensor) for candidate in gc.get_objects())


class Raises(torch.nn.Module):
    """A model whose forward pass fails after its attention was computed."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.inner, self.error = llama().model(), error

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.inner(*args, **kwargs)
        raise self.error


class Keeps(torch.nn.Module):
    """A model that keeps an exception that it has handled, and an attention function."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.failing = llama().model(), Raises(ValueError)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        functions = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS
        self.function = functions.get_interface("sdpa", lambda *_: None)
        try:
            self.failing(*args, **kwargs)
        except ValueError as error:
            self.kept = error
        return self.inner(*args, **kwargs)


def compiled() -> Any:
    return torch.compile(llama().model(), backend="eager")


def encoder() -> Any:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 2).eval()


def mamba() -> Any:
    config = transformers.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, state_size=4
    )
    return transformers.MambaModel(config).eval()


def longformer() -> Any:
    sizes = _small(attention_window=4, pad_token_id=0)
    return transformers.LongformerModel(transformers.LongformerConfig(**sizes)).eval()


def writer() -> Any:
    model = t5().model()
    model.generation_config.decoder_start_token_id = 0
    return model


def called(model: Any, watched: Watched) -> None:
    with watched():
        model(ids(1, 9))


def differentiated(model: Any, watched: Watched) -> None:
    with watched():
        model(ids(1, 9)).logits.sum().backward()


def without_gradients(model: Any, watched: Watched) -> None:
    with watched(), torch.no_grad():
        for _ in range(3):
            model(ids(1, 9))


def vectors(model: Any, watched: Watched) -> None:
    with watched(), torch.no_grad():
        model(torch.zeros(1, 9, 32))


def continued(model: Any, watched: Watched) -> None:
    with watched():
        cache = transformers.DynamicCache(config=model.config)
        for _ in range(2):
            model(ids(1, 4), past_key_values=cache)


def generated(model: Any, watched: Watched) -> None:
    with watched():
        model.generate(ids(1, 6), **WRITTEN)


def of_before(model: Any, watched: Watched) -> None:
    generate = model.generate  # Looked up before the block: its frame is found inside.
    with watched():
        generate(ids(1, 6), **WRITTEN)


def directly(model: Any, watched: Watched) -> None:
    with watched():
        model.forward(ids(1, 9))


def failing(model: Any, watched: Watched) -> None:
    with suppress(ValueError, KeyboardInterrupt), watched():
        model(ids(1, 9))


def failing_directly(model: Any, watched: Watched) -> None:
    with suppress(ValueError, KeyboardInterrupt), watched():
        model.forward(ids(1, 9))


def failing_to_generate(model: Any, watched: Watched) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError

    with suppress(ValueError), watched():
        model.generate(ids(1, 6), logits_processor=[fail], **WRITTEN)


def kept_error(model: Any, watched: Watched) -> Any:
    try:
        with watched(), torch.no_grad():
            model(ids(1, 9))
    except (ValueError, KeyboardInterrupt) as error:
        return error


def kept_error_directly(model: Any, watched: Watched) -> Any:
    try:
        with watched(), torch.no_grad():
            model.forward(ids(1, 9))
    except (ValueError, KeyboardInterrupt) as error:
        return error


def kept_error_of_generate(model: Any, watched: Watched) -> Any:
    def fail(*_: Any) -> Any:
        raise ValueError

    try:
        with watched():
            model.generate(ids(1, 6), logits_processor=[fail], **WRITTEN)
    except ValueError as error:
        return error


def in_a_thread(model: Any, watched: Watched) -> None:
    with watched():
        thread = threading.Thread(target=model, args=(ids(1, 9),))
        thread.start()
        thread.join()


def in_an_executor(model: Any, watched: Watched) -> None:
    with ThreadPoolExecutor(1) as pool:
        with watched():
            pool.submit(model.forward, ids(1, 9)).result()
        # The thread is alive, and was given no work since.
        assert pool.submit(int).result() == 0


CASES: dict[str, tuple[Callable[[], Any], Use]] = {
    "interface": (lambda: llama().model(), called),
    "gradients": (lambda: llama().model(), differentiated),
    "three calls": (lambda: llama().model(), without_gradients),
    "a cache": (lambda: llama().model(), continued),
    "tap": (bloom, called),
    "fused layers": (encoder, vectors),
    "returned weights": (longformer, called),
    "generate": (lambda: llama().model(), generated),
    "generate, encoder-decoder": (writer, generated),
    "generate of before": (lambda: llama().model(), of_before),
    "forward": (lambda: llama().model(), directly),
    "refused": (mamba, called),
    "failing": (lambda: Raises(ValueError), failing),
    "failing forward": (lambda: Raises(ValueError), failing_directly),
    "failing generate": (lambda: llama().model(), failing_to_generate),
    "interrupted": (lambda: Raises(KeyboardInterrupt), failing),
    "a kept error": (lambda: Raises(ValueError), kept_error),
    "a kept error of forward": (lambda: Raises(ValueError), kept_error_directly),
    "a kept error of generate": (lambda: llama().model(), kept_error_of_generate),
    "a kept interrupt": (lambda: Raises(KeyboardInterrupt), kept_error),
    "an error and a function kept by the model": (Keeps, without_gradients),
    "compiled": (compiled, without_gradients),
    "a thread": (lambda: llama().model(), in_a_thread),
    "an executor": (lambda: llama().model(), in_an_executor),
}


def left(model: Any, use: Use, watched: Watched) -> int:
    """Count the tensors that calls have left, and the exception that the user keeps."""
    with uncollected():
        kept = use(model, watched)
        count = live()
    del kept
    return count


def compared(make: Callable[[], Any], use: Use, watched: Watched) -> None:
    model = make()
    for _ in range(2):  # The first run imports and caches.
        expected = left(model, use, nullcontext)
    assert [left(model, use, watched) for _ in range(3)] == [expected] * 3


@pytest.fixture(autouse=True)
def unlogged() -> Iterator[None]:
    """Disable logging: pytest keeps its records, with the exceptions and their frames."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_a_recording_is_left_once_it_is_dropped(case: str) -> None:
    outcomes: list[RecordedCall | Refusal] = []

    @contextmanager
    def watched() -> Iterator[None]:
        try:
            with observing(outcomes.append, {}, fed=True):
                yield
        finally:
            outcomes.clear()

    compared(*CASES[case], watched)


@pytest.mark.parametrize("case", ["interface", "tap", "fused layers", "generate", "a kept error"])
def test_a_block_leaves_nothing_in_memory(case: str) -> None:
    make, use = CASES[case]
    model = make()
    compared(lambda: model, use, lambda: attnlab.record(model))


def test_a_stopped_pass_leaves_nothing_in_memory() -> None:
    model = llama().model()

    def stopped(model: Any, watched: Watched) -> None:
        with suppress(StoppedPass), watched():
            model(ids(1, 9))

    polled = iter([False] * 12)
    stop = lambda: next(polled, True)  # noqa: E731
    compared(lambda: model, stopped, lambda: observing(lambda _: None, {}, stop=stop))


@pytest.mark.parametrize(
    ("owner", "name", "case"),
    [
        (interface, "note", "interface"),
        (TextScopes, "enter", "interface"),
        (TextScopes, "owners", "interface"),
        (Tap, "_saw", "tap"),
        (interface, "note", "a kept error"),
        (Tap, "_saw", "failing"),
    ],
)
def test_a_recording_with_an_error_leaves_nothing_in_memory(
    owner: Any, name: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(owner, name, fail)
    test_nothing_of_a_recording_is_left_once_it_is_dropped(case)
