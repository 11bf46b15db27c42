"""Models are copied for attnlab's passes without running code of their classes."""

from __future__ import annotations

import collections
import copy
import enum
import functools
import itertools
import random
import sys
import threading
import types
import weakref
from typing import Any

import hypothesis.strategies as st
import numpy
import pytest
import torch
from hypothesis import given
from torch import nn

from attnlab.capture.inspection.copies import Copies, UncopiedError
from attnlab.capture.inspection.origin import origin
from attnlab.capture.isolation.isolated_model import IsolatedModel, NotIsolatedError
from attnlab.capture.isolation.random_generators import RandomGenerators

RAN: list[str] = []


def noting(name):
    def method(*_args, **_kwargs):
        RAN.append(name)
        return NotImplemented

    return method


class Hostile:
    """Notes each of its methods that runs."""

    __slots__ = ("__dict__", "slot")

    for _name in (
        "__deepcopy__", "__copy__", "__reduce_ex__", "__reduce__", "__getstate__", "__setstate__",
        "__eq__", "__iter__", "__len__", "__bool__", "__repr__", "__getattr__", "__setattr__",
        "__getattribute__", "__call__", "__enter__", "__exit__", "__del__",
    ):  # fmt: skip
        locals()[_name] = noting(_name)
    __hash__ = object.__hash__
    del _name

    def __new__(cls, *_args):
        RAN.append("__new__")
        return object.__new__(cls)

    def __init__(self):
        RAN.append("__init__")


class HostileDict(dict):
    def __iter__(self, *args: Any) -> Any:
        RAN.append("dict")
        return super().__iter__()

    __getitem__ = __setitem__ = items = keys = values = copy = __iter__
    update: Any = __iter__


class HostileList(list):
    def __iter__(self, *args: Any) -> Any:
        RAN.append("list")
        return super().__iter__()

    __getitem__ = append = extend = __len__ = __iter__


def test_copying_runs_no_code_of_the_objects_classes():
    hostile = object.__new__(Hostile)
    object.__setattr__(hostile, "slot", [1])
    object.__getattribute__(hostile, "__dict__")["held"] = {"a": hostile}
    held = [hostile, HostileDict({"a": hostile}), HostileList([hostile])]
    RAN.clear()
    twin, mapping, listed = Copies().of(held)
    assert RAN == []
    assert type(twin) is Hostile
    assert twin is not hostile
    assert object.__getattribute__(twin, "slot") == [1]
    assert object.__getattribute__(twin, "slot") is not object.__getattribute__(hostile, "slot")
    assert dict.__getitem__(object.__getattribute__(twin, "__dict__")["held"], "a") is twin
    assert type(mapping) is HostileDict
    assert dict.__getitem__(mapping, "a") is twin
    assert type(listed) is HostileList
    assert list.__getitem__(listed, 0) is twin
    RAN.clear()


class Plain:
    """An object with attributes."""


@st.composite
def graphs(draw):
    """Objects that refer to each other, also in cycles."""
    kinds = (list, dict, set, Plain, collections.OrderedDict, collections.deque)
    nodes = [draw(st.sampled_from(kinds))() for _ in range(draw(st.integers(1, 8)))]
    for node in nodes:
        others = draw(st.lists(st.integers(0, len(nodes) - 1), max_size=4))
        held = [nodes[other] for other in others] + draw(st.lists(st.integers(), max_size=3))
        held += [tuple(held)] * draw(st.integers(0, 1))
        for place, value in enumerate(held):
            if isinstance(node, list | collections.deque):
                node.append(value)
            elif isinstance(node, dict):
                node[f"k{place}"] = value
            elif isinstance(node, set):
                node.add(id(value))
            else:
                setattr(node, f"a{place}", value)
    return nodes


def shape(value, seen):
    """Describe an object by the numbers of its parts."""
    if isinstance(value, int):
        return value
    if id(value) in seen:
        return f"#{seen[id(value)]}"
    seen[id(value)] = len(seen)
    inner: Any
    if isinstance(value, dict):
        inner = {name: shape(entry, seen) for name, entry in value.items()}
    elif isinstance(value, Plain):
        inner = {name: shape(entry, seen) for name, entry in vars(value).items()}
    else:
        inner = [shape(entry, seen) for entry in value]
    return type(value).__name__, inner


@given(graphs())
def test_a_copy_is_what_deepcopy_makes(nodes):
    copied_model = Copies().of(nodes)
    assert shape(copied_model, {}) == shape(copy.deepcopy(nodes), {})
    mutable = {id(part) for part in nodes}
    assert not mutable & {id(part) for part in copied_model}


class Shade(enum.Enum):
    DARK = enum.auto()


class Mark:
    """Compared by identity."""


MARK = Mark()
LEN: Any = len  # mypy knows no wrapper of a function.


SHARED = {
    "None": None, "number": 1, "text": "a", "bytes": b"a", "ellipsis": ..., "range": range(3),
    "class": int, "enum": Shade.DARK, "mark": MARK, "module": sys, "lock": threading.Lock(),
    "object": object(), "dtype": torch.float32, "size": torch.Size([1, 2]),
    "device": torch.device("cpu"), "built-in": len, "its wrapper": LEN.__call__,
    "stream": sys.stdout, "torch's": torch.relu, "function of a module": pytest.raises,
    "tuple": (1, (2, "a")), "frozenset": frozenset({1}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_stateless_objects_are_shared(name):
    value = SHARED[name]
    assert IsolatedModel(nn.Linear(1, 1), RandomGenerators()).copied(value) is value


class Counter(nn.Module):
    """Refers to itself and to its state in every way that a module can."""

    steps: torch.Tensor

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.tied = self.inner
        self.register_buffer("steps", torch.zeros(3))
        self.register_buffer("view", self.steps[1:])
        self.alias = self.inner.weight
        self.counts = {"calls": 0}
        self.bound = self.count
        self.partial = functools.partial(Counter.count, self)
        self.weak = weakref.ref(self.inner)
        self.owner = types.SimpleNamespace(model=self)
        self.seeded = random.Random(3)
        self.generator = torch.Generator().manual_seed(3)
        self.numbers = numpy.random.default_rng(3)
        self.table = numpy.zeros(2)
        self.draw = random.random
        step = 0

        def closed(number):
            nonlocal step
            step += number
            self.counts["closed"] = step
            return step

        self.closed = closed

    def count(self):
        self.counts["calls"] += 1

    def forward(self):
        self.bound(), self.partial(), self.owner.model.count(), self.closed(2)
        self.steps += 1
        self.table += 1
        inner: Any = self.weak()
        inner.seen = True
        self.inner.bias.data = self.inner.bias.data + 1
        return (
            self.seeded.random(),
            float(torch.rand(1, generator=self.generator)),
            self.numbers.random(),
            self.draw(),
        )


def test_a_pass_over_a_copy_leaves_the_model_as_it_was():
    model = Counter()
    bias = model.inner.bias.tolist()
    copy = IsolatedModel(model, RandomGenerators()).model
    with torch.no_grad():
        drawn = copy()
    assert copy.counts == {"calls": 3, "closed": 2}
    assert copy.steps.tolist() == [1, 1, 1]
    assert copy.view.tolist() == [1, 1], "a view of a buffer's copy is a view"
    assert copy.inner is copy.tied is copy.weak()
    assert copy.alias is copy.inner.weight
    assert copy.inner.weight.data_ptr() == model.inner.weight.data_ptr()
    assert model.counts == {"calls": 0}
    assert model.steps.tolist() == [0, 0, 0]
    assert model.table.tolist() == [0, 0]
    assert not hasattr(model.inner, "seen")
    assert model.inner.bias.tolist() == bias
    assert model.closed(5) == 5
    with torch.no_grad():
        assert model() == drawn, "the model's own generators have not moved"


def test_a_copy_of_a_copied_part_knows_its_origin():
    model = Counter()
    copy = IsolatedModel(model, RandomGenerators()).model
    assert origin(copy) is model
    assert origin(copy.inner) is model.inner
    assert origin(model) is model


HELD = {
    "count": (itertools.count, "count"),
    "iterator": (lambda: iter([1]), "list_iterator"),
    "generator": (lambda: (number for number in range(3)), "generator"),
    "list": (lambda: list(range(3)), None),
    "script": (lambda: torch.jit.script(nn.Linear(1, 1)), "TorchScript"),
    "expanded": (lambda: torch.ones(1).expand(8), None),
    "large": (lambda: torch.empty(1 << 27, dtype=torch.uint8).expand(8, -1), None),
    "too large": (
        lambda: [torch.empty(1 << 27, dtype=torch.uint8) for _ in range(3)],
        "MiB of tensors",
    ),
    "too many": (lambda: [[number] for number in range(300_000)], "objects"),
}


@pytest.mark.parametrize("name", HELD)
def test_what_cannot_be_copied_is_named(name):
    make, says = HELD[name]
    model, held = nn.Linear(1, 1), make()
    vars(model)["held"] = held
    if says is None:
        assert type(vars(IsolatedModel(model, RandomGenerators()).model)["held"]) is type(held)
        return
    with pytest.raises(NotIsolatedError, match=says):
        IsolatedModel(model, RandomGenerators())


def test_the_reason_is_a_clause():
    with pytest.raises(UncopiedError, match=r"^it contains a count, which a pass would use up$"):
        Copies().of(itertools.count())


def test_a_compiled_model_is_copied_as_it_was_before():
    compiled: Any = torch.compile(nn.Linear(2, 2), backend="eager")
    model = nn.Sequential(nn.Linear(2, 2), compiled)
    copy = IsolatedModel(torch.compile(model, backend="eager"), RandomGenerators()).model
    assert [type(part).__name__ for part in copy.modules()] == ["Sequential", "Linear", "Linear"]
    model.compile(backend="eager")
    assert IsolatedModel(model, RandomGenerators()).model._compiled_call_impl is None
