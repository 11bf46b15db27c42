"""Repeats model calls with other texts, and compares what a pass could change."""

from __future__ import annotations

import random
import threading
import zlib

import numpy
import pytest
import torch
import transformers

from attnlab.capture.again import Again, NotAgainError, again
from attnlab.capture.hooks.threads import disown
from tests.unit.feeding import crossed, decoder, encoder, ran, tokenizer
from tests.unit.outcomes import only_call
from tests.unit.watching import inside, world


@pytest.fixture(scope="module")
def parts():
    return {
        "tok": tokenizer(),
        "model": encoder(),
        "writer": decoder(),
        "t5": crossed(),
        "torch": torch,
        "pipeline": transformers.pipeline,
    }


@pytest.fixture
def names(parts):
    return {"__name__": "__main__", **parts}


def called(feed, texts, names, limit=500, stop=lambda: False):
    """Repeat a call on a separate thread, as the kernel does."""
    outcome: list[Again | BaseException] = []

    def work():
        disown()
        try:
            outcome.append(again(feed, texts, stop, limit, names))
        except BaseException as error:  # noqa: BLE001 - raised below
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def first(code, names):
    call = only_call(ran(code, names))
    return call.feed


def chat(text):
    return [{"role": "user", "content": text}]


GENERATED = (
    'writer.generate(tok({}, return_tensors="pt").input_ids, max_new_tokens=3, do_sample=False)'
)


def checksum(tensor):
    """Checksum of a tensor's bytes: lists of millions of numbers would take most of the time."""
    return tensor.dtype, tensor.shape, zlib.crc32(tensor.detach().numpy().tobytes())


def state(names):
    """Return the user's objects that a pass could change."""
    tok, model = names["tok"], names["model"]
    backend = tok.backend_tokenizer
    return {
        "world": world(),
        "random": (
            random.getstate(),
            str(numpy.random.get_state()),
            torch.get_rng_state().numpy().tobytes(),
        ),
        "model": inside(model),
        "attributes": [
            {name: id(value) for name, value in vars(part).items()} for part in model.modules()
        ],
        "parameters": [
            (
                parameter.requires_grad,
                None if parameter.grad is None else checksum(parameter.grad),
                parameter._version,
            )
            for parameter in model.parameters()
        ],
        "buffers": [checksum(buffer) for buffer in model.buffers()],
        "tokenizer": (
            backend.truncation,
            backend.padding,
            backend.encode_special_tokens,
            tok.padding_side,
            tok.truncation_side,
            dict(tok.deprecation_warnings),
        ),
        "names": {name: id(value) for name, value in names.items()},
    }


def refused(code, feed, names, text="the black cat", limit=500):
    before = state(names)
    with pytest.raises(NotAgainError) as error:
        called(feed, [{"text": text}], names, limit)
    assert error.value.code == code
    assert state(names) == before
    return error.value.why


@pytest.fixture
def namespace(names):
    """Return a model for this test only, with gradients, and a tokenizer with other settings."""
    names["model"] = encoder()
    names["model"](input_ids=torch.tensor([[1, 2]]))[0].sum().backward()
    return names
