"""What attnlab tells of a specimen, held against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from attnlab.traces.trace import Trace
from attnlab.traces.weights import weights
from tests.zoo.specimen import Specimen


@dataclass(frozen=True)
class SiteFinding:
    """One recorded site beside the oracle's call at the same place."""

    name: str
    method: str
    has_query: bool
    shape: tuple[int, ...]
    true_shape: tuple[int, ...]
    error: float
    """Largest difference over all items, heads and defined rows; infinite if shapes differ."""
    items: int
    """Items of the trace's batch; the site's are as many, or so many for each, or shared."""
    undefined: int
    """Rows of the first head without weights, over all items."""
    exact: bool
    certificate_error: float
    reason: str


@dataclass(frozen=True)
class Finding:
    """All that the comparison of a specimen has found."""

    specimen: Specimen
    identical: bool
    """Whether the model said the same, bit by bit, while it was watched."""
    outcome_count: int
    refusal: Refusal | None = None
    sites: list[SiteFinding] = field(default_factory=list)
    true_sites: int = 0
    padding: int = 0
    """Rows that the input leaves undefined: an attention mask's zeros."""
    notes: list[str] = field(default_factory=list)
    """Notes that are shown beside the sites."""

    @property
    def methods(self) -> list[str]:
        """The ways in which the sites were read."""
        return sorted({site.method for site in self.sites})

    @property
    def reading(self) -> str:
        """What was got, in the words of `Expected`."""
        if self.refusal is not None or not self.sites:
            return "refused"
        if any("several pieces" in site.reason for site in self.sites):
            return "pieces"
        if any("not shown" in note for note in self.notes):
            return "part"
        if all(site.has_query for site in self.sites):
            return "qk"
        return "output_attentions" if "returned" in self.methods else "weights"

    @property
    def error(self) -> float:
        """The largest difference of any weight."""
        return max((site.error for site in self.sites), default=float("nan"))

    @property
    def certificate_error(self) -> float:
        """The largest error that a certificate tells; those unchecked tell none."""
        outcomes = [site.certificate_error for site in self.sites]
        return max((error for error in outcomes if not np.isnan(error)), default=float("nan"))

    def faults(self) -> list[str]:
        """Everything that is not as it should be, in words."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        expected = self.specimen.expected
        if not self.identical:
            yield "the model's result differs while it is watched"
        if self.outcome_count != 1:
            yield f"{self.outcome_count} outcomes of one call"
        if self.reading != expected.reading:
            why = f": {self.refusal.title}. {self.refusal.cause}" if self.refusal else ""
            yield f"expected {expected.reading}, got {self.reading}{why}"
        if self.reading == "pieces":
            if any(site.exact for site in self.sites):
                yield "a piece is certified as if it were the whole"
            return
        if self.reading == "refused":
            return
        if len(self.sites) != self.true_sites:
            yield f"{len(self.sites)} sites of {self.true_sites}"
        for site in self.sites:
            yield from (f"{site.name} ({site.method}): {fault}" for fault in self._site(site))

    def _site(self, site: SiteFinding) -> Iterator[str]:
        if site.shape != site.true_shape:
            yield f"weights of shape {site.shape}, not {site.true_shape}"
        elif not site.error <= self.specimen.tolerance:
            yield f"weights differ by {site.error:.1e}"
        if site.shape[0] % site.items and site.items % site.shape[0]:
            yield f"has {site.shape[0]} items, where the trace has {site.items}"
        if site.undefined > self.padding:
            yield f"{site.undefined} rows have no weights, where {self.padding} tokens are padding"
        if self.reading == "output_attentions":
            return
        if not site.exact:
            yield f"not certified: {site.reason}"
        elif not site.certificate_error <= self.specimen.certified:
            yield f"certified with an error of {site.certificate_error:.1e}"


def compare(specimen: Specimen) -> Finding:
    """Run a specimen without and with attnlab, and hold what was recorded against the truth."""
    model = specimen.make(specimen.implementation)
    before = _call(model, specimen.inputs(model))
    inputs = specimen.inputs(model)
    outcomes: list[RecordedCall | Refusal] = []
    with observing(outcomes.append, {}):
        after = _call(model, inputs)
    identical = same(list(tensors(before)), list(tensors(after)))
    if len(outcomes) != 1 or isinstance(outcomes[0], Refusal):
        refusal = outcomes[0] if outcomes and isinstance(outcomes[0], Refusal) else None
        return Finding(specimen, identical, len(outcomes), refusal)
    trace = Trace.from_call(outcomes[0], id="t", cell="c", execution=1, index=0)
    truth = specimen.truth
    return Finding(
        specimen,
        identical,
        len(outcomes),
        sites=[
            _site(trace, site, truth[place] if place < len(truth) else None)
            for place, site in enumerate(trace.sites)
        ],
        true_sites=len(truth),
        padding=_padding(specimen.inputs(model)),
        notes=trace.notes,
    )


def _call(model: torch.nn.Module, inputs: Mapping[str, Any]) -> Any:
    torch.manual_seed(1)
    with torch.no_grad():
        return model(**inputs)


def _site(trace: Trace, site: Any, truth: torch.Tensor | None) -> SiteFinding:
    shape = (site.items, site.heads, site.queries, site.keys)
    true_shape = () if truth is None else tuple(truth.shape)
    error, undefined = float("inf"), 0
    if truth is not None and shape == true_shape:
        error = 0.0
        for item in range(site.items):
            for head in range(site.heads):
                actual, theirs = _head(trace, site, head, item), truth[item, head].numpy()
                defined = ~np.isnan(actual).any(axis=1)
                undefined += int((~defined).sum()) if head == 0 else 0
                if defined.any():
                    error = max(error, float(np.abs(actual - theirs)[defined].max()))
    certificate = site.certificate
    return SiteFinding(
        site.name,
        site.method,
        site.record.query is not None,
        shape,
        true_shape,
        error,
        trace.items,
        undefined,
        certificate.exact,
        certificate.error,
        certificate.reason,
    )


def _head(trace: Trace, site: Any, head: int, item: int) -> np.ndarray:
    """Weights of one head; a site may have several items (windows, frames) for one of the trace."""
    if trace.items == site.items:
        return trace.head(site.index, head, item)
    return weights(site.record, slice(head, head + 1), slice(0, site.queries), item)[0].numpy()


def _padding(inputs: Mapping[str, Any]) -> int:
    mask = inputs.get("attention_mask")
    return 0 if mask is None else int((mask == 0).sum())


def tensors(result: Any) -> Iterator[torch.Tensor]:
    """All tensors of a model's result, those of a cache among them."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, Mapping):
        for part in result.values():
            yield from tensors(part)
    elif isinstance(result, list | tuple):
        for part in result:
            yield from tensors(part)
    elif hasattr(result, "layers"):
        for layer in result.layers:
            yield from tensors([getattr(layer, "keys", None), getattr(layer, "values", None)])


def same(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    """Whether tensors are equal bit by bit."""
    return len(before) == len(after) and all(
        one.dtype == other.dtype and one.shape == other.shape and _equal(one, other)
        for one, other in zip(before, after, strict=True)
    )


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(
        one.nan_to_num(), other.nan_to_num()
    )
