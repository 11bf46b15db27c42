"""Creates the recorded call of ``generate`` from the passes that were recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnlab.capture.generate.assembly import SiteAssembly
from attnlab.capture.generate.choices.generation_steps import generation_steps
from attnlab.capture.generate.path import path_of
from attnlab.capture.generate.prompt_pass import prompt_arguments
from attnlab.capture.generate.returned_texts import UnmatchedError
from attnlab.capture.inspection.contents import entry, is_tensor
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.reading.layer_positions import LayerPositions
from attnlab.capture.record import refusals
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.record.terms import Causal

if TYPE_CHECKING:
    import torch

    from attnlab.capture.feed.model_inputs import ModelInputs
    from attnlab.capture.feed.text_scope import TextScope
    from attnlab.capture.generate.recording import GenerateRecording
    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.generate.step import SiteKey
    from attnlab.capture.generate.stream import Stream
    from attnlab.capture.reading.noted_attention import NotedAttention
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.sequence_naming import SequenceLayout, SequenceNaming

RECORDED = (
    "Each row was recorded in its own step of generate(). The last token was not passed through "
    "the model, so it has no row."
)


OTHER_TOKENS = (
    "generate() returned other tokens than it passed to the model; those that it passed are shown."
)

BESIDE = (
    "generate() also passed other ids to the model than it returned, e.g. the negative prompt of "
    "classifier-free guidance. These are such passes."
)


class GeneratedCall:
    """Combines the passes of one stream.

    Parameters
    ----------
    recording
        The call of ``generate``, which has ended.
    stream
        The passes to be shown.
    result
        What ``generate`` returned; None if unknown.
    beside
        Whether the passes are beside those whose tokens are returned.
    """

    def __init__(
        self, recording: GenerateRecording, stream: Stream, result: Any, *, beside: bool = False
    ) -> None:
        self._recording, self._stream = recording, stream
        self._result = result
        self._notes: list[str] = [BESIDE] if beside else []
        self._beside = beside
        self._path: Path | None = None
        self._stepped: set[SiteKey] = set()

    def outcome(self, sequences: SequenceNaming, milliseconds: float) -> RecordedCall | Refusal:
        """Return the recorded call, or the reason why there is none."""
        stream, recorder = self._stream, self._stream.first.recorder
        given = None if self._decodes or self._beside else self._recording.given.tokens
        try:
            path = self._followed(given)
        except UnmatchedError as error:
            return refused(self._recording.model, str(error))
        self._path = path
        faults = (
            part.recorder.projections.fault for part in [stream.first, *self._recording.parts]
        )
        self._notes += [refusals.partly(fault) for fault in faults if fault is not None]
        noted: list[tuple[NotedAttention, AttentionRecord]] = []
        for part in self._recording.parts:
            noted += [(call, call.record) for call in part.recorder.noted]
        # Marks the calls that attend in pieces.
        recorder.records(recorder.texts.lengths)
        assembly = SiteAssembly(stream, path)
        stepped = {site for step in stream.steps for site in step.sites}
        self._stepped = stepped - stream.crossing
        unread = list(recorder.unread)
        for site, call in stream.sites.items():
            if stream.steps and site not in stepped:
                noted.append((call, call.record))  # A tower, which runs only in the first pass.
                continue
            try:
                noted.append((call, assembly.record(site, call.record)))
            except UnreadableError as why:
                unread.append((type(call.module).__name__, str(why)))
        if not noted:
            return refusals.without_attention(self._recording.model, unread) or refused(
                self._recording.model, "its passes have no attention"
            )
        if unread:
            reasons = "; ".join(sorted({f"{name}: {why}" for name, why in unread}))
            self._notes.append(f"Attention calls not shown: {len(unread)} ({reasons}).")
        return self._call(sequences, path, noted, milliseconds)

    @cached_property
    def _returned(self) -> torch.Tensor | None:
        return sequences_of(self._result)

    def _followed(self, given: int | None) -> Path:
        """Follow the returned texts; those of the last pass if something else was returned."""
        stream, kept = self._stream, self._stream.first.recorder.kept.items
        try:
            return path_of(stream, self._returned, given, kept, self._recording.given.ids)
        except UnmatchedError:
            if self._returned is None or any(step.parents is not None for step in stream.steps):
                raise
        path = path_of(stream, None, given, kept)
        self._notes.append(OTHER_TOKENS)
        return path

    def prompt_arguments(self) -> tuple[dict[str, Any], int]:
        """Return the arguments of one pass over the prompt, and its number of tokens."""
        assert self._path is not None
        path = self._path
        given = prompt_arguments(self._recording, self._stream, path)
        return given, path.prompt - path.start

    @property
    def _decodes(self) -> bool:
        """Whether the model is an encoder-decoder."""
        return self._stream.first.inputs.decoder is not None

    def _call(
        self,
        sequences: SequenceNaming,
        path: Path,
        noted: list[tuple[NotedAttention, AttentionRecord]],
        milliseconds: float,
    ) -> RecordedCall:
        first, model = self._stream.first, self._recording.model
        root = first.recorder.texts.root
        owners = self._owners(noted, root)
        sites = self._stream.sites.items()
        stepped = {id(call) for site, call in sites if site in self._stepped}
        records = _positioned(model, noted, stepped)
        notes = [*self._notes, RECORDED]
        given, root.inputs = root.inputs, self._inputs(first.inputs, path)
        try:
            layout = sequences.layout(records, owners, notes)
        finally:
            root.inputs = given  # The call may still be running, and be shown again.
        call = RecordedCall(
            refusals.name_of(model),
            records,
            layout.sequences,
            layout.axes,
            milliseconds,
            path.texts,
            notes=list(dict.fromkeys(notes)),
        )
        if not self._shows_text(noted, layout):
            return call  # E.g. only the attention of the encoder could be read.
        predictions = self._stream.predictions.of(path)
        return replace(
            call,
            generated=path.prompt - path.start,
            predictions=predictions,
            steps=generation_steps(path, predictions),
        )

    def _shows_text(
        self, noted: list[tuple[NotedAttention, AttentionRecord]], layout: SequenceLayout
    ) -> bool:
        """Whether the main sequence is the text that ``generate`` continued."""
        steps, sites = self._stream.steps, self._stream.sites.items()
        stepped = {site for step in steps for site in step.sites}
        reading = {id(call) for site, call in sites if not steps or site in stepped}
        return any(
            queries == 0 and id(call) in reading
            for (call, _), (queries, _) in zip(noted, layout.axes, strict=True)
        )

    def _inputs(self, given: ModelInputs, path: Path) -> ModelInputs:
        """Return the inputs of one pass over the whole text."""
        items = path.items_of_first
        ends = [end - path.start for end in path.ends]
        inputs = given.generated(items, ends, path.stop - path.start)
        images, batch = self._recording.images, self._stream.batch
        inputs.images = None if images is None else images.continued(items, batch)
        if not self._decodes:
            prompt = path.prompt - path.start
            written = path.written if path.ids is None else None
            return replace(
                inputs, ids=path.ids, context=path.context, prompt=prompt, written=written
            )
        sources = (part.inputs.ids for part in self._recording.parts)
        source = next((ids for ids in sources if ids), None)
        if source is not None:
            source = [source[item * len(source) // self._stream.batch] for item in items]
        return replace(inputs, decoder=path.ids, ids=source)

    def _owners(
        self, noted: list[tuple[NotedAttention, AttentionRecord]], root: TextScope
    ) -> list[TextScope]:
        """Return the text scopes of the calls; an encoder's text belongs to the whole call."""
        in_stream = {id(call) for call in self._stream.sites.values()}
        scopes = [call.scope for call, _ in noted if id(call) in in_stream]
        found = iter(self._stream.first.recorder.texts.owners(scopes))
        owners = []
        for call, _ in noted:
            if id(call) in in_stream:
                owners.append(next(found))
            else:
                owners.append(root if self._decodes else call.scope)
        return owners


def _positioned(
    model: Any, noted: list[tuple[NotedAttention, AttentionRecord]], within: set[int]
) -> list[AttentionRecord]:
    """Set the records' positions in the model; the calls `within` attend to their own text."""
    shapes = [
        (call.module, (1, 1) if id(call) in within else call.record.shape[2:]) for call, _ in noted
    ]
    positions = LayerPositions(model).of(shapes)
    return [
        replace(
            record,
            name=position.name,
            stack=position.stack,
            kind=position.kind(call.causal or any(isinstance(t, Causal) for t in record.terms)),
            layer=position.layer,
            depth=position.depth,
        )
        for (call, record), position in zip(noted, positions, strict=True)
    ]


def sequences_of(result: Any) -> torch.Tensor | None:
    """Return the ids that ``generate`` returned, (texts, tokens); None if unknown."""
    sequences = entry(result, "sequences")
    sequences = result if sequences is None else sequences
    if not is_tensor(sequences) or sequences.ndim != 2 or sequences.is_floating_point():
        return None
    return sequences.detach()


def refused(model: Any, cause: str) -> Refusal:
    """Return the refusal of a call of ``generate``."""
    return Refusal(
        f"{refusals.name_of(model)} could not be recorded",
        f"generate() could not be shown: {cause}.",
        "Call the model itself on the text, outside generate().",
    )
