"""What attnlab shows of ``generate``, compared with what each step really computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing
from attnlab.traces.site import Site
from attnlab.traces.trace import Trace
from attnlab.traces.weights import weights
from tests.generation_oracle import Pass, beams_of, cached_tokens, rows_of
from tests.zoo.comparison import same, tensors
from tests.zoo.oracle import Heard
from tests.zoo.specimen import Specimen

ARGUMENTS: dict[str, Any] = {
    "max_new_tokens": 5,
    "do_sample": False,
    "pad_token_id": 0,
    "eos_token_id": None,
    "return_dict_in_generate": True,
    "output_scores": True,
}

OMITTED = object()
"""In the place of an argument that is not to be given."""


@dataclass(frozen=True)
class Truth:
    """What an independent copy computed while it generated."""

    result: Any
    before: list[torch.Tensor]
    """Weights of the attention calls before the first pass: those of an encoder."""
    passes: list[Pass]
    written: int
    """Number of generated tokens."""
    mask: torch.Tensor | None
    """The attention mask that was given."""
    encoded: bool
    """Whether an encoder reads the input; the mask is then that of the encoder."""

    @property
    def tokens(self) -> tuple[int, int]:
        """Position of the first token that was passed to the model, and number of all tokens."""
        last = self.passes[-1]
        return self.passes[0].start, last.start + last.weights[-1].shape[2] + 1

    @property
    def generated(self) -> int:
        """Position of the first generated token."""
        return self.tokens[1] - self.written

    @property
    def sites(self) -> list[torch.Tensor]:
        """The weights of each site in its first call, in order."""
        return [*self.before, *self.passes[0].weights]

    @property
    def stepped(self) -> int:
        """How many of the last sites are called in each pass; those before are towers."""
        return len(self.passes[-1].weights)

    def is_tower(self, site: int) -> bool:
        """Whether a site attends to something else than the text that grows with each pass."""
        if site < len(self.sites) - self.stepped:
            return True
        # Without a cache, a tower may run in each pass.
        first, last = self.passes[0], self.passes[-1]
        place = site - len(self.sites)
        queries = {one.weights[place].shape[2] for one in (first, last)}
        return first is not last and first.start == last.start and len(queries) == 1

    def rows(self, site: int, texts: int, tokens: tuple[int, int], crosses: bool) -> torch.Tensor:
        """Return all rows of a site that is called in each pass, as `rows_of` does."""
        place = site - len(self.sites)
        calls = [Pass(one.start, [one.weights[place]]) for one in self.passes]
        beams = getattr(self.result, "beam_indices", None)
        items = (lambda index, text: text) if beams is None else beams_of(self.result)
        return rows_of(calls, 0, texts, tokens, items, crosses)


def generate(
    specimen: Specimen,
    model: Any,
    how: Mapping[str, Any],
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Any:
    """Let a model generate in a context; `how` adds to what the specimen gives, or omits some."""
    given = specimen.inputs(model) | ARGUMENTS | dict(how)
    if getattr(model.config, "is_encoder_decoder", False):
        given.setdefault("decoder_start_token_id", 1)
    given = {name: value for name, value in given.items() if value is not OMITTED}
    torch.manual_seed(1)
    with torch.no_grad(), around():
        return model.generate(**given)


def listen(specimen: Specimen, how: Mapping[str, Any]) -> Truth:
    """Let an independent copy generate, and hear what it attends to."""
    model = specimen.make(specimen.oracle.implementation)
    passes: list[Pass] = []
    begins: list[int] = []
    heard = Heard()

    def begin(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        passes.append(Pass(cached_tokens(kwargs)))
        begins.append(len(heard))

    @contextmanager
    def listening() -> Iterator[None]:
        handle = model.register_forward_pre_hook(begin, with_kwargs=True)
        with specimen.oracle.listening(model, heard):
            yield
        handle.remove()

    result = generate(specimen, model, how, listening)
    for one, first, stop in zip(passes, begins, [*begins[1:], len(heard)], strict=True):
        one.weights.extend(item.float() for item in heard[first:stop])
    before = [item.float() for item in heard[: begins[0]]]
    given = specimen.inputs(model) | ARGUMENTS | dict(how)
    encoded = bool(getattr(model.config, "is_encoder_decoder", False))
    mask = given.get("attention_mask")
    return Truth(result, before, passes, given["max_new_tokens"], mask, encoded)


def observed(
    specimen: Specimen, how: Mapping[str, Any]
) -> tuple[bool, Any, list[RecordedCall | Refusal]]:
    """Generate without and with attnlab: whether results are equal, the result, the outcomes."""
    before = generate(specimen, specimen.make(specimen.implementation), how)
    outcomes: list[RecordedCall | Refusal] = []
    model = specimen.make(specimen.implementation)
    after = generate(specimen, model, how, lambda: observing(outcomes.append, {}))
    return same(list(tensors(before)), list(tensors(after))), after, outcomes


def trace_of(outcome: RecordedCall) -> Trace:
    """Return the trace of a recorded call."""
    return Trace.from_call(outcome, id="t", cell="c", execution=1, index=0)


def faults(specimen: Specimen, how: Mapping[str, Any] | None = None) -> list[str]:
    """Compare what is shown with the truth; everything that is not as it should be, in words."""
    how = how or {}
    identical, result, outcomes = observed(specimen, how)
    found = [] if identical else ["the model's result differs while it is watched"]
    if len(outcomes) != 1:
        return [*found, f"{len(outcomes)} outcomes of one call"]
    if isinstance(outcomes[0], Refusal):
        return [*found, f"refused: {outcomes[0].title}. {outcomes[0].cause}"]
    trace, truth = trace_of(outcomes[0]), listen(specimen, how)
    return [*found, *_Comparison(specimen, trace, truth, result).faults()]


class _Comparison:
    """A trace of ``generate``, and the truth."""

    def __init__(self, specimen: Specimen, trace: Trace, truth: Truth, result: Any) -> None:
        self._specimen, self._trace, self._truth = specimen, trace, truth
        self._ids = getattr(result, "sequences", result)
        self._tokens = truth.tokens

    def faults(self) -> Iterator[str]:
        """Everything that differs."""
        trace, truth = self._trace, self._truth
        if not torch.equal(getattr(truth.result, "sequences", truth.result), self._ids):
            yield "the independent copy generates other tokens"
            return
        yield from self._text()
        if len(trace.sites) != len(truth.sites):
            yield f"{len(trace.sites)} sites of {len(truth.sites)}: {trace.notes}"
            return
        for site in trace.sites:
            where = f"{site.name} ({site.kind}, {site.method})"
            yield from (f"{where}: {fault}" for fault in self._site(site))

    def _text(self) -> Iterator[str]:
        """Everything that is wrong about the tokens."""
        trace, (first, total) = self._trace, self._tokens
        sequence = trace.sequences[0]
        if trace.items != len(self._ids):
            yield f"{trace.items} texts of {len(self._ids)}"
        if len(sequence) != total - first:
            yield f"{len(sequence)} tokens of {total - first}"
        count = min(len(sequence), int(self._ids.shape[1]))
        ids = [[token.id for token in item.tokens][-count:] for item in sequence.items]
        if ids != self._ids[:, -count:].tolist():
            yield f"the tokens {ids}, not {self._ids.tolist()}"
        if trace.generated != self._truth.generated - first:
            yield f"generated from {trace.generated}, not from {self._truth.generated - first}"

    def _site(self, site: Site) -> Iterator[str]:
        """Everything that is wrong about a site."""
        truth = self._truth
        tower = truth.is_tower(site.index)
        if tower:
            expected = truth.sites[site.index]
        else:
            crosses = site.kind == "cross"
            expected = truth.rows(site.index, self._trace.items, self._tokens, crosses)
        shown = weights_of(site)
        if shown.shape != expected.shape:
            yield f"weights of shape {tuple(shown.shape)}, not {tuple(expected.shape)}"
            return
        undefined = shown.isnan().any(-1)
        wrong = (undefined != expected.isnan().any(-1)) & ~self._padding(shown, tower)[:, None]
        if wrong.any():
            yield f"rows are undefined, or not, against the truth: {wrong.nonzero().tolist()}"
        differences = (shown - expected).abs()[~undefined]
        error = float(differences.max()) if len(differences) else float("inf")
        if not error <= self._specimen.tolerance:
            yield f"weights differ by {error:.1e}"
        if not site.certificate.exact:
            yield f"not certified: {site.certificate.reason}"

    def _padding(self, shown: torch.Tensor, tower: bool) -> torch.Tensor:
        """Where the queries of a site are padding, (items, queries)."""
        items, _, queries, _ = shown.shape
        result = torch.zeros(items, queries).bool()
        mask = self._truth.mask
        if mask is not None and tower == self._truth.encoded:
            texts = mask.repeat_interleave(items // len(mask), 0)[:, :queries]
            result[:, : texts.shape[1]] = texts == 0
        return result


def weights_of(site: Site) -> torch.Tensor:
    """All weights of a site, (items, heads, queries, keys)."""
    heads, queries = slice(0, site.heads), slice(0, site.queries)
    items = [weights(site.record, heads, queries, item) for item in range(site.items)]
    return torch.stack(items).float()
