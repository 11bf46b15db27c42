"""Which tokens stand along the axes of a model call's sites."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.encodings import Encodings, resolve
from attnlab.capture.patches import Patches
from attnlab.capture.sequence import Sequence, Tokens
from attnlab.capture.tokens import TokenInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.inputs import Inputs
    from attnlab.capture.reading import Reading
    from attnlab.capture.records import Record

UNKNOWN = TokenInfo(id=-1, text="·", piece="")


@dataclass
class Layout:
    """The sequences of a call, the main one first, and those along each site's axes."""

    sequences: list[Sequence]
    axes: list[tuple[int, int]] = field(default_factory=list)
    """By site: indices of the queries' and of the keys' sequence."""

    def find(self, length: int, *names: str) -> int | None:
        """Find the first of the named sequences that has this length."""
        for name in names:
            for index, sequence in enumerate(self.sequences):
                if sequence.name == name and len(sequence) == length:
                    return index
        return None

    def merge(self, sequence: Sequence) -> int:
        """Add a sequence; positions and patches are the same wherever there are as many."""
        if sequence.name in ("positions", "patches") and sequence in self.sequences:
            return self.sequences.index(sequence)
        return self.add(sequence)

    def add(self, sequence: Sequence) -> int:
        """Add a sequence; its index."""
        self.sequences.append(sequence)
        return len(self.sequences) - 1


@dataclass
class Sequences:
    """The tokens of a watched cell's model calls.

    Remembers what each key/value cache has been fed, so that a later call, which brings
    only new tokens, can name the keys that the cache brings.
    """

    encodings: Encodings
    namespace: Mapping[str, Any]
    _cached: dict[int, tuple[weakref.ref[Any], list[Tokens]]] = field(default_factory=dict)

    def layout(self, records: list[Record], owners: list[Reading], notes: list[str]) -> Layout:
        """Name what stands along each axis; adds to `notes` what a reader must know.

        `owners` are, by record, the readings that they belong to.
        """
        whole = Layout([], [(0, 0)] * len(records))
        # The main sequence comes first: positions only where there are no texts.
        order = sorted(dict.fromkeys(owners), key=lambda own: not own.reads)
        for reading in order:
            places = [place for place, own in enumerate(owners) if own is reading]
            # A tower beside a text has patches or positions as a matter of course.
            said = [] if reading.beside and reading.inputs.pixels else notes
            own = self._reading(reading, [records[place] for place in places], said)
            at = [whole.merge(sequence) for sequence in own.sequences]
            for place, (rows, columns) in zip(places, own.axes, strict=True):
                whole.axes[place] = (at[rows], at[columns])
        return whole

    def _reading(self, reading: Reading, records: list[Record], notes: list[str]) -> Layout:
        """Name what stands along the axes of the records of one reading."""
        model, inputs = reading.module, reading.inputs
        patches = Patches(model, inputs)
        written = [record for record in records if not patches.owns(record)] or records
        crossed = any(record.kind == "cross" for record in written)
        named = self._crossed if crossed else self._single
        layout = Layout(named(model, inputs, written, notes))
        names = {"encoder": ("source",), "decoder": ("target", "context")}
        for record in records:
            rows: tuple[str, ...] = ("target", "tokens")
            columns: tuple[str, ...] = rows
            if patches.owns(record):
                rows = columns = ()
            elif record.kind == "cross":
                columns = ("source",)
            elif crossed:
                rows = columns = names[record.kind]
            else:
                columns = ("tokens", "context")
            axes = []
            for length, known in ((record.queries, rows), (record.keys, columns)):
                index = layout.find(length, *known)
                if index is None:
                    own = patches.sequence(record, length)
                    index = layout.find(length, own.name)
                    index = layout.add(own) if index is None else index
                axes.append(index)
            layout.axes.append((axes[0], axes[1]))
        return layout

    def _single(
        self, model: Any, inputs: Inputs, records: list[Record], notes: list[str]
    ) -> list[Sequence]:
        """One sequence, and one more where a cache brings keys."""
        ids = inputs.ids or inputs.decoder
        # The text model is the one with as many queries as there are ids; else the first.
        lengths = [record.queries for record in records]
        known = len(ids[0]) if ids else -1
        length = known if known in lengths else lengths[0]
        own = self._named(model, inputs, ids, length, "tokens", notes)
        spans = max(record.keys for record in records if record.queries == length)
        if spans <= length or own.name != "tokens":
            self._remember(inputs.caches, own.items)
            return [own]
        past = self._recall(inputs.caches)
        if len(past) != len(own.items) or len(past[0].tokens) + length > spans:
            past = []
        if not past:
            notes.append("Keys from a cache that was filled outside the watched cell show as “·”.")
        else:
            self._remember(inputs.caches, _joined(past, own.items))
        filling = [UNKNOWN] * (spans - length - (len(past[0].tokens) if past else 0))
        # A static cache is longer than what it holds.
        context = (
            [Tokens([*item.tokens, *filling], item.text) for item in _joined(past, own.items)]
            if past
            else [Tokens([*filling, *item.tokens], item.text) for item in own.items]
        )
        return [own, Sequence("context", context)]

    def _crossed(
        self, model: Any, inputs: Inputs, records: list[Record], notes: list[str]
    ) -> list[Sequence]:
        """Two sequences: the decoder's tokens are the queries, the other's the keys.

        A decoder that is called alone is given states in place of the other's ids.
        """
        cross = next(record for record in records if record.kind == "cross")
        alone = not inputs.decoder
        read = inputs.ids if alone else inputs.decoder
        target = self._named(model, inputs, read, cross.queries, "target", notes if alone else [])
        other = None if alone else inputs.ids
        source = self._named(model, inputs, other, cross.keys, "source", notes)
        if alone:
            return [target, source]
        return [replace(target, name="target"), replace(source, name="source")]

    def _named(
        self,
        model: Any,
        inputs: Inputs,
        ids: list[list[int]] | None,
        length: int,
        name: str,
        notes: list[str],
    ) -> Sequence:
        """Tokens of one axis; patches or positions where there are no ids, or not as many."""
        if not ids or len(ids[0]) != length:
            own = Patches(model, inputs).named(length)
            if own.name == "positions":
                notes.append(
                    "The model was called without token ids for this axis: positions are shown."
                )
            return own
        items = []
        for place, row in enumerate(ids):
            tokens, text, note = resolve(row, self.encodings, self.namespace, model, inputs.prompt)
            if note and place == 0:
                notes.append(note)
            items.append(Tokens(inputs.padded(tokens, place, name), text))
        return Sequence(name, items)

    def _recall(self, caches: list[Any]) -> list[Tokens]:
        for cache in caches:
            reference, items = self._cached.get(id(cache), (None, []))
            if reference is not None and reference() is cache:
                return items
        return []

    def _remember(self, caches: list[Any], items: list[Tokens]) -> None:
        for cache in caches:
            try:
                self._cached[id(cache)] = (weakref.ref(cache), items)
            except TypeError:  # an old-style cache, a tuple, is made anew at each call
                continue


def _joined(past: list[Tokens], own: list[Tokens]) -> list[Tokens]:
    return [
        Tokens([*before.tokens, *after.tokens], after.text)
        for before, after in zip(past, own, strict=True)
    ]
