"""A call with unusual tensors gives the same as without attnlab, exceptions included."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from tests.unit.outcomes import Outcome

SIZE, HEADS = 16, 2

warnings.filterwarnings(
    "ignore", message=".*(nested tensors|sparse|quantiz|MaskedTensor|prototype).*"
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- kinds of tensors ---------------------------------------------------------------------


class Wrapped(torch.Tensor):
    """A wrapper subclass: contains another tensor, and computes with it."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device=inner.device
        )

    def __init__(self, inner):
        self.wrapped = inner

    def __tensor_flatten__(self):
        return ["wrapped"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, meta, size, stride):
        return cls(inner["wrapped"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        bare = lambda value: value.wrapped if isinstance(value, Wrapped) else value  # noqa: E731
        result = func(*tree_map(bare, args), **tree_map(bare, kwargs or {}))
        return tree_map(
            lambda value: Wrapped(value) if isinstance(value, torch.Tensor) else value, result
        )


class Quantized(torch.Tensor):
    """Weights in eight bits with a scale, like torchao's: only linear layers read them."""

    @staticmethod
    def __new__(cls, numbers, scale):
        return torch.Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=scale.dtype)

    def __init__(self, numbers, scale):
        self.numbers, self.scale = numbers, scale

    @classmethod
    def of(cls, weight):
        scale = weight.abs().amax(1, keepdim=True) / 127
        return cls((weight / scale).round().to(torch.int8), scale)

    def __tensor_flatten__(self):
        return ["numbers", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, meta, size, stride):
        return cls(inner["numbers"], inner["scale"])

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is functional.linear:
            x, weight, bias = args
            whole = x @ weight.numbers.t().to(x.dtype) * weight.scale.t()
            return whole if bias is None else whole + bias
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        if func is torch.ops.aten.detach.default:
            return cls(args[0].numbers, args[0].scale)
        raise NotImplementedError(f"{func} of quantized weights")


class Counting(torch.Tensor):
    """A subclass without memory that counts the functions that it is passed to."""

    count = 0

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        Counting.count += 1
        return super().__torch_function__(func, types, args, kwargs or {})


def fake(x):
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True).from_tensor(x)


def masked(x):
    from torch.masked import masked_tensor

    return masked_tensor(x, torch.ones_like(x).bool())


PARTS = [noise(5, SIZE), noise(3, SIZE, seed=1)]

KINDS = {
    "plain": lambda: noise(2, 5, SIZE),
    "nested, jagged": lambda: torch.nested.nested_tensor(PARTS, layout=torch.jagged),
    "nested, strided": lambda: torch.nested.nested_tensor(PARTS),
    "sparse, coo": lambda: noise(2, 5, SIZE).relu().to_sparse(),
    "sparse, csr": lambda: noise(5, SIZE).relu().to_sparse_csr(),
    "quantized": lambda: torch.quantize_per_tensor(noise(2, 5, SIZE), 0.1, 0, torch.qint8),
    "wrapped": lambda: Wrapped(noise(2, 5, SIZE)),
    "counting": lambda: noise(2, 5, SIZE).as_subclass(Counting),
    "fake": lambda: fake(noise(2, 5, SIZE)),
    "meta": lambda: noise(2, 5, SIZE).to("meta"),
    "complex": lambda: torch.complex(noise(2, 5, SIZE), noise(2, 5, SIZE, seed=1)),
    "masked": lambda: masked(noise(2, 5, SIZE)),
    "half": lambda: noise(2, 5, SIZE).half(),
    "integers": lambda: noise(2, 5, SIZE).long(),
    "empty": lambda: noise(2, 0, SIZE),
    "conjugated": lambda: torch.complex(noise(2, 5, SIZE), noise(2, 5, SIZE)).conj(),
    "negated": lambda: torch.complex(noise(2, 5, SIZE), noise(2, 5, SIZE)).conj().imag,
    "a number": lambda: torch.tensor(3.0),
}


# --- models -------------------------------------------------------------------------------


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(SIZE, SIZE) for _ in range(3))

    def heads(self, x):
        return [
            entry(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for entry in (self.q, self.k, self.v)
        ]


class OneLayer(Layers):
    def forward(self, x):
        return self.q(x)


class FusedAttention(Layers):
    def forward(self, x):
        return functional.scaled_dot_product_attention(*self.heads(x)).transpose(1, 2).flatten(-2)


class AttentionByHand(Layers):
    def forward(self, x):
        q, k, v = self.heads(x)
        weights = (q @ k.transpose(-1, -2) / 3.0).softmax(-1)
        return (weights @ v).transpose(1, 2).flatten(-2)


class Unprojected(nn.Module):
    def forward(self, x):
        weights = torch.softmax(torch.matmul(x, x.transpose(-1, -2)), -1)
        return torch.matmul(weights * (weights > 0.01), x)


class Products(nn.Module):
    def forward(self, x):
        return torch.matmul(x, noise(SIZE, 3)).relu()


class Dispersed(nn.Module):
    """The whole attention, mapped over the items."""

    def __init__(self):
        super().__init__()
        self.inner = Unprojected()

    def forward(self, x):
        return torch.func.vmap(self.inner)(x)


class Gradient(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Unprojected()

    def forward(self, x):
        return torch.func.grad(lambda value: self.inner(value).sum())(x)


class Jacobian(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Unprojected()

    def forward(self, x):
        return torch.func.jvp(self.inner, (x,), (torch.ones_like(x),))


def quantized_weights():
    model = FusedAttention()
    for layer in (model.q, model.k, model.v):
        weight = Quantized.of(layer.weight.detach())
        layer.weight = nn.Parameter(weight, requires_grad=False)
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {
    "one layer": OneLayer,
    "fused attention": FusedAttention,
    "attention by hand": AttentionByHand,
    "attention without layers": Unprojected,
    "a product": Products,
    "attention under vmap": Dispersed,
    "attention under grad": Gradient,
    "attention under jvp": Jacobian,
    "weights quantized": quantized_weights,
    "multi-head attention": lambda: Sole(nn.MultiheadAttention(SIZE, HEADS, batch_first=True)),
    "an encoder layer": lambda: nn.TransformerEncoderLayer(SIZE, HEADS, 16, batch_first=True),
}


class Sole(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x)[0]


CONTEXTS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "enable_grad": torch.enable_grad,
}


# --- outcomes ---------------------------------------------------------------------------


def described(value):
    """Describe a result of any kind as plain data."""
    if isinstance(value, list | tuple):
        return [described(entry) for entry in value]
    if not isinstance(value, torch.Tensor):
        return value
    about = [type(value).__name__, str(value.dtype), str(value.layout), value.requires_grad]
    if type(value).__name__ == "MaskedTensor":
        masked: Any = value
        return [*about, described(masked.get_data()), described(masked.get_mask())]
    if value.is_nested:
        return [*about, described(list(value.unbind()))]
    if value.is_meta or type(value).__name__ == "FakeTensor":
        return [*about, tuple(value.shape), value.stride()]
    if isinstance(value, Wrapped):
        return [*about, described(value.wrapped)]
    if value.is_quantized:
        return [*about, value.q_scale(), described(value.int_repr())]
    with torch._C.DisableTorchFunctionSubclass():
        dense = value.detach().to_dense() if value.layout is not torch.strided else value.detach()
        dense = dense.resolve_conj().resolve_neg()
        numbers = torch.view_as_real(dense) if dense.is_complex() else dense
        return [*about, tuple(value.shape), numbers.nan_to_num().tolist()]


def outcome(model, kind, context, at_home=False):
    """Return what a call returns or raises; with `at_home`, the model is on the tensors' device."""
    torch.manual_seed(0)
    made = MODELS[model]().eval()
    made = made.to("meta") if at_home and kind == "meta" else made
    x = KINDS[kind]()
    Counting.count = 0
    with CONTEXTS[context](), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = ["returned", described(made(x))]
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
            # Each jagged tensor has a different symbol for its length: j1, j2, …
            result = ["raised", type(error).__name__, re.sub(r"\bj\d+", "j", str(error))]
    said = sorted({str(entry.message) for entry in warned if "attnlab" in str(entry.filename)})
    return [*result, said, Counting.count, torch.get_rng_state().sum().item()]


@given(
    model=st.sampled_from(list(MODELS)),
    kind=st.sampled_from(list(KINDS)),
    context=st.sampled_from(list(CONTEXTS)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_call_over_any_tensors_gives_the_same_as_without_attnlab(model, kind, context):
    outcomes: list[Outcome] = []
    outcome(model, kind, context)  # PyTorch may load something at the first call.
    expected = outcome(model, kind, context)
    with observing(outcomes.append, {}):
        found = outcome(model, kind, context)
    assert found == expected
    for entry in outcomes:
        assert not isinstance(entry, Refusal) or "inside attnlab" not in entry.cause


def told_of(model, kind, context="no_grad"):
    outcomes: list[Outcome] = []
    with observing(outcomes.append, {}):
        outcome(model, kind, context, at_home=True)
    return outcomes


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(
    ("model", "kind", "reason"),
    [
        ("fused attention", "nested, jagged", "nested tensors"),
        ("fused attention", "wrapped", "tensors of the class Wrapped"),
        ("attention by hand", "wrapped", "tensors of the class Wrapped"),
        ("fused attention", "meta", "tensors on the meta device"),
        ("attention by hand", "meta", "tensors on the meta device"),
        ("fused attention", "fake", "tensors of the class FakeTensor"),
        ("attention by hand", "fake", "tensors of the class FakeTensor"),
    ],
)
def test_attention_over_tensors_that_are_not_followed_is_refused_with_their_kind(
    model, kind, reason, context
):
    (refusal,) = told_of(model, kind, context)
    assert isinstance(refusal, Refusal)
    assert reason in refusal.cause


@pytest.mark.parametrize("context", ["no_grad", "inference_mode"])
def test_weights_of_a_subclass_leave_the_attention_exact(context):
    (call,) = told_of("weights quantized", "plain", context)
    assert isinstance(call, RecordedCall)
    torch.manual_seed(0)
    q, k, _ = quantized_weights().heads(KINDS["plain"]())
    expected = (q @ k.mT / (SIZE // HEADS) ** 0.5).softmax(-1)
    from tests.unit.tiny_models import trace

    recorded = trace(call)
    (site,) = recorded.sites
    for item in range(2):
        for head in range(HEADS):
            actual = torch.from_numpy(site.weights(head, item))
            assert torch.allclose(actual, expected[item, head], atol=1e-6)
    assert site.certificate.exact


def test_a_subclass_that_leaves_operations_to_pytorch_is_followed():
    (call,) = told_of("attention by hand", "counting")
    assert isinstance(call, RecordedCall)
    assert [record.query is not None for record in call.records] == [True]
