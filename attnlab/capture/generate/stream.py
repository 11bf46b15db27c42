"""The forward passes of ``generate`` that continue one another, e.g. with one cache."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.generate.beams import parents_of
from attnlab.capture.generate.choices.endings import Endings
from attnlab.capture.generate.choices.predicted import StreamPredictions
from attnlab.capture.generate.interface_calls import InterfaceCalls
from attnlab.capture.generate.step import Attention, Step
from attnlab.capture.reading.layer_positions import LayerPositions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from attnlab.capture.generate.step import SiteKey
    from attnlab.capture.generate.step_recording import StepRecording
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.reading.noted_attention import NotedAttention
    from attnlab.capture.record.attention_record import AttentionRecord

CERTIFIED_STEPS = 12
"""Maximum number of steps whose outputs are kept, evenly spread, to check the weights."""

ROUNDING = 1e-5
"""Largest difference of keys that are computed again, relative to the largest."""


class Stream:
    """Passes that continue one another: the first, and the steps after it.

    Parameters
    ----------
    first
        The recording of the first pass.
    cache
        Its cache; None without one.
    start
        Number of tokens that the cache had before.
    ids
        Shape (items, tokens): the ids that it was given; None if it was given embeddings.
    count
        Number of tokens that it was given.

    Attributes
    ----------
    steps
        The steps, in order.
    predictions
        What its passes predicted.
    endings
        Where its texts end.
    beams
        Number of items for each prompt in a beam search; 0 for other methods.
    faults
        By site, why its keys cannot be determined.
    """

    def __init__(
        self, first: CallRecording, cache: Any, start: int, ids: torch.Tensor | None, count: int
    ) -> None:
        self.first, self.cache, self.start, self.ids, self.count = first, cache, start, ids, count
        self.steps: list[Step] = []
        self.predictions = StreamPredictions()
        self.endings = Endings()
        self.beams = 0
        self.faults: dict[SiteKey, str] = {}
        self.nbytes = 0
        self.recomputed = False
        self._spacing = 1
        self._interface = InterfaceCalls()
        self._indices: dict[tuple[SiteKey, ...], Mapping[SiteKey, int]] = {}
        self._inexact = False
        noted = first.recorder.noted
        self.sites = dict(zip(site_keys(noted), noted, strict=True))
        self.crossing = self._crossing(noted)
        self._newest: dict[SiteKey, weakref.ref[torch.Tensor]] = {}
        self._last = {site: Attention.of(call.record) for site, call in self.sites.items()}

    @property
    def tapped(self) -> bool:
        """Whether the steps need the tap: the first pass has attention beside the interface."""
        tap = self.first.tap
        noted = self.first.recorder.noted
        return tap is not None and any(call.record.method != "interface" for call in noted)

    @property
    def stop(self) -> int:
        """Number of tokens after its last pass."""
        return self.steps[-1].stop if self.steps else self.start + self.count

    @property
    def batch(self) -> int:
        """Number of items of its passes."""
        return self.first.recorder.kept.batch

    def recomputes(self, start: int, count: int) -> bool:
        """Whether a pass computes all tokens again, since there is no cache or it is not used."""
        self.recomputed = start == self.start and start + count > self.stop
        return self.recomputed

    def continues(self, ids: torch.Tensor | None) -> bool:
        """Whether a pass without a cache that is given some ids continues it."""
        if self.cache is not None or self.ids is None or ids is None:
            return False
        known = self.all_ids
        if ids.shape[0] != known.shape[0] or ids.shape[1] <= known.shape[1]:
            return False
        # With beams, the items are in another order.
        before = ids[:, : known.shape[1]]
        return bool((before[:, None] == known[None]).all(-1).any(1).all())

    @property
    def all_ids(self) -> torch.Tensor:
        """The ids of its last pass and of all tokens before."""
        assert self.ids is not None
        ids = self.ids
        for step in self.steps:
            assert step.ids is not None
            before = ids if step.parents is None else ids.index_select(0, step.parents)
            ids = torch.cat([before[:, : step.start - self.start], step.ids], dim=1)
        return ids

    def add(
        self, recording: StepRecording, start: int, given: torch.Tensor | None, count: int
    ) -> None:
        """Add a step that has ended.

        Parameters
        ----------
        start, count
            Position of its first new token, and their number.
        given
            Shape (items, tokens): the ids that it was given; None if it was given embeddings.
        """
        sites = self._interface.attentions(recording.recorder, recording.calls)
        if recording.tap is not None:
            noted = recording.recorder.noted
            records = (Attention.of(call.record) for call in noted)
            sites = list(zip(site_keys(noted), records, strict=True))
        step = Step(start, count, None if given is None else given[:, -count:])
        known = [
            (site, attention)
            for site, attention in sites
            if site in self.sites and self._continues_text(site, attention, step)
        ]
        step.parents = self._parents(step, known, given)
        changed = self._changed(step, known)
        step.pack(known, self.crossing, changed, self._indices)
        self._hold(known)
        self.predictions.begin(len(self.steps), start, step.ids, step.parents)
        self.steps.append(step)
        self.nbytes += step.nbytes
        self._thin_outputs()

    def _continues_text(self, site: SiteKey, attention: Attention, step: Step) -> bool:
        """Whether a call is one of the text, and not of a tower that runs in each pass."""
        if self.recomputed:
            # A tower may have as many queries as one of the passes has tokens, but not as each.
            first = Attention.of(self.sites[site].record)
            return (first.queries, attention.queries) == (self.count, step.stop - self.start)
        return site in self.crossing or attention.queries <= step.count

    def newest_keys(self, site: SiteKey) -> torch.Tensor | None:
        """Return the keys that a site was given in the last step, if its cache still has them."""
        reference = self._newest.get(site)
        return None if reference is None else reference()

    def _hold(self, sites: list[tuple[SiteKey, Attention]]) -> None:
        """Keep the keys that the next step is compared with.

        To keep those of all sites would double the memory of the cache during a step.
        """
        self._newest = {
            site: weakref.ref(attention.key)
            for site, attention in sites
            if attention.key is not None
        }
        reading = [site for site, _ in sites if site not in self.crossing]
        following = set()
        if reading:
            # This step is not among the steps yet.
            following = {reading[(len(self.steps) + 1) % len(reading)], reading[-1]}
        kept = {site for site, _ in sites} if self._inexact else following
        # Static caches are written in place, so what is compared later is copied.
        self._last = {site: _with_copied_keys(one) for site, one in sites if site in kept}

    def _crossing(self, noted: Sequence[NotedAttention]) -> set[SiteKey]:
        """Return the sites whose keys are not those of the text, e.g. those of an encoder."""
        shapes = [(call.module, call.record.shape[2:]) for call in noted]
        positions = LayerPositions(self.first.recorder.model).of(shapes)
        return {
            site
            for (site, call), position in zip(self.sites.items(), positions, strict=True)
            if position.crosses or self._crosses(call)
        }

    def _crosses(self, noted: NotedAttention) -> bool:
        """Whether the keys of a site are not those of the text, e.g. those of an encoder."""
        record = noted.record
        tokens = self.start + self.count
        return record.keys > tokens and not _hides(record, tokens)

    def _parents(
        self,
        step: Step,
        sites: list[tuple[SiteKey, Attention]],
        given: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """Return which items of the pass before a step continues, in beam search."""
        if self.batch == 1:
            return None
        if self.recomputed and given is not None:
            return parents_of(given[:, : -step.count], self.all_ids, self.beams)
        # Only in a deep layer does the key of a token depend on the text before it.
        for site, record in reversed(sites):
            last = self._last.get(site)
            if site in self.crossing or record.key is None or last is None or last.key is None:
                continue
            new, old = _common(record, last, step, self.stop)
            if not new.shape[2]:
                continue
            if sum(other not in self.crossing for other, _ in sites) > 1:
                new, old = new[:, :, -1], old[:, :, -1]
            # In a single layer, only all keys together show which text an item continues.
            return parents_of(new, old, self.beams)
        return None

    def _changed(self, step: Step, sites: list[tuple[SiteKey, Attention]]) -> set[SiteKey]:
        """Return the sites whose earlier keys differ from what earlier passes attended to.

        A cache that rounds its keys is noticed in the first step; from then on, all sites are
        compared in each step, else one. In the end, the keys of the last step are compared with all
        that were recorded.
        """
        reading = [(site, record) for site, record in sites if site not in self.crossing]
        if not reading:
            return set()
        everything = self._inexact or not self.steps
        chosen = reading if everything else [reading[len(self.steps) % len(reading)]]
        differing = {
            site
            for site, record in chosen
            if site in self._last and not self._same_keys(record, self._last[site], step)
        }
        if differing and not everything:
            reason = "its cache changed earlier keys during generate()"
            self.faults |= dict.fromkeys(differing, reason)
        self._inexact = self._inexact or bool(differing)
        return differing

    def _same_keys(self, record: Attention, last: Attention, step: Step) -> bool:
        if record.key is None or last.key is None:
            return True
        new, old = _common(record, last, step, self.stop)
        if new.data_ptr() == old.data_ptr() or not new.numel():
            return True
        if step.parents is not None:
            old = old.index_select(0, step.parents)
        if not self.recomputed:
            return torch.equal(new, old)
        difference = (new.float() - old.float()).abs().max()
        return bool(difference <= ROUNDING * old.float().abs().max())

    def _thin_outputs(self) -> None:
        """Keep the outputs of the last step, and of some earlier ones that are evenly spread."""
        if len(self.steps) > 1:
            if (len(self.steps) - 2) % self._spacing:
                self.steps[-2].drop_outputs()
            else:
                self.steps[-2].keep_outputs()
        if len(self.steps) > CERTIFIED_STEPS * self._spacing:
            self._spacing *= 2
            for index, step in enumerate(self.steps[:-1]):
                if index % self._spacing:
                    step.drop_outputs()

    def release(self) -> None:
        """Drop all data."""
        self.first.release()
        vars(self).clear()


def site_keys(noted: Iterable[NotedAttention]) -> list[SiteKey]:
    """Return the keys of attention calls, in order."""
    counts: Counter[int] = Counter()
    keys = []
    for call in noted:
        identity = id(call.module)
        keys.append((identity, counts[identity]))
        counts[identity] += 1
    return keys


def _with_copied_keys(attention: Attention) -> Attention:
    key = attention.key
    return attention if key is None else replace(attention, key=key.clone())


def _common(
    record: Attention, last: Attention, step: Step, stop: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the keys of a step's call that were there before, and the same keys of the last pass.

    `stop` is the number of tokens after the last pass.
    """
    assert record.key is not None
    assert last.key is not None
    first = max(0, step.stop - record.keys)
    last_first = max(0, stop - last.keys)
    begin, end = max(first, last_first), min(step.start, stop)
    return record.key[:, :, begin - first : end - first], last.key[
        :, :, begin - last_first : end - last_first
    ]


def _hides(record: AttentionRecord, tokens: int) -> bool:
    """Whether a call hides all keys after some tokens, as in a static cache that is not full."""
    from attnlab.capture.generate.visible import visible_keys

    seen = visible_keys(record.terms, record.queries, record.keys)
    return seen is not None and not bool(seen[..., tokens:].any())
