"""Runs a call twice, plain and watched, and compares everything that a user could see."""

from __future__ import annotations

import random
import sys
import threading
from concurrent.futures import Future
from contextlib import nullcontext
from itertools import product
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.utils import _pytree
from transformers.generation.utils import GenerationMixin
from transformers.modeling_utils import AttentionInterface
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.watch import observing
from tests.unit.tiny_models import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from attnlab.capture.record.recorded_call import Refusal
    from attnlab.traces.trace import Trace

OWNERS = (torch.nn.Module, AttentionInterface, PreTrainedTokenizerBase, GenerationMixin)


def world() -> dict[str, Any]:
    """Return everything outside a model that observing could leave behind."""
    return {
        "classes": [dict(owner.__dict__) for owner in OWNERS],
        "codes": [
            (value.__code__, dict(vars(value)))
            for owner in (*OWNERS, threading.Thread, Future)
            for value in vars(owner).values()
            if isinstance(value, FunctionType)
        ],
        "functions": dict(transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS.__dict__),
        "finders": list(sys.meta_path),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "device": torch.get_default_device(),
        "dtype": torch.get_default_dtype(),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic,
        ),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "stance": torch._dynamo.eval_frame._stance.stance,
        "modes": (torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()),
    }


def inside(model: torch.nn.Module) -> dict[str, Any]:
    """Return everything in a model that observing could leave behind."""
    parts = {name: (part.training, set(vars(part))) for name, part in model.named_modules()}
    hooks = [
        [len(value) for name, value in vars(part).items() if name.endswith("_hooks") and value]
        for part in model.modules()
    ]
    return {"parts": parts, "hooks": hooks}


def unnoticed(
    make: Callable[[], Any],
    call: Callable[[Any], Any],
    gradients: bool = False,
    namespace: Mapping[str, Any] | None = None,
) -> list[RecordedCall | Refusal]:
    """Create a model twice and call it, plain and watched; return the outcomes of the second.

    Outputs, gradients, random numbers, buffers, modes and torch's globals must be the same.
    """
    outcomes: list[RecordedCall | Refusal] = []
    expected = _run(make(), call, gradients, nullcontext())
    found = _run(make(), call, gradients, observing(outcomes.append, namespace or {}))
    assert expected.pop("model") == found.pop("model")
    # The first, plain call may import or set up something; the second, watched one must not.
    expected.pop("world")
    before, after = found.pop("world")
    assert before == after
    for what, value in expected.items():
        same(value, found[what], what)
    return outcomes


def _run(model: Any, call: Callable[[Any], Any], gradients: bool, watched: Any) -> dict[str, Any]:
    torch.manual_seed(3)
    random.seed(3)
    with torch.set_grad_enabled(gradients):
        before = world()
        with watched:
            result = call(model)
        after = world()
        assert random.random() == random.Random(3).random()
        drawn = torch.get_rng_state()
        tensors = [leaf for leaf in leaves(result) if leaf.requires_grad]
        if gradients and tensors:
            total: Any = sum(leaf.float().sum() for leaf in tensors)
            total.backward()
    parameters, buffers, left = [], [], {}
    if isinstance(model, torch.nn.Module):
        left = inside(model)
        parameters = [parameter.grad for parameter in model.parameters()]
        buffers = [buffer.clone() for buffer in model.buffers()]
    return {
        "result": result,
        "gradients": parameters,
        "random numbers": drawn,
        "buffers": buffers,
        "model": left,
        "world": (before, after),
    }


def leaves(result: Any) -> list[torch.Tensor]:
    """Return all tensors of a result."""
    outputs = result.to_tuple() if hasattr(result, "to_tuple") else result
    return [leaf for leaf in _pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


def same(one: Any, other: Any, what: str = "result") -> None:
    """Whether two results are bit-identical."""
    assert type(one) is type(other), what
    first, second = leaves(one), leaves(other)
    assert len(first) == len(second), what
    for left, right in zip(first, second, strict=True):
        assert left.dtype == right.dtype, what
        assert left.requires_grad == right.requires_grad, what
        assert left.is_inference() == right.is_inference(), what
        assert torch.equal(left.nan_to_num(), right.nan_to_num()), what


def only(outcomes: list[RecordedCall | Refusal]) -> Trace:
    """Return the trace of the only call that was reported."""
    assert [type(item) for item in outcomes] == [RecordedCall], outcomes
    return trace(outcomes[0])


def differs(recorded: Trace, expected: Iterable[torch.Tensor]) -> float:
    """Return the largest difference of the sites' weights, in order, to the expected ones."""
    worst = 0.0
    for site, weights in zip(recorded.sites, expected, strict=True):
        assert tuple(weights.shape) == (site.items, site.heads, site.queries, site.keys)
        for item, head in product(range(recorded.items), range(site.heads)):
            actual = torch.from_numpy(recorded.head(site.index, head, item))
            difference = (actual - weights[item, head].float()).abs()[~actual.isnan().any(-1)]
            worst = max(worst, float(difference.max()) if difference.numel() else 0.0)
    return worst


def names(recorded: Trace, axis: int, item: int = 0) -> list[str]:
    """Return the texts of a sequence's tokens."""
    return [token.text for token in recorded.sequences[axis].items[item].tokens]
