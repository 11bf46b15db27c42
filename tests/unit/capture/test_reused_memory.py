"""Memory that a forward pass frees and reuses is not mistaken for its former content.

Each model has a pool of memory, so that a later tensor is certain to be where an earlier one was.
``torch.from_numpy``, which no dispatch mode sees, creates it there.
"""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

from attnlab.live.cells.repeat import revision
from tests.unit.watching import differs, only, unnoticed

ITEMS, LENGTH, SIZE = 2, 9, 12
MODES = [torch.no_grad, torch.inference_mode]


def given():
    return torch.randn(ITEMS, LENGTH, SIZE, generator=torch.Generator().manual_seed(0))


class Pool(nn.Module):
    """A model with one attention, and a pool of memory that several tensors use in turn."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))
        self.memory = np.zeros(4 * ITEMS * LENGTH * max(LENGTH, 2 * SIZE), np.float32)
        self.used = []

    def at(self, *shape, fill=None):
        """Give the memory to a new tensor, optionally with numbers written by NumPy."""
        hidden = self.memory[: int(np.prod(shape))].reshape(shape)
        if fill is not None:
            hidden[:] = fill
        return torch.from_numpy(hidden)

    def scores(self, x):
        return self.q(x) @ self.k(x).mT

    def attend(self, x):
        """Compute the only attention; its weights are in the pool."""
        weights = torch.softmax(self.scores(x), -1, out=self.at(ITEMS, LENGTH, LENGTH))
        self.used.append(weights.clone()[:, None])
        return weights @ self.v(x)


def other(*shape):
    """Numbers that do not belong to an attention."""
    return np.linspace(-2, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


class Weights(Pool):
    """Finding numbers replace weights in memory, and multiply tokens."""

    def forward(self, x):
        x = self.attend(x)
        mixed = self.at(ITEMS, LENGTH, LENGTH, fill=other(ITEMS, LENGTH, LENGTH))
        return mixed @ x


class PartOfWeights(Pool):
    """The same for the weights of one item, whose memory begins inside that of all."""

    def forward(self, x):
        weights = torch.softmax(self.scores(x), -1, out=self.at(ITEMS, LENGTH, LENGTH))
        self.used.append(weights.clone()[:, None])
        last = weights[1]
        x = weights @ self.v(x) + last.sum()
        del weights, last
        mixed = torch.mul(
            torch.from_numpy(other(ITEMS, LENGTH, LENGTH)), 2, out=self.at(ITEMS, LENGTH, LENGTH)
        )
        return mixed[1] @ x[1]


class Noise(Pool):
    """A gate of the weights is where dropout's zeros and ones were."""

    def forward(self, x):
        chances = torch.full((ITEMS, LENGTH, LENGTH), 0.5)
        x = x * torch.bernoulli(chances, out=self.at(ITEMS, LENGTH, LENGTH)).sum()
        gate = self.at(ITEMS, LENGTH, LENGTH, fill=other(ITEMS, LENGTH, LENGTH))
        weights = self.scores(x).softmax(-1) * gate
        self.used.append(weights.clone()[:, None])
        return weights @ self.v(x)


class Given(Pool):
    """Weights of a layer are unpacked where numbers of the text were."""

    def forward(self, x):
        x = self.attend(x)
        x = x + torch.mul(x, 2, out=self.at(ITEMS, LENGTH, SIZE)).sum()
        up, down = self.at(2, LENGTH, SIZE, fill=other(2, LENGTH, SIZE)).unbind()
        return torch.relu(x @ up.mT) @ down


class Loaded(Pool):
    """A parameter is in memory for one product; then the queries are in its place."""

    def __init__(self):
        super().__init__()
        self.loaded = nn.Parameter(torch.empty(0))

    def forward(self, x):
        self.loaded = nn.Parameter(self.at(SIZE, SIZE, fill=other(SIZE, SIZE)))
        x = x + x @ self.loaded
        self.loaded = nn.Parameter(torch.empty(0))
        query = torch.matmul(x, self.q.weight, out=self.at(ITEMS, LENGTH, SIZE))
        weights = (query @ self.k(x).mT).softmax(-1)
        self.used.append(weights.clone()[:, None])
        return weights @ self.v(x)


@pytest.mark.parametrize("context", MODES)
@pytest.mark.parametrize("kind", [Weights, PartOfWeights, Given, Noise, Loaded])
def test_information_about_memory_is_dropped_when_it_is_freed(kind, context):
    models = []

    def make():
        torch.manual_seed(0)
        models.append(kind().eval())
        return models[-1]

    def call(model):
        with context():
            return model(given())

    recorded = only(unnoticed(make, call))
    assert len(recorded.sites) == 1
    assert not [note for note in recorded.notes if "not shown" in note]
    assert differs(recorded, models[-1].used) < 2e-6
    assert recorded.sites[0].certificate.exact
    assert recorded.sites[0].record.query is not None


def test_memory_shared_by_numpy_and_torch_stays_known():
    class Shared(Pool):
        def forward(self, x):
            weights = self.scores(x).softmax(-1)
            self.used.append(weights.clone()[:, None])
            return torch.from_numpy(weights.numpy()) @ self.v(x)

    model = Shared().eval()
    with torch.no_grad():
        recorded = only(unnoticed(lambda: model, lambda value: value(given())))
    assert differs(recorded, model.used[-1:]) < 2e-6
    assert recorded.sites[0].certificate.exact


def test_a_parameter_at_the_address_of_another_is_another_state_of_the_model():
    memory = np.ones((SIZE, SIZE), np.float32)
    model = nn.Linear(SIZE, SIZE, bias=False)
    model.weight = nn.Parameter(torch.from_numpy(memory))
    before, place = revision(model), model.weight.data_ptr()
    assert revision(model) == before
    model.register_parameter("weight", None)
    gc.collect()
    memory[:] = 2
    model.weight = nn.Parameter(torch.from_numpy(memory))
    assert model.weight.data_ptr() == place
    assert revision(model) != before
