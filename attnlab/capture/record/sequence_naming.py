"""Assigns tokens to the axes of a model call's attention calls."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from attnlab.capture.record.embedded_prompts import BY_POSITION, embedded_sequence
from attnlab.capture.record.image_tokens import ImageTokens, after, note_resampled
from attnlab.capture.record.labeling import Labeling
from attnlab.capture.record.patches import Patches
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.encodings import Encodings, excerpt_of, resolve, tokenizer_of
from attnlab.capture.tokens.given_names import GivenNames
from attnlab.capture.tokens.tokens import TokenInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnlab.capture.feed.model_inputs import ModelInputs
    from attnlab.capture.feed.text_scope import TextScope
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.capture.tokens.labels import Labels

UNKNOWN = TokenInfo(id=-1, text="·", piece="")
"""A token in a cache that was filled outside the watched cell."""

UNUSED = TokenInfo(id=-1, text="–", piece="", padding=True)
"""A place in a static cache that is not used yet."""


@dataclass
class SequenceLayout:
    """The sequences of a call, the main one first, and those along the axes of each record."""

    sequences: list[Sequence]
    axes: list[tuple[int, int]] = field(default_factory=list)
    """By record: indices of the sequences along its queries and its keys."""

    def find(self, length: int, *names: str) -> int | None:
        """Find the first of the named sequences that has this length."""
        for name in names:
            for index, sequence in enumerate(self.sequences):
                if sequence.name == name and len(sequence) == length:
                    return index
        return None

    def merge(self, sequence: Sequence) -> int:
        """Add a sequence, or find an equal one of positions or patches; return its index."""
        if sequence.name in ("positions", "patches") and sequence in self.sequences:
            return self.sequences.index(sequence)
        return self.add(sequence)

    def add(self, sequence: Sequence) -> int:
        """Add a sequence and return its index."""
        self.sequences.append(sequence)
        return len(self.sequences) - 1


@dataclass
class SequenceNaming:
    """The tokens of a watched cell's model calls.

    Remembers the tokens in each key/value cache, so that a later call, which brings only new
    tokens, can name the keys that the cache brings.
    """

    encodings: Encodings
    namespace: Mapping[str, Any]
    given: GivenNames = field(default_factory=GivenNames)
    _cached: dict[int, tuple[weakref.ref[Any], list[Tokens]]] = field(default_factory=dict)

    def layout(
        self, records: list[AttentionRecord], owners: list[TextScope], notes: list[str]
    ) -> SequenceLayout:
        """Name the axes of each record; adds to `notes` what a reader must know.

        `owners` are, by record, the text scopes that they belong to.
        """
        result = SequenceLayout([], [(0, 0)] * len(records))
        # The main sequence comes first: positions only if there are no texts. A tower that embeds
        # other numbers, e.g. the shape of an image, has no attention over them.
        attending = {
            owner
            for owner, record in zip(owners, records, strict=True)
            if owner.reads and record.queries in owner.inputs.lengths
        }
        order = sorted(
            dict.fromkeys(owners), key=lambda scope: (scope not in attending, not scope.reads)
        )
        for scope in order:
            indices = [index for index, owner in enumerate(owners) if owner is scope]
            labels = self.given.labels if scope is order[0] else None
            # For a tower beside a text, patches or positions need no explanation.
            quiet = scope.beside and scope.inputs.pixels and labels is None
            note_resampled(scope.inputs, records)
            layout = self._scope(
                scope, [records[index] for index in indices], labels, [] if quiet else notes
            )
            at = [result.merge(sequence) for sequence in layout.sequences]
            for index, (rows, columns) in zip(indices, layout.axes, strict=True):
                result.axes[index] = (at[rows], at[columns])
        return result

    def with_vocabulary(self, call: RecordedCall, model: Any) -> RecordedCall:
        """Add the vocabulary's entries of the tokens that the model predicted.

        They are looked up now, because a recorded call does not keep the tokenizer alive.
        """
        predictions = call.predictions
        if predictions is None:
            return call
        ids = [token.id for token in call.sequences[0].items[0].tokens]
        tokenizer = self._tokenizer(model, ids, call.generated)
        if tokenizer is None:
            return call
        vocabulary, note = excerpt_of(tokenizer, predictions.best_ids)
        notes = [*call.notes, note] if note and note not in call.notes else call.notes
        predictions = replace(predictions, vocabulary=vocabulary)
        return replace(call, predictions=predictions, notes=notes)

    def _scope(
        self,
        scope: TextScope,
        records: list[AttentionRecord],
        labels: Labels | None,
        notes: list[str],
    ) -> SequenceLayout:
        """Name the axes of the records of one text scope; `labels` are for its first sequence."""
        model, inputs = scope.module, scope.inputs
        patches = Patches(model, inputs)
        written = [record for record in records if not patches.owns(record)] or records
        crossed = any(record.kind == "cross" for record in written)
        name_sequences = self._crossed if crossed else self._single
        layout = SequenceLayout(name_sequences(model, inputs, written, labels, notes))
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
                    named = patches.sequence(record, length)
                    index = layout.find(length, named.name)
                    index = layout.add(named) if index is None else index
                axes.append(index)
            layout.axes.append((axes[0], axes[1]))
        return layout

    def _single(
        self,
        model: Any,
        inputs: ModelInputs,
        records: list[AttentionRecord],
        labels: Labels | None,
        notes: list[str],
    ) -> list[Sequence]:
        """Return one sequence, and another one if a cache brings keys."""
        ids = inputs.ids or inputs.decoder
        # The text model is the one with as many queries as ids or labels; else the first.
        lengths = [record.queries for record in records]
        known = len(ids[0]) if ids else len(labels.rows[0]) if labels else -1
        known = next((length for length in lengths if inputs.embeds(length)), known)
        length = known if known in lengths else lengths[0]
        if ids and inputs.context and known == length:
            return self._continued(model, inputs, ids, inputs.context, notes)
        items = next(record.items for record in records if record.queries == length)
        labeling = None if labels is None else Labeling(labels, inputs, items)
        tokens = self._main(model, inputs, ids, length, "tokens", labeling, notes, notes)
        keys = max(record.keys for record in records if record.queries == length)
        if keys <= length or tokens.name != "tokens":
            self._remember(inputs.caches, tokens.items)
            return [tokens]
        past = self._past(inputs, tokens, keys, notes)
        tokens = after(past, tokens)
        self._remember(inputs.caches, _joined(past, tokens.items))
        # A static cache has unused places at its end; a sliding cache drops the oldest tokens.
        unused = [UNUSED] * (keys - length - len(past[0].tokens))
        context = [
            Tokens([*item.tokens, *unused][-keys:], item.text)
            for item in _joined(past, tokens.items)
        ]
        return [tokens, Sequence("context", context)]

    def _continued(
        self,
        model: Any,
        inputs: ModelInputs,
        ids: list[list[int]],
        context: list[list[int]],
        notes: list[str],
    ) -> list[Sequence]:
        """Return the tokens of a text that begins in a cache, and all tokens of that text."""
        whole = [[*before, *after] for before, after in zip(context, ids, strict=True)]
        start, prompt = len(context[0]), inputs.prompt
        inputs = replace(inputs, prompt=None if prompt is None else prompt + start)
        named = self._named(model, inputs, whole, len(whole[0]), "context", notes)
        items = [replace(item, tokens=item.tokens[start:]) for item in named.items]
        self._remember(inputs.caches, named.items)
        return [Sequence("tokens", items), named]

    def _past(
        self, inputs: ModelInputs, tokens: Sequence, keys: int, notes: list[str]
    ) -> list[Tokens]:
        """Return the tokens that a cache had before the call, for each batch item."""
        items, length = len(tokens.items), len(tokens)
        count = keys - length if inputs.past is None else inputs.past
        past = self._recall(inputs.caches)
        if len(past) == items and len(past[0].tokens) in (
            {count} if inputs.past is not None else range(count + 1)
        ):
            return past
        notes.append("Keys from a cache that was filled outside the watched cell are shown as “·”.")
        return [Tokens([UNKNOWN] * count)] * items

    def _crossed(
        self,
        model: Any,
        inputs: ModelInputs,
        records: list[AttentionRecord],
        labels: Labels | None,
        notes: list[str],
    ) -> list[Sequence]:
        """Return two sequences: the decoder's tokens are the queries, the encoder's the keys.

        A decoder that is called alone is given states instead of the encoder's ids.
        """
        cross = next(record for record in records if record.kind == "cross")
        alone = not inputs.decoder
        read = inputs.ids if alone else inputs.decoder
        labeling = None if labels is None else Labeling(labels, inputs, cross.items)
        target_notes = notes if alone else []
        target = self._main(
            model, inputs, read, cross.queries, "target", labeling, target_notes, notes
        )
        other = None if alone else inputs.ids
        source = self._named(model, inputs, other, cross.keys, "source", notes)
        if alone:
            return [target, source]
        return [replace(target, name="target"), replace(source, name="source")]

    def _main(
        self,
        model: Any,
        inputs: ModelInputs,
        ids: list[list[int]] | None,
        length: int,
        name: str,
        labeling: Labeling | None,
        token_notes: list[str],
        notes: list[str],
    ) -> Sequence:
        """Return the main sequence of a call, with the user's labels if there are as many.

        Adds remarks on the tokens to `token_notes`, and on the labels to `notes`.
        """
        found: list[str] = []
        sequence = self._named(model, inputs, ids, length, name, found)
        if labeling is None:
            token_notes += found
            return sequence
        count, reason = labeling.fit(sequence)
        # If every position has a label, it does not matter where the tokens came from.
        if count and BY_POSITION in found:
            found.remove(BY_POSITION)
        token_notes += found if count < length else []
        notes += [reason] if reason else []
        return labeling.sequence(sequence, count, name)

    def _named(
        self,
        model: Any,
        inputs: ModelInputs,
        ids: list[list[int]] | None,
        length: int,
        name: str,
        notes: list[str],
    ) -> Sequence:
        """Return the tokens of one axis; patches or positions if the number of ids differs."""
        if inputs.embeds(length):
            find = partial(self._tokenizer, model)
            return embedded_sequence(inputs, find, name, notes)
        if not ids or len(ids[0]) != length:
            patches = Patches(model, inputs).named(length)
            if patches.name == "positions":
                notes.append(
                    "The model was called without token ids for this axis: positions are shown."
                )
            return patches
        items = []
        given = self.given.tokenizer
        images = None if inputs.images is None else ImageTokens(inputs.images, given)
        for index, row in enumerate(ids):
            tokens, text, note = resolve(
                row, self.encodings, self.namespace, model, inputs.prompt, given
            )
            tokens = tokens if images is None else images.on(tokens, row, index)
            if note and note not in notes:
                notes.append(note)
            items.append(Tokens(inputs.padded(tokens, index, name), text))
        return Sequence(name, items)

    def _tokenizer(self, model: Any, ids: list[int], prompt: int | None = 0) -> Any | None:
        """Return the tokenizer that ids are named with, the first `prompt` of them tokenized."""
        return tokenizer_of(
            ids, self.encodings, self.namespace, model, prompt, self.given.tokenizer
        )

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
            except TypeError:  # Caches in the old format, tuples, are new objects at each call.
                continue


def _joined(past: list[Tokens], new: list[Tokens]) -> list[Tokens]:
    return [
        Tokens([*before.tokens, *after.tokens], after.text)
        for before, after in zip(past, new, strict=True)
    ]
