"""One configuration of one family: how to make it, how to call it, what to expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import torch
import transformers

from tests.zoo.oracle import Oracle, Softmax
from tests.zoo.sizes import tiny

Path = Literal["interface", "outside", "plain"]


class Expected(NamedTuple):
    """How a specimen is to be read; whatever is less than queries and keys has a reason."""

    reading: Literal["qk", "weights", "output_attentions", "part", "pieces", "refused"]
    """``part``: some calls are left out, which a note says; the truth has only the others.
    ``pieces``: a matrix is shown in pieces, each of them marked as one and not certified."""
    reason: str = ""


QK = Expected("qk")


@dataclass(frozen=True, eq=False)
class Specimen:
    """A model, its input and the truth about its attention."""

    family: str
    """The model type of transformers, or what a module of plain PyTorch calls."""
    variant: str
    model: str
    """The name of the model's class."""
    make: Callable[[str | None], torch.nn.Module]
    """Make the model, with the same parameters each time, for an attention implementation."""
    given: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]
    path: Path
    """Whether attention is called through the interface of transformers."""
    oracle: Oracle
    implementation: str | None = None
    """The implementation that attnlab has to read; None is the model's default."""
    expected: Expected = QK
    tolerance: float = 2e-5
    certified: float = 1e-5
    """The largest error that a certificate may tell."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name, unique in the zoo."""
        return f"{self.family}, {self.variant}" if self.variant else self.family

    @property
    def absent(self) -> str:
        """Why the model cannot be made with this release of transformers; empty if it can."""
        if self.path == "plain" or self.model in offered():
            return ""
        return f"transformers {transformers.__version__} has no {self.model}"

    def inputs(self, model: Any) -> dict[str, Any]:
        """Make the keyword arguments of one call; a cache among them is good for one only."""
        return dict(self.given(model) if callable(self.given) else self.given)

    @cached_property
    def truth(self) -> list[torch.Tensor]:
        """Weights (items, heads, queries, keys) of every call, of an independent copy."""
        model = self.make(self.oracle.implementation)
        return self.oracle.weights(model, self.inputs(model))


@cache
def offered() -> frozenset[str]:
    """Return the names of this release of transformers; looking none of them up imports none."""
    return frozenset(dir(transformers))


def spread(model: torch.nn.Module, deviation: float) -> torch.nn.Module:
    """Add noise to the parameters; a fresh model attends so evenly that no error would show."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * deviation)
    return model.eval()


@dataclass(frozen=True)
class Maker:
    """Makes a model of transformers, with the same parameters each time."""

    kind: str
    settings: Mapping[str, Any]
    deviation: float
    dtype: torch.dtype | None = None

    def __call__(self, implementation: str | None) -> torch.nn.Module:
        """Make the model for an attention implementation."""
        model_class = getattr(transformers, self.kind)
        config = tiny(model_class.config_class, **self.settings)
        torch.manual_seed(0)
        model = spread(
            model_class._from_config(config, attn_implementation=implementation), self.deviation
        )
        return model if self.dtype is None else model.to(self.dtype)


def interface(
    family: str,
    kind: str,
    given: Any,
    variant: str = "",
    *,
    spread: float = 0.3,
    also: Softmax | None = None,
    dtype: torch.dtype | None = None,
    implementation: str | None = None,
    expected: Expected = QK,
    tolerance: float = 2e-5,
    certified: float = 1e-5,
    **settings: Any,
) -> Specimen:
    """A model that calls attention through the interface; `also` names what it does not."""
    return Specimen(
        family,
        variant,
        kind,
        Maker(kind, settings, spread, dtype),
        given,
        "interface",
        Oracle(also),
        implementation,
        expected,
        tolerance,
        certified,
        settings,
    )


def outside(
    family: str,
    kind: str,
    given: Any,
    softmax: Softmax | None,
    variant: str = "",
    *,
    spread: float = 0.3,
    oracle: Oracle | None = None,
    expected: Expected = QK,
    tolerance: float = 2e-5,
    **settings: Any,
) -> Specimen:
    """A model that computes attention in its own code."""
    return Specimen(
        family,
        variant,
        kind,
        Maker(kind, settings, spread),
        given,
        "outside",
        oracle or Oracle(softmax),
        expected=expected,
        tolerance=tolerance,
        settings=settings,
    )
